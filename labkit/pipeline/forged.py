"""Find records of dvc.lock that no run made, in Git's history.

Git's merge by lines makes one record out of two, and DVC calls the result up to date. A server's merge button reads no
.gitattributes, and an octopus merge calls no merge driver, so only the history tells. In a merge, a record that is no
parent's, and has no value that a parent has not, was merged by lines: a run of merged code brings a new value, unless
its outputs came out as before. A commit that was rebased, cherry-picked or mailed is a merge of its parent and of the
commit that it copies; GitHub's squash is one of a whole branch. They are seen where those commits are still known here.

Where they are not, and for squashes and reverts by other means, no rule is sound: a run whose outputs came out as
before writes the very bytes that a merge by lines does.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from functools import cache, reduce
from itertools import permutations
from pathlib import Path
from typing import Any, NamedTuple

from labkit.git_cli import GitError, commit_or_none, git, is_shallow
from labkit.pipeline.records import DVC_LOCK, Records, merge_records, read_records, records_of, write_records
from labkit.process.errors import InputError
from labkit.process.files import replacing

SERVERS = ("noreply@github.com",)  # who commits when somebody presses GitHub's button
WHOLE = "`git fetch --unshallow`"  # or, of GitHub's checkout, `fetch-depth: 0`


class Forged(NamedTuple):
    """A stage whose record no run made, the commit that brought it, and whether that is certain."""

    stage: str
    commit: str
    certain: bool

    def __str__(self) -> str:
        """What is wrong, for people."""
        if self.certain:
            return (
                f"{self.commit[:10]} merged two records line by line into one that no run made, "
                "unless the merged code came out as before"
            )
        return f"{self.commit[:10]} was squashed by a server, and no commit in this clone has its record"


def forged_records(rev: str = "HEAD") -> list[Forged]:
    """The stages of `rev` whose records no run made. A repository without commits or dvc.lock has none.

    A shallow clone tells only of the merges that it has. Raises InputError for a broken dvc.lock.
    """
    if (commit := commit_or_none(rev)) is None:
        return []
    try:
        now = _parsed(_text(commit))
    except InputError:
        raise InputError(f"{DVC_LOCK} of {commit[:10]} can't be read; commit one that `dvc repro` wrote") from None
    found = {
        stage: Forged(stage, commit, certain) for stage, commit, certain in [*_squashed(rev, now), *_merged(rev, now)]
    }
    return [found[stage] for stage in now if stage in found]


def refuse_shallow() -> None:
    """Raise InputError in a shallow clone: a merge whose parents are not here can't be told from a run's commit."""
    if is_shallow():
        raise InputError(f"this clone is shallow, and where the records of {DVC_LOCK} come from is not here: {WHOLE}")


def forged_anywhere() -> set[tuple[str, str]]:
    """The stages whose records the merges and copies of all branches made by lines, each after the commit."""
    return {
        (commit, stage)
        for commit, sources in [*_copies("--all"), *_merges("--all")]
        for stage, record in _records(commit).items()
        if is_of_lines(record, _of_stage(stage, record, sources)) and not _is_elsewhere(stage, commit)
    }


def forged_here() -> list[Forged]:
    """Those of HEAD that dvc.lock in the working folder still holds: a new run's record replaces a forged one."""
    if not (found := forged_records()):
        return []
    lock = Path(DVC_LOCK)
    now = read_records(lock.read_bytes()) if lock.exists() else {}
    committed = _records(git("rev-parse", "HEAD"))
    return [one for one in found if now.get(one.stage) == committed.get(one.stage)]


