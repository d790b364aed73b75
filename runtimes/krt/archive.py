"""The archive itself: a gzip tar that has the same bytes whenever it holds the same files."""

import gzip
import io
import tarfile
from collections.abc import Mapping
from pathlib import Path, PurePosixPath

from labkit.process.files import replacing


def folder_files(folder: Path, below: str) -> dict[str, bytes]:
    """The files of a folder, by the path that they get in the archive."""
    return {
        f"{below}/{file.relative_to(folder).as_posix()}": file.read_bytes()
        for file in folder.rglob("*")
        if file.is_file() and "__pycache__" not in file.parts
    }


def write_archive(path: Path, files: Mapping[str, bytes]) -> None:
    """Write `files` to a .krt. Every folder comes before what is in it; there are no links, times or owners."""
    folders = {str(parent) for file in files for parent in PurePosixPath(file).parents} - {"."}
    with (
        replacing(path) as beside,
        beside.open("wb") as raw,
        gzip.GzipFile(filename="", mode="wb", fileobj=raw, mtime=0) as packed,
        tarfile.open(fileobj=packed, mode="w", format=tarfile.GNU_FORMAT) as archive,
    ):
        for name in sorted({*folders, *files}):
            entry = tarfile.TarInfo(name)
            content = files.get(name)
            entry.type, entry.mode = (tarfile.DIRTYPE, 0o755) if content is None else (tarfile.REGTYPE, 0o644)
            entry.size = len(content or b"")
            archive.addfile(entry, io.BytesIO(content or b""))
