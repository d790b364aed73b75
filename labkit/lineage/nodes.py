"""The nodes of the graph: files, the results that read and wrote them, versions and promotions."""

import re
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import PurePosixPath
from typing import Any, TypeAlias

import networkx

from labkit.dvc_adapter.lock_text import is_record
from labkit.dvc_adapter.written_yaml import parse_written
from labkit.paths import CODE
from labkit.pipeline.records import DVC_LOCK
from labkit.process.errors import InputError

HASHES = ("md5", "etag", "checksum")  # the last two of what lies elsewhere
# A line whose quotes end in it: the text of a value that goes on may look like a list of outputs.
ENDED = re.compile(r"""[^"']*(?:"(?:[^"\\]|\\.)*"|'(?:[^']|'')*')?""")
PLAIN = re.compile(r"    - path: [\w./][\w./:+@-]*\n(?:      \w+: [\w.]+\n)*")  # a file as DVC writes most


@dataclass(frozen=True)
class File:
    """A file or folder by its path and DVC's hash."""

    path: str
    md5: str

    @property
    def is_code(self) -> bool:
        """Whether it is code, rather than data."""
        return self.path.startswith(CODE)


@dataclass(frozen=True)
class Made:
    """A result of a stage: its record as dvc.lock has it. In the graph it has its `commits` and the text `before`."""

    stage: str
    text: str

    @property
    def record(self) -> dict[str, Any]:
        """The record: what was read, with which parameters, and what was written."""
        return parsed(self.text)

    def files(self, kind: str) -> list[File]:
        """The files that it read (`deps`) or wrote (`outs`), as far as DVC has a hash of them."""
        return files_in(self.text, kind)


@dataclass(frozen=True)
class Registered:
    """A registered version of a model. In the graph it has its `tag`."""

    name: str


@dataclass(frozen=True)
class Promotion:
    """A step of a champion's history. In the graph it has its `tag`."""

    name: str


@dataclass(frozen=True)
class Judged:
    """A goal that a result was judged by. In the graph it has its `verdict`."""

    goal: str
    file: File


@dataclass(frozen=True)
class Added:
    """A .dvc file, which `dvc add` or an import wrote, as it was once. In the graph it has its `addition`."""

    path: str
    text: str


Node = File | Made | Registered | Promotion | Judged | Added
Graph: TypeAlias = networkx.DiGraph


@cache
def parsed(text: str) -> dict[str, Any]:
    """The record in a text of dvc.lock or of a .dvc file; nothing in one that is none: it may be of any branch."""
    with suppress(InputError):
        found = parse_written(text, DVC_LOCK)
        return found if is_record(found) else {}
    return {}


def entries_of(record: dict[str, Any], kind: str) -> list[dict[str, Any]]:
    """What a record lists as `deps` or `outs`."""
    found = record.get(kind)
    return [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []


@cache
def files_in(text: str, kind: str) -> list[File]:
    """The files of a text of dvc.lock, read by its lines: to parse ten thousand records takes half a minute."""
    section = re.search(rf"^    {kind}:\n((?:    [- ] .*\n)*)", text, re.M)
    lines = section[1] if section else ""
    entries = PLAIN.findall(lines)
    if sum(map(len, entries)) == len(lines) and all(map(ENDED.fullmatch, text.split("\n"))):
        told: list[Any] = [dict(line[6:].split(": ", 1) for line in entry.splitlines()) for entry in entries]
    else:  # a name in quotes, say
        told = entries_of(parsed(text), kind)
    hashed = [(one.get("path"), next((one[key] for key in HASHES if one.get(key)), None)) for one in told]
    return [File(str(path), str(name)) for path, name in hashed if path and name]


class Outs:
    """What the results of a dvc.lock wrote."""

    def __init__(self, lock: Iterable[Made]) -> None:
        self._by_path = {out.path: (out, made) for made in lock for out in made.files("outs")}
        self._within: dict[str, list[tuple[File, Made]]] = {}
        for path, one in self._by_path.items():
            for folder in _places(path)[1:]:
                self._within.setdefault(folder, []).append(one)

    def overlapping(self, path: str) -> list[tuple[File, Made]]:
        """The files that a path is, lies in or holds, and the results that wrote them."""
        around = [self._by_path[place] for place in _places(path) if place in self._by_path]
        return around + self._within.get(path, [])


@cache
def _places(path: str) -> tuple[str, ...]:
    """A path, and the folders that it is in."""
    return path, *(str(folder) for folder in PurePosixPath(path).parents)
