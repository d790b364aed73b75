"""Find records of dvc.lock that no run made, by where in Git's history each record first appears.

Git's merge by lines makes one record out of two, and DVC calls the result up to date. A server's merge button reads no
.gitattributes, and an octopus merge calls no merge driver, so only the history tells: a run's record first appears in
the commit of a person or of a runner, never in a merge. What a server's button squashed may be such a merge too, or
not: where no commit that is known here has the record, nobody can tell.
"""

from functools import cache, reduce
from pathlib import Path
from typing import NamedTuple

from labkit.git_cli import GitError, git
from labkit.pipeline.records import DVC_LOCK, Records, merge_records, read_records, records_of, write_records
from labkit.process.errors import InputError
from labkit.process.files import replacing

SERVERS = ("noreply@github.com",)  # who commits when somebody presses GitHub's button


class Forged(NamedTuple):
    """A stage whose record no run made, the commit that brought it, and whether that is certain."""

    stage: str
    commit: str
    certain: bool

    def __str__(self) -> str:
        """What is wrong, for people."""
        if self.certain:
            return f"no run made its record: {self.commit[:10]} merged two records by lines"
        return f"{self.commit[:10]} was squashed by a server, and no commit that is known here has its record"


def forged_records(rev: str = "HEAD") -> list[Forged]:
    """The stages of `rev` whose records no run made. A repository without commits or dvc.lock has none.

    In a shallow clone, what its first commits brought is taken as it is. Raises InputError for a broken dvc.lock.
    """
    parents = _history(rev)
    if not parents:
        return []
    found = _origins(next(iter(parents)), parents).items()
    merged = [Forged(stage, commit, True) for stage, commit in found if len(parents[commit]) > 1]
    squashed = [
        (stage, commit) for stage, commit in found if len(parents[commit]) == 1 and _committer(commit) in SERVERS
    ]
    return merged + [Forged(stage, commit, False) for stage, commit in squashed if not _is_known(stage, commit)]


def forged_here() -> list[Forged]:
    """Those of HEAD that dvc.lock in the working folder still holds: a new run's record replaces a forged one."""
    if not (found := forged_records()):
        return []
    lock = Path(DVC_LOCK)
    now = read_records(lock.read_text(encoding="utf-8")) if lock.exists() else {}
    committed = _records(git("rev-parse", "HEAD"))
    return [one for one in found if now.get(one.stage) == committed.get(one.stage)]


def mend() -> list[Forged]:
    """Commit a dvc.lock in which each forged record is the whole record of the side that changed it; return which.

    Raises InputError when dvc.lock has changes that are not committed.
    """
    found = [one for one in forged_records() if one.certain]
    if not found:
        return []
    if git("status", "--porcelain", "--", DVC_LOCK):
        raise InputError(f"{DVC_LOCK} has changes that are not committed: commit it, or `git checkout {DVC_LOCK}`")
    whole = {one.stage: _merged_by_stage(one.commit).get(one.stage) for one in found}
    committed = _records(git("rev-parse", "HEAD"))
    records = {stage: kept for stage, record in committed.items() if (kept := whole.get(stage, record))}
    with replacing(DVC_LOCK) as beside:
        beside.write_text(write_records(records), encoding="utf-8")
    stages = ", ".join(one.stage for one in found)
    git("commit", "--quiet", "--no-verify", "--message", f"Take the records of {stages} whole", "--", DVC_LOCK)
    return found


def _history(rev: str) -> dict[str, list[str]]:
    """The commits that wrote dvc.lock, newest first, each with the nearest such commits before it."""
    try:
        lines = git("rev-list", "--topo-order", "--parents", rev, "--", DVC_LOCK).splitlines()
    except GitError:  # no repository, or no commit yet
        return {}
    return {commit: before for commit, *before in map(str.split, lines)}


def _origins(tip: str, parents: dict[str, list[str]]) -> dict[str, str]:
    """For each stage of the commit `tip`, the commit in which its record first appears."""
    wanted = _records(tip)
    origins: dict[str, str] = {}
    waiting = {tip: [*wanted]}
    for commit in parents:  # each after all that lead to it
        for stage in waiting.pop(commit, []):
            same = [before for before in parents[commit] if _records(before).get(stage) == wanted[stage]]
            if same:
                waiting.setdefault(same[0], []).append(stage)
            else:
                origins[stage] = commit
    return origins


def _merged_by_stage(commit: str) -> Records:
    """The records of a commit's parents, merged as labkit/publish/merge_driver.py merges them."""
    first, *others = git("log", "-1", "--format=%P", commit).split()

    def merge(ours: Records, other: str) -> Records:
        return merge_records(_records(git("merge-base", first, other)), ours, _records(other))

    return reduce(merge, others, _records(first))


def _committer(commit: str) -> str:
    return git("log", "-1", "--format=%ce", commit)


def _is_known(stage: str, commit: str) -> bool:
    """Whether a commit that is known here, and that no server made, has this very record."""
    wanted = _records(commit)[stage]
    known = (line.split() for line in git("log", "--all", "--format=%H %ce", "--", DVC_LOCK).splitlines())
    return any(who not in SERVERS and _records(other).get(stage) == wanted for other, who in known)


@cache
def _records(commit: str) -> Records:
    """The records of a commit, by its full hash."""
    try:
        return read_records(records_of(commit))
    except InputError:
        raise InputError(f"{DVC_LOCK} of {commit[:10]} can't be read; commit one that `dvc repro` wrote") from None