def mend() -> list[Forged]:
    """Commit a dvc.lock in which each forged record is the whole record of the side that changed it; return which.

    Raises InputError when dvc.lock has changes that are not committed.
    """
    found = [one for one in forged_records() if one.certain]
    if not found:
        return []
    if Path(git("rev-parse", "--git-path", "MERGE_HEAD")).exists():
        raise InputError("a merge is under way: first `git merge --continue`, or `git merge --abort`")
    if git("status", "--porcelain", "--", DVC_LOCK):
        raise InputError(f"{DVC_LOCK} has changes that are not committed: commit it, or `git checkout {DVC_LOCK}`")
    whole = {one.stage: _merged_by_stage(one.commit).get(one.stage) for one in found}
    committed = _records(git("rev-parse", "HEAD"))
    records = {stage: kept for stage, record in committed.items() if (kept := whole.get(stage, record))}
    with replacing(DVC_LOCK) as beside:
        beside.write_text(write_records(records), encoding="utf-8")
    title = f"Take the records of {', '.join(one.stage for one in found)} whole"
    trailers = "\n".join(f"Mended: {one.stage} {one.commit}" for one in found)
    git("commit", "--quiet", "--no-verify", "--message", title, "--message", trailers, "--", DVC_LOCK)
    return found


def _merged(rev: str, now: Records) -> Iterator[tuple[str, str, bool]]:
    """Stages whose records a commit of `rev`'s history made, by lines, and no commit without that one has."""
    mended = _mended(rev)
    for stage, commit in _by_lines(rev, now):
        if (stage, commit) not in mended and not _is_elsewhere(stage, commit):
            yield stage, commit, True


def _by_lines(rev: str, now: Records) -> Iterator[tuple[str, str]]:
    """The stages of `now` whose records merges and copies in `rev`'s history made by lines, each with the commit."""
    for commit, sources in [*_copies(rev), *_merges(rev)]:
        for stage, record in _records_as_in(commit, now).items():
            if is_of_lines(record, _of_stage(stage, record, sources)):
                yield stage, commit


def _of_stage(stage: str, record: Any, commits: Iterable[str]) -> list[Any]:
    """The records of a stage in commits, also where one calls it otherwise: no two stages have the same outputs."""
    found = []
    for records in map(_records, commits):
        same = [other for other in records.values() if _outputs(other) == _outputs(record) != []]
        found += [records[stage]] if stage in records else same
    return found


def _outputs(record: Any) -> list[str]:
    return sorted(str(out["path"]) for out in record.get("outs", []))


def _mended(rev: str) -> set[tuple[str, str]]:
    """What `mend` mended in `rev`'s history. From then on, the same record is a run's: its outputs came out as before.

    A commit that says so and left the record as it was has mended nothing.
    """
    told = git("log", "--grep=^Mended: ", "--format=%x00%H%n%(trailers:key=Mended,valueonly)", rev)
    found = set()
    for commit, *lines in (entry.split("\n") for entry in told.split("\0")[1:]):
        for stage, _, forger in (line.rpartition(" ") for line in lines if line):
            before = [_records(parent).get(stage) for parent in _parents(commit)]
            if _records(commit).get(stage) not in before:
                found.add((stage, forger))
    return found


def _merges(rev: str) -> Iterator[tuple[str, list[str]]]:
    """The merges in `rev`'s history whose dvc.lock is not a parent's, each with its parents."""
    # Combined, the log shows just those.
    shown = git("log", "--merges", "--full-history", "-c", "--raw", "--format=%H", rev, "--", DVC_LOCK)
    for commit in (line for line in shown.splitlines() if line and not line.startswith(":")):
        yield commit, _parents(commit)


def _copies(rev: str) -> Iterator[tuple[str, list[str]]]:
    """The commits in `rev`'s history that copy one known here, each with its parent and the other."""
    of_one_parent = ("log", "--no-merges", "--full-history", "--format=%H %ct %ae %at %s")
    here = set(git(*of_one_parent, rev, "--", DVC_LOCK).splitlines())
    alike = defaultdict(list)  # Git copies a commit's author, with the second, and its subject
    for line in here.union(git(*of_one_parent, "--all", "--", DVC_LOCK).splitlines()):
        commit, committed, author = line.split(" ", 2)
        alike[author].append((int(committed), commit, line in here))
    for commits in alike.values():
        for (before, original, _), (after, copy, is_here) in permutations(commits, 2):
            # On the same parent, it is not a copy but amended.
            if is_here and before < after and _parents(copy) != _parents(original):
                yield copy, [*_parents(copy), original]


