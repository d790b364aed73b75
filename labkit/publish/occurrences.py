"""The results of a lab: each record of dvc.lock once, by its content, with the commits that brought it."""

import re
import sys
from collections.abc import Iterator, Sequence
from hashlib import md5
from json import dumps
from pathlib import Path
from typing import Any, NamedTuple

from labkit.git_cli import git, git_or_empty, read_blobs
from labkit.paths import TABLES
from labkit.pipeline.forged import forged_anywhere
from labkit.pipeline.records import DVC_LOCK, commit_of, read_records, records_of, write_records
from labkit.process.errors import InputError

STAGE = re.compile(r"^  (?! )(.+):\n((?:    .*\n|  - .*\n)+)", re.M)  # as DVC writes it
HEADER = re.compile(r"schema: '2\.0'\nstages:\n|stages:\n")
TRAILERS = ("Code-Commit", "Tag", "Run", "Machine")  # of labkit/publish/message.py
RESULTS = (DVC_LOCK, ".gitignore")  # with the tables, what a run writes for Git
ALL_BRANCHES = ("--branches", "--remotes")


class Commit(NamedTuple):
    """A commit that changed dvc.lock: its parents, its time in seconds, the commit of the code that ran.

    `told` is what the trailers of a runner's commit say of the run.
    """

    name: str
    parents: list[str]
    time: int
    code: str
    told: dict[str, str]


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
    """The results of a revision, in the order of its dvc.lock.

    Raises InputError where there is no such commit, or its dvc.lock can't be read.
    """
    commit = commit_of(revision)
    return list(_results(blocks(records_of(commit).encode()), [commit]).values())


def results_here() -> list[Result]:
    """Those of the dvc.lock in the working folder, which may be in no commit yet."""
    lock = Path(DVC_LOCK)
    history = ["HEAD"] if git_or_empty("rev-parse", "--verify", "--quiet", "HEAD") else []
    return list(_results(blocks(lock.read_bytes()) if lock.exists() else {}, history).values())


def all_results() -> list[Result]:
    """Those of every commit of all branches, of the remote's too; the oldest first."""
    return list(_results(None, [*ALL_BRANCHES, *(["HEAD"] if git_or_empty("rev-parse", "HEAD") else [])]).values())


def _results(wanted: dict[str, str] | None, revisions: Sequence[str]) -> dict[str, Result]:
    """The wanted records, which are blocks of text by their stages, or all; by their keys."""
    forged = forged_anywhere() if revisions else set()
    found: dict[str, Result] = {}
    every = set(wanted.items()) if wanted is not None else None
    banned = set()
    for commit, stage, block, before in _brought(revisions) if revisions else ():
        if every is not None and (stage, block) not in every:
            continue
        if (commit.name, stage) in forged:
            banned.add((stage, block))
            continue
        record = _record(stage, block)
        one = found.setdefault(key_of(record), Result(key_of(record), stage, record, _record(stage, before), []))
        one.commits.append(commit)
    for stage, block in (wanted or {}).items():
        record = _record(stage, block)
        if (stage, block) not in banned:
            found.setdefault(key_of(record), Result(key_of(record), stage, record, {}, []))
    order = [key_of(_record(*one)) for one in (wanted or {}).items()]
    return {key: found[key] for key in order if key in found} if wanted is not None else found


def _brought(revisions: Sequence[str]) -> Iterator[tuple[Commit, str, str, str]]:
    """Each commit in the history of the revisions with a record that none of its parents has; and the one before."""
    commits = _commits(revisions)
    names = dict.fromkeys(name for commit in commits for name in (commit.name, *commit.parents))
    locks = dict(zip(names, _locks([f"{name}:./{DVC_LOCK}" for name in names]), strict=True))
    for commit in commits:
        parents = [locks[parent] for parent in commit.parents]
        for stage, block in locks[commit.name].items():
            if all(block != parent.get(stage) for parent in parents):
                yield commit, stage, block, next((parent.get(stage, "") for parent in parents), "")


def _commits(revisions: Sequence[str]) -> list[Commit]:
    """The commits that changed dvc.lock, the oldest first."""
    trailers = "%x01".join(f"%(trailers:key={key},valueonly,separator=%x0A)" for key in TRAILERS)
    shape = f"%x00%H%x01%P%x01%ct%x01{trailers}%x01"
    command = ("log", "--full-history", "--topo-order", "--reverse", "--full-diff", "--name-only", f"--format={shape}")
    found = []
    for entry in git(*command, *revisions, "--", DVC_LOCK).split("\0")[1:]:
        name, parents, time, *values, files = entry.split("\x01")
        told = {key: value for key, value in zip(TRAILERS, values, strict=True) if value}
        changed = [file for file in files.split("\n") if file]
        results = all(file.startswith(f"{TABLES}/") or file.endswith(RESULTS) for file in changed)
        code = parents if changed and results and parents else name  # a commit of results alone is of its parent's code
        found.append(Commit(name, parents.split(), int(time), told.get("Code-Commit", code), told))
    return found


def _locks(names: Sequence[str]) -> list[dict[str, str]]:
    known: dict[bytes, dict[str, str]] = {}
    found = []
    for name, text in zip(names, read_blobs(names), strict=True):
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


def _record(stage: str, block: str) -> dict[str, Any]:
    return dict(read_records(f"stages:\n  {stage!r}:\n{block}")[stage]) if block else {}
