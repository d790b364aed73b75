"""`python -m lab upgrade`: merge a newer version of the template into the lab.

It is one `git merge`, so conflicts, `--continue` and `--abort` are Git's own. What is merged is made for it, since a
lab shares no history with its template: a commit of the template's files as they were when the lab came from it, and
on top of it one of the template's files as they are in the new version. The lab's own paths (owners.txt) are in
neither, so Git has nothing to say of them. The first commit has the lab's own labkit/: to Git, the template alone
changed it since, and so it is replaced whole. For the time of the merge, a replacement ref that no other command sees
makes the first commit a parent of HEAD, and thereby the base. (`git merge-tree --merge-base` came with Git 2.40, and
leaves neither an index nor a merge to go on with. A branch that carries the template, as nf-core has, is lost where
pull requests are squashed.)

Renames are not followed: a file of the lab's that looks like one the template removed would get the template's changes,
and what was edited in a file that moved into labkit/ would be merged there unseen. A conflict tells of both. (The
strategy is `recursive`, since `ort` of Git 2.39 follows renames whatever it is told.)
"""

import json
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from labkit.git_cli import GitError, commit_or_none, file_in, git, is_shallow, write_blob
from labkit.process.errors import InputError
from labkit.upgrade.template import (
    LABKIT,
    LOCK,
    Record,
    address,
    delete_refs,
    fetched,
    is_in,
    is_local,
    name_of,
    newest,
    origin,
    read_record,
    template_commit,
)

OWNERS = "labkit/upgrade/owners.txt"
REPLACEMENTS = "refs/labkit/replace/"
CHANGES = {"A": "added", "D": "removed", "M": "merged", "T": "merged", "U": "CONFLICT"}
NEWER = 3  # the exit code of --check


class Step(NamedTuple):
    """From which commit of the template to which, and their versions."""

    base: str
    base_name: str
    wanted: str
    wanted_name: str


def upgrade(version: str | None = None, source: str | None = None, base: str | None = None) -> int:
    """Merge a version of the template, the newest by default; the exit code is 1 where there are conflicts.

    Raises InputError, with nothing changed, when this clone, the template or the version is not fit for it.
    """
    check_clone()
    record = read_record()
    with fetched(source := address(source, record)):
        step = step_to(version, base, record)
        if is_in(step.wanted, step.base):
            print(f"nothing to do: this lab has {step.base_name} of the template")
            return 0
        kept = {"template": source} if not is_local(source) else {k: v for k, v in record.items() if k == "template"}
        before = git("rev-parse", "HEAD")
        own = changed_labkit(step.base)
        for path in own:
            print(f"{path} was changed here; it will be replaced")
        merge(step, kept | {"commit": step.wanted, "version": step.wanted_name})
    return report(step, before, own)


def check(version: str | None = None, source: str | None = None, base: str | None = None) -> int:
    """Say in one line whether there is a newer version; the exit code is 3 if so. Raises InputError as `upgrade`."""
    record = read_record()
    with fetched(address(source, record)):
        step = step_to(version, base, record)
        if is_in(step.wanted, step.base):
            print(f"{step.base_name} is the newest" if version is None else f"this lab has {step.wanted_name}")
            return 0
        print(f"{step.wanted_name} is available; this lab has {step.base_name}: `python -m lab upgrade`")
        return NEWER


def check_clone() -> None:
    """Raise InputError unless this clone is whole, and has nothing that a merge could spoil."""
    if git("rev-parse", "--show-prefix"):
        raise InputError("the lab is not at the top of its Git repository, which an upgrade needs")
    if is_shallow():
        raise InputError("this is a shallow clone; `git fetch --unshallow` first")
    if commit_or_none() is None:
        raise InputError("nothing is committed yet; commit the lab first")
    if Path(git("rev-parse", "--git-path", "MERGE_HEAD")).exists():
        raise InputError("a merge is under way; `git merge --continue` or `git merge --abort` first")
    if changed := git("status", "--porcelain", "--untracked-files=no").splitlines():
        some = ", ".join(line[3:] for line in changed[:3]) + (", ..." if len(changed) > 3 else "")
        raise InputError(f"changed and not committed: {some}; commit that first, or `git stash` it")


def step_to(version: str | None, base: str | None, record: Record) -> Step:
    """The step to a version, the newest by default."""
    wanted = template_commit(version or newest())
    start = template_commit(base) if base else origin(record, wanted)
    return Step(start, name_of(start), wanted, name_of(wanted))


def changed_labkit(base: str) -> list[str]:
    """The files of labkit/ that are not as the template had them."""
    return [path for _, path in changes(base, "HEAD", "--", LABKIT)]