def _squashed(rev: str, now: Records) -> Iterator[tuple[str, str, bool]]:
    """Stages whose records a server's squash may have made by lines of records that are known here."""
    of_servers = [f"--committer={server}" for server in SERVERS]
    squashes = git("log", "--no-merges", "--full-history", *of_servers, "--format=%H", rev, "--", DVC_LOCK).split()
    for commit in squashes:
        if not (still := _records_as_in(commit, now)):
            continue
        before = [_records(parent) for parent in _parents(commit)]
        for stage, record in still.items():
            known = [*(records[stage] for records in before if stage in records), *_recorded(stage, without=commit)]
            if is_of_lines(record, known):
                yield stage, commit, False


def _records_as_in(commit: str, now: Records) -> Records:
    """The records of a commit that are the same in `now`. Most are not, which a look at the text tells.

    To read a dvc.lock takes thirty times as long as to get its text.
    """
    if not any(_may_hold(commit, record) for record in now.values()):
        return {}
    return {stage: record for stage, record in _records(commit).items() if now.get(stage) == record}


def _may_hold(commit: str, record: Any) -> bool:
    """Whether dvc.lock's text in a commit has each md5 of a record, without which the record is not in it."""
    return all(md5 in _text(commit) for md5 in re.findall(r"'md5': '(\w+)", str(record)))


def is_of_lines(record: Any, others: Iterable[Any]) -> bool:
    """Whether a record is none of the others, and yet has no value that one of them has not in such a place."""
    records = [*others]
    return (
        len(records) > 1
        and record not in records
        and set(_values(record)) <= {value for other in records for value in _values(other)}
    )


def _values(part: Any, place: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], str]]:
    """Each value of a record with its place. A list of files is one place: lines give one's new name another's md5."""
    if isinstance(part, dict):
        for key, value in part.items():
            yield from _values(value, (*place, str(key)))
    elif isinstance(part, list) and all(isinstance(item, dict) and "path" in item for item in part):
        for item in part:
            yield from _values(item, place)
    else:
        yield place, repr(part)


def _is_elsewhere(stage: str, merge: str) -> bool:
    """Whether a commit has the very record of `merge` and builds on none that made it by lines: then a run did."""
    wanted = _records(merge)[stage]
    by_lines = {merge, *(commit for _, commit in _by_lines("--all", {stage: wanted}))}
    return any(
        _may_hold(commit, wanted)
        and _records(commit).get(stage) == wanted
        and not any(_base(made, commit) == made for made in by_lines)
        for commit in _all_commits()
    )


def _recorded(stage: str, without: str) -> Iterator[Any]:
    """The stage's records in the commits that are known here and do not build on `without`; none of a server's."""
    for commit in _all_commits():
        if stage in _records(commit) and _base(without, commit) != without and _committer(commit) not in SERVERS:
            yield _records(commit)[stage]


def _all_commits() -> list[str]:
    """The commits of all branches and tags that wrote dvc.lock."""
    return git("log", "--all", "--full-history", "--format=%H", "--", DVC_LOCK).split()


def _merged_by_stage(commit: str) -> Records:
    """The records of a commit's parents, merged as labkit/publish/merge_driver.py merges them."""
    first, *others = _parents(commit)

    def merge(ours: Records, other: str) -> Records:
        base = _base(first, other)
        return merge_records(_records(base) if base else {}, ours, _records(other))

    return reduce(merge, others, _records(first))


def _parents(commit: str) -> list[str]:
    return git("log", "-1", "--format=%P", commit).split()


def _base(one: str, other: str) -> str:
    """Where two commits have parted; empty where they have no commit in common."""
    try:
        return git("merge-base", one, other)
    except GitError:
        return ""


def _committer(commit: str) -> str:
    return git("log", "-1", "--format=%ce", commit)


@cache
def _text(commit: str) -> str:
    """The text of dvc.lock in a commit, by its full hash."""
    return records_of(commit)


@cache
def _parsed(text: str) -> Records:
    return read_records(text)  # many commits have the same


def _records(commit: str) -> Records:
    """The records of a commit, by its full hash. One that can't be read, as with a conflict's marks, tells nothing."""
    try:
        return _parsed(_text(commit))
    except InputError:
        return {}
