"""The results that are small, in Git: metrics and the tables of plots, as they are, below lab/results.

    python -m lab tables

DVC's remote keeps all results, but takes a key. What a pull request shows is read here, without one, in a fork too.
Nothing is believed: a file counts only if it has the hash that dvc.lock of its commit recorded.
"""

from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from labkit.dvc_adapter.folders import hash_of
from labkit.dvc_adapter.repository import Project, open_project
from labkit.dvc_adapter.tables import check_out_absent, give_to_cache, recorded_tables, table_outputs
from labkit.git_cli import GitError, git, git_or_empty, read_blob
from labkit.paths import TABLES, lies_in
from labkit.pipeline.records import DVC_LOCK, read_records, records_of
from labkit.process.tracking import md5_of

REMEDY = f"`python -m lab tables && git add {TABLES}`"


def tables_of_lock() -> dict[str, bytes]:
    """The tables that dvc.lock names and that the cache or HEAD has, by the paths that they have in Git."""
    with open_project() as project:
        with suppress(GitError):  # there is no commit yet
            take_tables(project, "HEAD")
        return {
            str(Path(TABLES, output, name)): content
            for output, contents in recorded_tables(project)
            for name, content in contents.items()
        }


def write_tables() -> list[str]:
    """Make the tables in the working folder those of dvc.lock; return their paths, to be committed with it.

    Others go, but for files that Git does not track: it could not bring them back.
    """
    tables = tables_of_lock()
    for name in {*_tracked()} - {*tables}:
        Path(name).unlink(missing_ok=True)
    for name, content in tables.items():
        if not Path(name).exists() or Path(name).read_bytes() != content:
            Path(name).parent.mkdir(parents=True, exist_ok=True)
            Path(name).write_bytes(content)
    return [*tables]


def stale_tables() -> list[str]:
    """The tables that Git tracks and that are not what dvc.lock records. Without DVC's cache, and without a commit.

    Raises InputError when dvc.lock can't be read.
    """
    records = read_records(Path(DVC_LOCK).read_bytes()) if Path(DVC_LOCK).exists() else {}
    known = {name for name in _tracked() if Path(name).exists()}
    stale = []
    for out in (out for record in records.values() for out in record.get("outs", [])):
        copies = copies_of(out["path"], known)
        known -= {*copies.values()}
        if copies and hash_of({below: md5_of(Path(name)) for below, name in copies.items()}) != out.get("md5"):
            stale.append(str(Path(TABLES, out["path"])))
    return [*stale, *sorted(known)]  # what is left is of no output


def tables_in(commit: str) -> dict[str, str]:
    """The tables of a commit: their blobs by their paths. Raises GitError where there is no such commit."""
    listed = [line.split("\t", 1) for line in git("ls-tree", "-r", commit, "--", f"{TABLES}/").splitlines()]
    return {path: entry.split()[2] for entry, path in listed if entry.split()[1] == "blob"}


def take_tables(project: Project, commit: str) -> list[str]:
    """Give DVC's cache the tables that a commit has in Git; return the outputs that they are.

    Those that are not what the commit's dvc.lock recorded are left. Raises GitError where there is no such commit.
    """
    blobs = tables_in(commit)
    taken = []
    for out in (out for record in read_records(records_of(commit)).values() for out in record.get("outs", [])):
        contents = {below: read_blob(blobs[path]) for below, path in copies_of(out["path"], blobs).items()}
        if contents and give_to_cache(project, out.get("md5", ""), contents):
            taken.append(out["path"])
    return taken


def copies_of(output: str, paths: Iterable[str]) -> dict[str, str]:
    """The paths that are copies of an output, by what they are below it; a file by itself is at the empty path."""
    place = Path(TABLES, output)
    return {
        "" if Path(path) == place else Path(path).relative_to(place).as_posix(): path
        for path in paths
        if lies_in(path, [place])
    }


def _tracked() -> list[str]:
    return [name for name in git_or_empty("ls-files", "-z", "--", TABLES).split("\0") if name]


def take_branchs_tables(base: str) -> None:
    """Have the tables of HEAD and of `base` in DVC's cache, and those of HEAD here, where DVC has nothing yet."""
    with open_project() as project:
        take_tables(project, base)
        here = take_tables(project, "HEAD")
        check_out_absent(project, [output for output in table_outputs(project) if output in here])
