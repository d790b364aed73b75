"""The files that a record names, in its inputs and outputs: their hashes, and where their bytes are."""

from pathlib import Path
from typing import Any

from labkit.dvc_adapter.folders import files_cached
from labkit.dvc_adapter.repository import Project
from labkit.dvc_adapter.storage import cached_file
from labkit.paths import CODE
from labkit.process.run_file import run_file_in
from labkit.process.tracking import md5_of

MOST_FILES = 10_000  # of a folder whose list is asked for
FOLDER = ".dir"  # how DVC's hash of a folder ends

Hashes = dict[str, str]  # DVC's, by path


class Kept:
    """The files of a record. Those of a folder are known once its list is in DVC's cache."""

    def __init__(self, project: Project, record: dict[str, Any]) -> None:
        self.outs = _hashes(record, "outs")
        self.deps = _hashes(record, "deps")
        self.run_file = run_file_in([*self.outs])
        self._project = project
        self._full = {str(one["path"]) for one in record.get("outs", []) if int(one.get("nfiles") or 0) > MOST_FILES}
        self._lists: dict[str, Hashes] = {}  # by the hash of the folder

    def data(self) -> Hashes:
        """The inputs that are no code."""
        return {path: md5 for path, md5 in self.deps.items() if not path.startswith(CODE)}

    def first(self) -> set[str]:
        """The hashes of what tells which other files a run has: run.json, or the lists of the outputs' files."""
        lists = {md5 for path, md5 in self.outs.items() if md5.endswith(FOLDER) and path not in self._full}
        return {self.outs[self.run_file]} if self.run_file else lists

    def files(self, path: str) -> Hashes:
        """The files of an output; none of a folder whose list is not here."""
        md5 = self.outs.get(path, "")
        if not md5.endswith(FOLDER):
            return {path: md5} if md5 else {}
        if not self._lists.get(md5):
            self._lists[md5] = files_cached(self._project, md5) or {}
        return {f"{path}/{file}": known for file, known in self._lists[md5].items()}

    def named(self, target: str) -> set[str]:
        """The hashes of the outputs' files whose paths end so, as far as they are known."""
        files = {file: md5 for path in self.outs for file, md5 in self.files(path).items()}
        return {md5 for file, md5 in files.items() if f"/{file}".endswith(f"/{target}")}

    def place(self, path: str, md5: str) -> Path | None:
        """Where the bytes of a file are: in the cache, or in its place, if they are as recorded; None where nowhere."""
        if (cached := cached_file(self._project, md5)) is not None:
            return cached
        here = Path(path).absolute()
        return here if here.is_file() and md5_of(here) == md5 else None


def _hashes(record: dict[str, Any], kind: str) -> Hashes:
    """The hashes by path; DVC's cache keeps nothing whose hash is not an md5."""
    return {str(one["path"]): str(one["md5"]) for one in record.get(kind, []) if one.get("md5")}
