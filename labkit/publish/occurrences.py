"""The results of a lab: each record of dvc.lock once, by its content, with the commits that brought it."""

import re
import sys
from collections.abc import Iterator, Sequence
from contextlib import suppress
from hashlib import md5
from json import dumps
from pathlib import Path
from typing import Any, NamedTuple

from labkit.git_cli import commit_or_none, git, git_or_empty, read_blobs
from labkit.paths import TABLES
from labkit.pipeline.forged import Forged, forged_anywhere, forged_here, forged_records
from labkit.pipeline.records import DVC_LOCK, commit_of, read_records, records_of, write_records
from labkit.process.errors import InputError

STAGE = re.compile(r"^  (?! )(.+):\n((?:    .*\n|  - .*\n)+)", re.M)  # as DVC writes it
HEADER = re.compile(r"schema: '2\.0'\nstages:\n|stages:\n")
TRAILERS = ("Code-Commit", "Tag", "Run", "Execution", "Ran", "Machine")  # of labkit/publish/message.py
RESULTS = (DVC_LOCK, ".gitignore")  # with the tables, what a run writes for Git


class Commit(NamedTuple):
    """A commit that changed dvc.lock: its parents, its time in seconds, the commit of the code that ran.

    `told` is what the trailers of a runner's commit say of the run, `subject` its first line.
    """

    name: str
    parents: list[str]
    time: int
    code: str
    told: dict[str, str]
    subject: str

    def execution(self, stage: str) -> str:
        """The pipeline execution that ran a stage, as the commit tells; empty where none did."""
        ran = [line.partition(" (")[0] for line in self.told.get("Ran", "").split("\n")]
        return self.told.get("Execution", "") if stage in ran else ""


class Result(NamedTuple):
    """What a stage came to: its record, and the commits that brought it, oldest first; none where none has it yet."""

    key: str  # the md5 of the record
    stage: str
    record: dict[str, Any]
    before: dict[str, Any]  # the record in whose place the first of these commits put it
    commits: list[Commit]


def key_of(record: Any) -> str:
    """The md5 of a record: by its content, whatever the order of its keys."""
    return md5(dumps(record, sort_keys=True, default=str).encode(), usedforsecurity=False).hexdigest()


def results_of(revision: str) -> list[Result]:
    """The results of a revision, in the order of its dvc.lock, but for records that a merge forged.

    Raises InputError where there is no such commit, or its dvc.lock can't be read.
    """
    commit = commit_of(revision)
    return _wanted(blocks(records_of(commit).encode()), commit, forged_records(commit))


def results_here() -> list[Result]:
    """Those of the dvc.lock in the working folder, which may be in no commit yet."""
    lock = Path(DVC_LOCK)
    return _wanted(blocks(lock.read_bytes()) if lock.exists() else {}, "HEAD", forged_here())


def all_results() -> list[Result]:
    """Those of every commit of all branches, of the remote's too; the oldest first."""
    found: dict[str, Result] = {}
    for commit, stage, block, before in all_blocks():
        try:
            _add(found, stage, block, before, commit)
        except InputError:
            tell_unreadable(commit, stage)
    return list(found.values())


def tell_unreadable(commit: Commit, stage: str) -> None:
    """Say that a commit's record is left out: of whatever branch, it hides no other."""
    print(f"{DVC_LOCK} of {commit.name[:10]}: the record of {stage} can't be read, and is left out", file=sys.stderr)


def all_blocks(*more: str) -> Iterator[tuple[Commit, str, str, str]]:
    """Each record that a commit of a branch, or of `more` revisions, brought: the commit, stage, text, text before.

    The oldest first; without records that a merge forged. To parse all texts takes long.
    """
    forged = forged_anywhere()
    for commit, stage, block, before in _brought([*everywhere(), *more]):
        if (commit.name, stage) not in forged:
            yield commit, stage, block, before


def commits_with_results() -> dict[str, tuple[Commit, list[str]]]:
    """The commits of all branches that brought results, the oldest first, each with its stages that a merge forged."""
    forged = forged_anywhere()
    found: dict[str, tuple[Commit, list[str]]] = {}
    for commit, stage, *_ in _brought(everywhere()):
        found.setdefault(commit.name, (commit, []))[1].extend([stage] * ((commit.name, stage) in forged))
    return found


def everywhere() -> list[str]:
    """All branches, the remote's too, as Git's options; nothing before the first commit."""
    if not git_or_empty("rev-list", "--max-count=1", "--all"):
        return []
    head = ["HEAD"] if commit_or_none() else []
    return ["--branches", "--remotes", *head]


