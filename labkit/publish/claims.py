"""Whether the results in a commit are what its message claims: the same words are made again from the copies in Git."""

import hashlib
import re
from collections.abc import Iterator, Sequence
from contextlib import suppress
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

from labkit.dvc_adapter.folders import hash_of
from labkit.git_cli import read_blobs
from labkit.goals import GOALS_FILE, Goal, Verdict, parse_goals, verdicts
from labkit.paths import TABLES
from labkit.pipeline.dependencies import DVC_YAML, stages_in
from labkit.pipeline.leaderboard import Leaderboard, leaderboard_in
from labkit.pipeline.records import DVC_LOCK, read_records
from labkit.pipeline.tables import copies_of, tables_in
from labkit.process.errors import InputError
from labkit.process.strict_yaml import parse_yaml
from labkit.publish.message import claims

Claims = dict[str, str]


class _Asked(NamedTuple):
    """What a commit asked of its results: where the models are compared, the goals, and the files that tell both."""

    board: Leaderboard | None
    goals: list[Goal]

    @property
    def files(self) -> list[str]:
        return [*([str(self.board.selected)] if self.board else []), *(goal.file for goal in self.goals)]


def claims_of(commits: Sequence[str]) -> Iterator[Claims]:
    """What a message may claim of the results of each commit, by the trailers' names."""
    for asked, judged, folder in _results(commits):
        yield dict(claims(asked.board, judged, folder))


def verdicts_of(commits: Sequence[str]) -> Iterator[list[Verdict]]:
    """The goals of each commit, judged by its results."""
    yield from (judged for _, judged, _ in _results(commits))


def _results(commits: Sequence[str]) -> Iterator[tuple[_Asked, list[Verdict], Path]]:
    """What each commit asked of its results, its goals' verdicts, and a folder with the results, gone with the next.

    By the commit's own dvc.yaml and goals, and by copies of results that its dvc.lock records; Git alone is read.
    """
    names = (DVC_LOCK, str(DVC_YAML), str(GOALS_FILE))
    texts = read_blobs([f"{commit}:./{name}" for commit in commits for name in names])
    told = [(texts[place] or b"", _asked(*texts[place + 1 : place + 3])) for place in range(0, len(texts), len(names))]
    pairs = [(commit, file) for commit, (_, asked) in zip(commits, told, strict=True) for file in asked.files]
    copies = dict(zip(pairs, read_blobs([f"{commit}:./{TABLES}/{file}" for commit, file in pairs]), strict=True))
    for commit, (lock, asked) in zip(commits, told, strict=True):
        with TemporaryDirectory() as folder:
            for file in dict.fromkeys(asked.files):
                content = copies[commit, file]
                if content is not None and _is_recorded(commit, file, content, lock):
                    (Path(folder) / file).parent.mkdir(parents=True, exist_ok=True)
                    (Path(folder) / file).write_bytes(content)
            yield asked, verdicts(results=Path(folder), goals=asked.goals), Path(folder)


@cache  # most commits have those of the one before
def _asked(dvc_yaml: bytes | None, goals: bytes | None) -> _Asked:
    board: Leaderboard | None = None
    asked: list[Goal] = []
    with suppress(InputError):
        board = leaderboard_in(stages_in(parse_yaml(dvc_yaml or b"", DVC_YAML), DVC_YAML))
    with suppress(InputError):
        asked = parse_goals(goals or b"", str(GOALS_FILE))
    return _Asked(board, asked)


def _is_recorded(commit: str, file: str, content: bytes, lock: bytes) -> bool:
    """Whether dvc.lock records a copy as what it is of, or a folder that it is in."""
    if _has(lock, file, _md5(content)):
        return True
    for folder in list(Path(file).parents)[:-1]:
        if copies := copies_of(str(folder), tables_in(commit)):
            contents = read_blobs([f"{commit}:./{path}" for path in copies.values()])
            hashes = {below: _md5(text or b"") for below, text in zip(copies, contents, strict=True)}
            if _has(lock, str(folder), hash_of(hashes)):
                return True
    return False


def _has(lock: bytes, path: str, md5: str) -> bool:
    """Whether dvc.lock has the hash at the path: by its text, since parsing that takes thirty times as long."""
    entry = rf"^ *- path: {re.escape(path)}\n(?: +[^-\s].*\n)*? +md5: {re.escape(md5)}$"
    if re.search(entry.encode(), lock, re.MULTILINE):
        return True
    if md5.encode() not in lock:
        return False
    with suppress(InputError):  # a path that YAML writes otherwise
        outs = (out for record in read_records(lock).values() for out in record.get("outs", []))
        return any((out.get("path"), out.get("md5")) == (path, md5) for out in outs)
    return False


def _md5(content: bytes) -> str:
    return hashlib.md5(content, usedforsecurity=False).hexdigest()