def changes(*arguments: str) -> list[tuple[str, str]]:
    """The letter and the path of each change that `git diff` with these arguments tells."""
    words = git("diff", "--no-renames", "--name-status", "-z", *arguments).split("\0")[:-1]
    return list(zip(words[::2], words[1::2], strict=True))


def merge(step: Step, record: Record) -> None:
    """Merge the template's changes and commit; where there are conflicts, leave them. Raises InputError for neither."""
    paths = template_paths(step)
    recorded = write_blob((json.dumps(record, indent=2, sort_keys=True) + "\n").encode())
    base_tree = tree(entries(step.base, *paths, f":(exclude){LABKIT}") + entries("HEAD", LABKIT, LOCK))
    wanted_tree = tree(entries(step.wanted, *paths) + f"100644 {recorded} 0\t{LOCK}\0")
    try:
        base = git("commit-tree", base_tree, "-m", f"The template at {step.base_name}, with the lab's labkit")
        wanted = git("commit-tree", wanted_tree, "-p", base, "-m", f"The template at {step.wanted_name}")
        message = f"Upgrade the template from {step.base_name} to {step.wanted_name}"
        with grafted(base) as variables:
            git(
                *("merge", "--no-ff", "--no-verify-signatures", "--strategy=recursive", "--strategy-option=no-renames"),
                *("--message", message, wanted),
                **variables,
            )
    except GitError as error:
        if not Path(git("rev-parse", "--git-path", "MERGE_HEAD")).exists():
            raise InputError(" ".join(str(error).split())) from None


def template_paths(step: Step) -> list[str]:
    """The paths that are the template's, by the version that is wanted. Raises InputError when that has no list."""
    text = file_in(step.wanted, OWNERS)
    if text is None:
        raise InputError(f"{step.wanted_name} of the template has no {OWNERS}, so there is no upgrade to it")
    return owned("template", text.decode(errors="replace"))


def owned(owner: str, text: str) -> list[str]:
    """The pathspecs of an owner, by the text of owners.txt."""
    lines = [line.split() for line in text.splitlines()]
    return [line[1] for line in lines if line[:1] == [owner]]


def entries(revision: str, *paths: str) -> str:
    """The files of a revision below these pathspecs, as Git's index has them."""
    with scratch_index() as index:
        git("read-tree", revision, GIT_INDEX_FILE=index)
        return git("ls-files", "--stage", "-z", "--", *paths, GIT_INDEX_FILE=index)


def tree(files: str) -> str:
    """The tree of these files."""
    with scratch_index() as index:
        git("update-index", "-z", "--index-info", given=files, GIT_INDEX_FILE=index)
        return git("write-tree", GIT_INDEX_FILE=index)


@contextmanager
def scratch_index() -> Iterator[str]:
    """Yield a path for an index beside the clone's own."""
    with tempfile.TemporaryDirectory() as folder:
        yield str(Path(folder) / "index")


@contextmanager
def grafted(base: str) -> Iterator[dict[str, str]]:
    """Yield the variables with which Git takes `base` for one more parent of HEAD, for a while."""
    variables = {"GIT_REPLACE_REF_BASE": REPLACEMENTS}
    try:
        git("replace", "--force", "--graft", "HEAD", *git("rev-parse", "HEAD^@").split(), base, **variables)
        yield variables
    finally:
        delete_refs(REPLACEMENTS)


def report(step: Step, before: str, own: list[str]) -> int:
    """Print what the merge changed since the commit `before`, and what remains to be done; the exit code."""
    changed = changes("--cached", before)
    replaced = [path for _, path in changed if path.startswith(f"{LABKIT}/")]
    print(f"{LABKIT}/: {len(replaced)} files are those of {step.wanted_name} now")
    for letter, path in changed:
        if path not in replaced and path != LOCK:
            print(f"{CHANGES[letter]}: {path}")
    if own:
        print(f"replaced, and kept in history as `git show {before[:10]}:FILE`: {', '.join(own)}")
    if pipfiles := [path for _, path in changed if Path(path).name == "Pipfile"]:
        print(f"`make lock` is needed: {', '.join(pipfiles)} changed")
    if git("rev-parse", "HEAD") != before:
        print(f"upgraded from {step.base_name} to {step.wanted_name}, as a merge commit")
        return 0
    print(f"not committed: the merge from {step.base_name} to {step.wanted_name} has conflicts, or a hook refused it")
    print("see `git status`; resolve them, `git add` the files, and `git merge --continue`; or `git merge --abort`")
    return 1