def _wanted(here: dict[str, str], revision: str, forged: Sequence[Forged]) -> list[Result]:
    """The records that are blocks of text by their stages, with the commits of a history that brought them."""
    no_results = {one.stage for one in forged if one.certain}
    wanted = {stage: block for stage, block in here.items() if stage not in no_results}
    brought = list(_brought_of(wanted, revision))
    found: dict[str, Result] = {}
    for stage, block in wanted.items():
        for commit, before in [(commit, before) for commit, its, before in brought if its == stage]:
            _add(found, stage, block, before, commit)
        _add(found, stage, block, "", None)
    return list(found.values())


def _brought_of(wanted: dict[str, str], revision: str) -> Iterator[tuple[Commit, str, str]]:
    """The commits that brought these records, as far as they are in one, with the stage and the record before."""
    if not commit_or_none(revision):
        return
    committed = wanted.items() & blocks(records_of(revision).encode()).items()
    for most in (["--max-count=200"], []):  # most are of late
        brought = [one for one in _brought([*most, revision]) if (one[1], one[2]) in committed]
        if len({stage for _, stage, _, _ in brought}) == len(committed):
            break
    yield from ((commit, stage, before) for commit, stage, _, before in brought)


def _add(found: dict[str, Result], stage: str, block: str, before: str, commit: Commit | None) -> None:
    record, earlier = record_of(stage, block), {}
    key = key_of(record)
    with suppress(InputError):
        earlier = record_of(stage, before)
    result = found.setdefault(key, Result(key, stage, record, earlier, []))
    if commit:
        result.commits.append(commit)


def _brought(revisions: Sequence[str]) -> Iterator[tuple[Commit, str, str, str]]:
    """Each commit in the history of the revisions with a record that none of its parents has; and the one before."""
    commits = _commits(revisions) if revisions else []
    names = dict.fromkeys(name for commit in commits for name in (commit.name, *commit.parents))
    locks = dict(zip(names, locks_of(list(names)), strict=True))
    for commit in commits:
        parents = [locks[parent] for parent in commit.parents]
        for stage, block in locks[commit.name].items():
            if all(block != parent.get(stage) for parent in parents):
                yield commit, stage, block, next((parent.get(stage, "") for parent in parents), "")


def _commits(revisions: Sequence[str]) -> list[Commit]:
    """The commits that changed dvc.lock, the oldest first."""
    trailers = "%x01".join(f"%(trailers:key={key},valueonly,separator=%x0A)" for key in TRAILERS)
    shape = f"%x00%H%x01%P%x01%ct%x01{trailers}%x01%s%x01"
    command = ("log", "--full-history", "--topo-order", "--reverse", "--full-diff", "--name-only", f"--format={shape}")
    found = []
    for entry in git(*command, *revisions, "--", DVC_LOCK).split("\0")[1:]:
        name, parents, time, *values, said = entry.split("\x01", 3 + len(TRAILERS))
        subject, _, files = said.rpartition("\x01")
        told = {key: value for key, value in zip(TRAILERS, values, strict=True) if value}
        changed = [file for file in files.split("\n") if file]
        results = all(file.startswith(f"{TABLES}/") or file.endswith(RESULTS) for file in changed)
        code = parents if changed and results and parents else name  # a commit of results alone is of its parent's code
        found.append(Commit(name, parents.split(), int(time), told.get("Code-Commit", code), told, subject))
    return found


def locks_of(commits: Sequence[str]) -> list[dict[str, str]]:
    """The records' texts by stage in the dvc.lock of each commit; none where it can't be read."""
    known: dict[bytes, dict[str, str]] = {}
    found = []
    for name, text in zip(commits, read_blobs([f"{commit}:./{DVC_LOCK}" for commit in commits]), strict=True):
        if text not in known:
            try:
                known[text or b""] = blocks(text or b"")
            except InputError:  # of long ago: it hides no other
                known[text or b""] = {}
                print(f"{DVC_LOCK} of {name[:10]} can't be read, and is left out", file=sys.stderr)
        found.append(known[text or b""])
    return found


def blocks(text: bytes) -> dict[str, str]:
    """The text of each stage's record as DVC writes it: to compare texts costs nothing, to parse them 10 ms each.

    Raises InputError when it is no dvc.lock.
    """
    told = text.decode(errors="replace")
    header = HEADER.match(told)
    found = STAGE.findall(told[header.end() :]) if header else []
    if not header or header[0] + "".join(f"  {stage}:\n{block}" for stage, block in found) != told:
        records = read_records(text)  # as a person or an older DVC has written it
        return {stage: blocks(write_records({stage: record}).encode())[stage] for stage, record in records.items()}
    return {stage.strip("'\""): block for stage, block in found}


def record_of(stage: str, block: str) -> dict[str, Any]:
    """The record in a text; nothing in an empty one."""
    return dict(read_records(f"stages:\n  {stage!r}:\n{block}")[stage]) if block else {}
