"""The results commit: the run's own commit, made beside the working folder, on the very commit that ran."""

import tempfile
from collections.abc import Iterable
from pathlib import Path

from labkit.git_cli import file_in, git, write_blob
from labkit.paths import TABLES
from labkit.pipeline.records import DVC_LOCK, merge_records, read_records, records_of, write_records
from labkit.pipeline.tables import tables_in
from labkit.process.errors import InputError


def refuse_uncommitted(code: str) -> None:
    """Raise InputError when the working folder is not the commit `code`: its results belong to no commit."""
    own = (f":!{DVC_LOCK}", ":!*.gitignore", f":!{TABLES}")
    changed = git("diff", "--name-only", code, "--", ".", *own).splitlines()
    if changed:
        raise InputError(
            f"{', '.join(changed)}: not as in {code[:10]}, and results of what nobody committed are not published; "
            "commit, and tag that commit"
        )


def commit_results(code: str, message: str, tables: dict[str, bytes] | None = None) -> str | None:
    """Commit what the run wrote for Git onto the commit `code`; None when that is nothing new.

    That is dvc.lock, and the .gitignore files in which DVC put the outputs; with them go `tables`, by their paths, in
    place of those before. The working folder and its index stay.
    """
    changed = git("diff", "--name-only", code, "--", DVC_LOCK, "*.gitignore")
    added = git("ls-files", "--others", "--exclude-standard", "--", DVC_LOCK, "*.gitignore")
    files = [name for name in f"{changed}\n{added}".splitlines() if Path(name).is_file()]
    if not files:
        return None
    blobs = {name: git("hash-object", "-w", "--path", name, name) for name in files}
    blobs |= {name: write_blob(content) for name, content in (tables or {}).items()}
    gone = tables_in(code).keys() - tables.keys() if tables else ()
    return git("commit-tree", tree_with(code, blobs, gone), "-p", code, "-F", "-", given=message)


def merge_results(tip: str, results: str) -> str:
    """A merge commit of the results into a branch that has moved: the branch's files, the records merged by stage.

    Where both have a new record of a stage, it is the branch's if its code is newer, else the run's.
    """
    code = git("rev-parse", f"{results}^")
    base, run, branch = (read_records(records_of(commit)) for commit in (code, results, tip))
    newer_code = git("diff", "--name-only", code, tip, "--", ".", f":!{DVC_LOCK}", f":!{TABLES}")
    records = merge_records(base, branch, run) if newer_code else merge_records(base, run, branch)
    blobs = {DVC_LOCK: write_blob(write_records(records).encode())}
    for name in git("diff", "--name-only", code, results, "--", "*.gitignore").splitlines():
        blobs[name] = write_blob(union(name, tip, results).encode())
    blobs |= merged_tables(code, tip, results, prefer_tip=bool(newer_code))
    subject = git("log", "-1", "--format=%s", results)
    return git("commit-tree", tree_with(tip, blobs), "-p", tip, "-p", results, "-m", f"Merge: {subject}")


def merged_tables(code: str, tip: str, results: str, prefer_tip: bool) -> dict[str, str]:
    """The run's tables that go into a branch that has moved: those that differ from what was there before.

    One that is not of the record that was taken does not have its hash, and counts for nothing.
    """
    before, run, branch = (tables_in(commit) for commit in (code, results, tip))
    kept = {name for name in branch if prefer_tip and branch[name] != before.get(name)}
    return {name: blob for name, blob in run.items() if blob != before.get(name) and name not in kept}


def union(name: str, *commits: str) -> str:
    """The lines of a text file in any of the commits, each once, in their order."""
    texts = [(file_in(commit, name) or b"").decode(errors="replace") for commit in commits]
    return "\n".join(dict.fromkeys(line for text in texts for line in text.splitlines())) + "\n"


def tree_with(commit: str, blobs: dict[str, str], gone: Iterable[str] = ()) -> str:
    """The tree of a commit with some files replaced, and some gone."""
    with tempfile.TemporaryDirectory() as folder:
        index = {"GIT_INDEX_FILE": f"{folder}/index"}
        git("read-tree", commit, **index)
        for name in gone:
            git("update-index", "--force-remove", name, **index)
        for name, blob in blobs.items():
            git("update-index", "--add", "--cacheinfo", f"100644,{blob},{name}", **index)
        return git("write-tree", **index)


def published(results: str) -> str | None:
    """The commit on the remote that has the same results of the same code already, or None."""
    code = git("rev-parse", f"{results}^")
    wanted = f"{git('rev-parse', f'{results}^{{tree}}')} {code}"
    known: Iterable[str] = git("log", "--remotes=origin", "--not", code, "--format=%H %T %P").splitlines()
    return next((line.split()[0] for line in known if line.split(maxsplit=1)[1] == wanted), None)
