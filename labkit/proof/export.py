"""`python -m lab export`: a commit's run as an archive that describes itself, for those who have nothing of the lab."""

import json
import os
import shutil
import tarfile
import zipfile
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory

from labkit.git_cli import file_in, git, read_blobs
from labkit.pipeline.records import DVC_LOCK, Records, commit_of, read_records, records_of
from labkit.process.credentials import without_credentials
from labkit.process.errors import InputError
from labkit.process.files import replacing
from labkit.process.strict_yaml import parse_yaml
from labkit.proof.crate import CODE, METADATA, WORKFLOW, File, WorkflowRun, metadata
from labkit.proof.receipt import digests_of
from labkit.registry.results import disagreement, fetch_files

PARAMS, LICENSE = "params.yaml", "LICENSE"
LINK = "120000"  # Git's mode of a link
BEGINNING_OF_TIME = (1980, 1, 1, 0, 0, 0)  # of zip; a crate says in its metadata when the run was


def export_crate(revision: str, to: Path) -> Path:
    """Write the results of a revision, with its code and parameters, as a Workflow Run RO-Crate; its path.

    The raw data are named by their md5, not included. The same commit always gives the same bytes. Raises InputError
    where the revision has no results, they are not of its own code, or an output is neither in DVC's cache nor in its
    remote.
    """
    commit = commit_of(revision)
    records = read_records(records_of(commit))
    if not records:
        raise InputError(f"{revision} has no results in {DVC_LOCK}: run `dvc repro`, commit it, and export that")
    if differs := disagreement(commit):
        raise InputError(f"{differs}; `dvc repro`, commit, and export that")
    crate = to / f"{_name(commit)}-{commit[:10]}.crate.zip"
    with TemporaryDirectory() as folder:
        _collect(commit, records, Path(folder))
        files = list(_files(Path(folder)))
        told = metadata(_run(commit, files), records, files)
        Path(folder, METADATA).write_text(json.dumps(told, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
        _pack(Path(folder), crate)
    return crate


def _collect(commit: str, records: Records, folder: Path) -> None:
    """Write all that the crate holds to a folder, but for its metadata."""
    outputs = [entry["path"] for record in records.values() for entry in record.get("outs", [])]
    fetch_files(commit, outputs, folder)
    if lacking := [path for path in outputs if not (folder / path).exists()]:
        raise InputError(
            f"neither DVC's cache nor its remote has {', '.join(lacking)} of {commit[:10]}; `dvc push` where they are"
        )
    for name in (WORKFLOW, DVC_LOCK, PARAMS, LICENSE):
        if (content := file_in(commit, name)) is not None:
            (folder / name).write_bytes(content)
    _write_code(commit, folder / CODE)


def _write_code(commit: str, to: Path) -> None:
    """Write all that Git has of a commit, whatever its attributes say, which `git archive` obeys."""
    entries = [line.split("\t", 1) for line in git("ls-tree", "-r", "-z", commit).split("\0") if line]
    blobs = [(entry.split()[0], entry.split()[2], path) for entry, path in entries if entry.split()[1] == "blob"]
    time = int(git("log", "-1", "--format=%ct", commit))
    with tarfile.open(to, "w", pax_headers={"comment": commit}) as archive:  # as `git get-tar-commit-id` reads it
        for (mode, _, path), content in zip(blobs, read_blobs([blob for _, blob, _ in blobs]), strict=True):
            entry = tarfile.TarInfo(path)
            entry.mtime, entry.mode, data = time, int(mode, 8) & 0o755 or 0o777, content or b""
            if mode == LINK:
                entry.type, entry.linkname, data = tarfile.SYMTYPE, os.fsdecode(data), b""
            entry.size = len(data)
            archive.addfile(entry, BytesIO(data))


def _files(folder: Path) -> list[File]:
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    return [
        File(path.relative_to(folder).as_posix(), digests_of(path)["sha256"], path.stat().st_size) for path in paths
    ]


def _run(commit: str, files: list[File]) -> WorkflowRun:
    author, time, subject = git("log", "-1", "--format=%an%n%aI%n%s", commit).split("\n", 2)
    has_license = any(file.path == LICENSE for file in files)
    return WorkflowRun(
        _name(commit), commit, without_credentials(subject), author, time, LICENSE if has_license else ""
    )


def _name(commit: str) -> str:
    """The project's name in the commit's params.yaml, in the signs of a file's name."""
    content = parse_yaml(file_in(commit, PARAMS) or b"", f"{PARAMS} of {commit[:10]}")
    project = content.get("project") if isinstance(content, dict) else None
    name = str(project.get("name", "")) if isinstance(project, dict) else ""
    return "-".join("".join(sign if sign.isalnum() else " " for sign in name).split()) or "lab"


def _pack(folder: Path, crate: Path) -> None:
    with replacing(crate) as beside, zipfile.ZipFile(beside, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted(path for path in folder.rglob("*") if path.is_file()):
            entry = zipfile.ZipInfo(path.relative_to(folder).as_posix(), BEGINNING_OF_TIME)
            entry.compress_type, entry.external_attr = zipfile.ZIP_DEFLATED, 0o644 << 16
            with path.open("rb") as read, archive.open(entry, "w") as written:
                shutil.copyfileobj(read, written)
