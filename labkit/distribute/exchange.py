"""Records of dvc.lock on their way between machines: one Git ref of `origin` for each stage of an execution.

    refs/lab/<execution>/<stage>

It leads to a commit whose dvc.lock has the one record, and which names the commit that ran and what its machine knows
of the execution's runs. A push that expects no such ref decides who was first, so that a retry does no harm. Of a stage
that failed, <stage>.failed leads to the runs alone.
"""

import json
from collections.abc import Iterable, Iterator
from urllib.parse import quote

from labkit.git_cli import GitError, ask_server, git, read_blob, write_blob
from labkit.pipeline.records import DVC_LOCK, Records, read_records, write_records
from labkit.process.errors import InputError
from labkit.tracking.journal import TrackedRun

REFS = "refs/lab"
CODE_TRAILER = "Code-Commit"
RUNS = "runs.json"
FAILED = ".failed"  # no stage is called so there: `_name` leaves no dot
# These commits are in no branch, and a machine may have no identity.
IDENTITY = {f"GIT_{role}_{part}": "lab" for role in ("AUTHOR", "COMMITTER") for part in ("NAME", "EMAIL")}


def published(execution: str, commit: str) -> Records:
    """The records that the stages of an execution have published, by stage.

    Raises InputError where one is of another commit or stage, and GitError where the server can't be asked.
    """
    ask_server("fetch", "--quiet", "--no-tags", "--prune", "origin", f"+{_place(execution)}/*:{_place(execution)}/*")
    found: Records = {}
    for ref in (ref for ref in _refs(execution) if not ref.endswith(FAILED)):
        code = git("for-each-ref", f"--format=%(trailers:key={CODE_TRAILER},valueonly)", ref).strip()
        if code != commit:
            raise InputError(
                f"{ref} is a result of {code[:10]}, not of {commit[:10]}; give each execution its own name"
            )
        records = read_records(read_blob(f"{ref}:{DVC_LOCK}"))
        if [f"{_place(execution)}/{_name(stage)}" for stage in records] != [ref]:
            raise InputError(f"{ref} has results of {', '.join(records) or 'nothing'}; run the execution again")
        found |= records
    return found


def told_runs(execution: str) -> Iterator[TrackedRun]:
    """The runs that the machines knew of when they published; `published` fetches them."""
    for ref in _refs(execution):
        yield from (TrackedRun(**run) for run in json.loads(read_blob(f"{ref}:{RUNS}")))


def publish(execution: str, commit: str, stage: str, record: object, runs: Iterable[TrackedRun] = ()) -> None:
    """Publish the record of a stage that ran at a commit, once its data are in the remote.

    Raises InputError where another attempt has published other results, and GitError where the push fails otherwise.
    """
    ref = f"{_place(execution)}/{_name(stage)}"
    result = _committed(execution, commit, stage, runs, {DVC_LOCK: write_records({stage: record})})
    try:
        ask_server("push", "--quiet", f"--force-with-lease={ref}:", "origin", f"{result}:{ref}")
    except GitError:
        other = published(execution, commit).get(stage)
        if other is None:
            raise
        if other != record:
            raise InputError(f"{stage}: another attempt of {execution} has published other results") from None


def publish_failure(execution: str, commit: str, stage: str, runs: Iterable[TrackedRun]) -> None:
    """Publish what is known of a stage that failed. Raises GitError where the push fails."""
    result = _committed(execution, commit, stage, runs, {})
    ask_server("push", "--quiet", "--force", "origin", f"{result}:{_place(execution)}/{_name(stage)}{FAILED}")


def forget(execution: str) -> None:
    """Remove what the stages of an execution have published. Raises GitError where the server refuses."""
    lines = ask_server("ls-remote", "--quiet", "origin", f"{_place(execution)}/*").splitlines()
    if refs := [line.split()[1] for line in lines]:
        ask_server("push", "--quiet", "origin", "--delete", *refs)


def _committed(execution: str, commit: str, stage: str, runs: Iterable[TrackedRun], files: dict[str, str]) -> str:
    """A commit with these files and the runs; its name."""
    files = {**files, RUNS: json.dumps([run._asdict() for run in runs])}
    tree = git(
        "mktree", given="".join(f"100644 blob {write_blob(text.encode())}\t{name}\n" for name, text in files.items())
    )
    # It has no parent: GitHub refuses a job's token a commit that differs from its parent in a workflow file.
    return git("commit-tree", tree, "-m", f"{stage}, {execution}", "-m", f"{CODE_TRAILER}: {commit}", **IDENTITY)


def _refs(execution: str) -> list[str]:
    return git("for-each-ref", "--format=%(refname)", _place(execution)).splitlines()


def _place(execution: str) -> str:
    """Where an execution publishes. Raises InputError for a name that is none, or that the registry has."""
    if execution in ("", "refused"):
        raise InputError(f"--execution is {execution!r}; give a name that no other execution has")
    return f"{REFS}/{_name(execution)}"


def _name(text: str) -> str:
    """A text as a part of a ref: what Git refuses there is quoted."""
    return quote(text, safe="@").replace(".", "%2E").replace("~", "%7E")
