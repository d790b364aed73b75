"""The files that a record names, in its inputs and outputs: their hashes, and where their bytes are."""

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

from labkit.dvc_adapter.folders import files_cached
from labkit.dvc_adapter.repository import Project
from labkit.dvc_adapter.storage import cached_file
from labkit.process.tracking import md5_of

CODE = ("lab/", "labkit/", "lib/")
MOST_FILES = 10_000  # of a folder whose list is asked for
MOST_BYTES = 50_000_000  # of a whole output: a larger one stays where DVC has it, and a run's tags name it
FOLDER = ".dir"  # how DVC's hash of a folder ends

Hashes = dict[str, str]  # DVC's, by path


class Kept:
    """The files of a record. Those of a folder are known once its list is in DVC's cache."""

    def __init__(self, project: Project, record: dict[str, Any]) -> None:
        self.outs = _hashes(record, "outs")
        self.deps = _hashes(record, "deps")
        self.unreadable: list[str] = []  # files that are not what their names say
        self._project = project
        self._large = _those(record, "size", MOST_BYTES)
        self._full = _those(record, "nfiles", MOST_FILES)
        self._lists: dict[str, Hashes] = {}  # by the hash of the folder

    def data(self) -> Hashes:
        """The inputs that are no code."""
        return {path: md5 for path, md5 in self.deps.items() if not path.startswith(CODE)}

    def lists(self) -> set[str]:
        """The hashes of the lists of the outputs' files, and of the data's, but for folders of very many."""
        folders = (self.outs | self.data()).items()
        return {md5 for path, md5 in folders if md5.endswith(FOLDER) and path not in self._full}

    def files(self, pattern: str) -> Iterator[tuple[str, str, dict[str, str]]]:
        """The files that a pattern names, as far as they are known: path, hash, and what `{name}` stands for.

        `*` stands for a part of a path; a folder stands for the files in it.
        """
        shape = _shape(pattern)
        for path, md5 in self._holders(pattern).items():
            for file, known in self._files_of(path, md5).items():
                if found := shape.fullmatch(file):
                    yield file, known, found.groupdict()

    def hashes(self, patterns: list[str]) -> set[str]:
        """What the cache needs for the files that patterns name: their hashes, and those of the lists of folders."""
        lists = {md5 for pattern in patterns for md5 in self._holders(pattern).values() if md5.endswith(FOLDER)}
        return lists | {md5 for pattern in patterns for _, md5, _ in self.files(pattern)}

    def lacking(self, patterns: list[str]) -> list[str]:
        """What can't be had of the files that patterns name: paths, of folders too whose lists are not here."""
        holders = {path: md5 for pattern in patterns for path, md5 in self._holders(pattern).items()}
        lists = {path: md5 for path, md5 in holders.items() if md5.endswith(FOLDER)}
        unlisted = [path for path, md5 in lists.items() if cached_file(self._project, md5) is None]
        files = {file: md5 for pattern in patterns for file, md5, _ in self.files(pattern)}
        return unlisted + [file for file, md5 in files.items() if self.place(file, md5) is None]

    def named(self, target: str) -> set[str]:
        """The hashes of the outputs' files whose paths end so, as far as they are known."""
        files = {file: known for path, md5 in self.outs.items() for file, known in self._files_of(path, md5).items()}
        return {md5 for file, md5 in files.items() if f"/{file}".endswith(f"/{target}")}

    def place(self, path: str, md5: str) -> Path | None:
        """Where the bytes of a file are: in the cache, or in its place, if they are as recorded; None where nowhere."""
        if (cached := cached_file(self._project, md5)) is not None:
            return cached
        here = Path(path).absolute()
        return here if here.is_file() and md5_of(here) == md5 else None

    def _holders(self, pattern: str) -> Hashes:
        """The inputs and outputs that are, lie in or hold what a pattern names; no large one as a whole."""
        return {
            path: md5
            for path, md5 in (self.deps | self.outs).items()
            if _may_hold(path, pattern) and not (path in self._large and pattern.count("/") <= path.count("/"))
        }

    def _files_of(self, path: str, md5: str) -> Hashes:
        """The files of an input or output; none of a folder whose list is not here yet."""
        if not md5.endswith(FOLDER):
            return {path: md5}
        if not self._lists.get(md5):
            self._lists[md5] = files_cached(self._project, md5) or {}
        return {f"{path}/{file}": known for file, known in self._lists[md5].items()}


def _hashes(record: dict[str, Any], kind: str) -> Hashes:
    """The hashes by path; what has another than an md5 is nothing that DVC's cache keeps."""
    return {str(one["path"]): str(one["md5"]) for one in record.get(kind, []) if one.get("md5")}


def _those(record: dict[str, Any], key: str, most: int) -> set[str]:
    """The paths of the inputs and outputs with more than that."""
    files = [*record.get("deps", []), *record.get("outs", [])]
    return {str(one["path"]) for one in files if int(one.get(key) or 0) > most}


@cache
def _shape(pattern: str) -> re.Pattern[str]:
    """What a pattern stands for, as a regular expression; `*` and `{name}` stand for a part of a path."""
    told = re.escape(pattern).replace(r"\*", "[^/]*")
    for name in dict.fromkeys(re.findall(r"\\\{([a-z]+)\\\}", told)):  # the same one stands for the same
        first, *others = told.split(rf"\{{{name}\}}")
        told = f"{first}(?P<{name}>[^/]+?)" + f"(?P={name})".join(others)
    return re.compile(f"{told}(?:/.*)?")


def _may_hold(path: str, pattern: str) -> bool:
    """Whether an input or output is, lies in or holds what a pattern names."""
    return all(_shape(one).fullmatch(part) for one, part in zip(pattern.split("/"), path.split("/"), strict=False))
