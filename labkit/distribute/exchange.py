"""Records of dvc.lock on their way between machines: one Git ref of `origin` for each stage of an execution.

    refs/lab/<execution>/<stage>

It leads to a commit whose parent is the commit that ran, and whose dvc.lock has the one record. A push that expects no
such ref decides who was first, so that a retry does no harm.
"""

from urllib.parse import quote

from labkit.git_cli import GitError, ask_server, git, read_blob, write_blob
from labkit.pipeline.records import DVC_LOCK, Records, read_records, write_records
from labkit.process.errors import InputError

REFS = "refs/lab"
# These commits are in no branch, and a machine may have no identity.
IDENTITY = {f"GIT_{role}_{part}": "lab" for role in ("AUTHOR", "COMMITTER") for part in ("NAME", "EMAIL")}


def published(execution: str, commit: str) -> Records:
    """The records that the stages of an execution have published, by stage.

    Raises InputError where one is of another commit, and GitError where the server can't be asked.
    """
    ask_server("fetch", "--quiet", "--no-tags", "--prune", "origin", f"+{_place(execution)}/*:{_place(execution)}/*")
    found: Records = {}
    for line in git("for-each-ref", "--format=%(refname) %(parent)", _place(execution)).splitlines():
        ref, parent = line.split()
        if parent != commit:
            raise InputError(
                f"{ref} is a result of {parent[:10]}, not of {commit[:10]}; give each execution its own name"
            )
        found |= read_records(read_blob(f"{ref}:{DVC_LOCK}"))
    return found


def publish(execution: str, commit: str, stage: str, record: object) -> None:
    """Publish the record of a stage that ran at a commit, once its data are in the remote.

    Raises InputError where another attempt has published other results, and GitError where the push fails otherwise.
    """
    blob = write_blob(write_records({stage: record}).encode())
    tree = git("mktree", given=f"100644 blob {blob}\t{DVC_LOCK}\n")
    result = git("commit-tree", tree, "-p", commit, "-m", f"{stage}, {execution}", **IDENTITY)
    ref = f"{_place(execution)}/{_name(stage)}"
    try:
        ask_server("push", "--quiet", f"--force-with-lease={ref}:", "origin", f"{result}:{ref}")
    except GitError:
        other = published(execution, commit).get(stage)
        if other is None:
            raise
        if other != record:
            raise InputError(f"{stage}: another attempt of {execution} has published other results") from None


def forget(execution: str) -> None:
    """Remove what the stages of an execution have published. Raises GitError where the server refuses."""
    lines = ask_server("ls-remote", "--quiet", "origin", f"{_place(execution)}/*").splitlines()
    if refs := [line.split()[1] for line in lines]:
        ask_server("push", "--quiet", "origin", "--delete", *refs)


def _place(execution: str) -> str:
    """Where an execution publishes. Raises InputError for a name that is none, or that the registry has."""
    if execution in ("", "refused"):
        raise InputError(f"--execution is {execution!r}; give it another name, which no other execution has")
    return f"{REFS}/{_name(execution)}"


def _name(text: str) -> str:
    """A text as a part of a ref: none of what Git refuses there."""
    return quote(text, safe="@").replace(".", "%2E").replace("~", "%7E")
