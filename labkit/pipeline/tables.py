"""The results that are small, in Git: metrics and the tables of plots, as they are, below lab/results.

    python -m lab tables

DVC's remote keeps all results, but takes a key. What a pull request shows is read here, without one, in a fork too.
Nothing is believed: a file counts only if it has the hash that dvc.lock of its commit recorded.
"""

import shutil
from contextlib import suppress
from pathlib import Path

from labkit.dvc_adapter.repository import Project, open_project
from labkit.dvc_adapter.tables import check_out_absent, give_to_cache, recorded_tables, table_outputs
from labkit.git_cli import GitError, git, read_blob
from labkit.paths import TABLES, lies_in
from labkit.pipeline.records import read_records, records_of


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
    """Make the tables in the working folder those of dvc.lock; return their paths, to be committed with it."""
    tables = tables_of_lock()
    shutil.rmtree(TABLES, ignore_errors=True)
    for name, content in tables.items():
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).write_bytes(content)
    return [*tables]


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
        place = Path(TABLES, out["path"])
        contents = {
            "" if Path(path) == place else Path(path).relative_to(place).as_posix(): read_blob(blob)
            for path, blob in blobs.items()
            if lies_in(path, [place])
        }
        if contents and give_to_cache(project, out.get("md5", ""), contents):
            taken.append(out["path"])
    return taken


def take_branchs_tables(base: str) -> None:
    """Have the tables of HEAD and of `base` in DVC's cache, and those of HEAD here, where DVC has nothing yet."""
    with open_project() as project:
        take_tables(project, base)
        here = take_tables(project, "HEAD")
        check_out_absent(project, [output for output in table_outputs(project) if output in here])
