"""The two sides of a comparison: the name that a person gives, the commit that it means, and its files."""

from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from labkit.dvc_adapter.repository import open_project
from labkit.dvc_adapter.tables import give_to_cache
from labkit.git_cli import git
from labkit.paths import lies_in
from labkit.pipeline.remote_watchdog import while_remote_answers
from labkit.pipeline.tables import take_tables
from labkit.process.credentials import without_credentials
from labkit.publish.names import commit_named
from labkit.registry.results import fetch_files
from labkit.report.page import LOOK_SECONDS, recorded_outs


class Side(NamedTuple):
    """A side: its name, its commit, the commit's subject, and a note."""

    name: str
    commit: str
    subject: str
    note: str

    def __str__(self) -> str:
        """The side as people read it."""
        return f"{self.name} ({self.commit[:7]})"


def find_side(name: str) -> Side:
    """The commit that a commit, branch, tag or registered version names; of the tag of a run, its results commit.

    Raises InputError where there is none, GitError where `origin` is asked for a version and can't be reached.
    """
    commit, note = commit_named(name)
    return Side(name, commit, without_credentials(git("log", "-1", "--format=%s", commit)), note)


def fetch(side: Side, files: Iterable[str], folder: Path) -> list[str]:
    """Write a side's results below `folder`, from the working folder, Git, DVC's cache or its remote, and keep them.

    Returns a line, with the reason, for each that dvc.lock records and that could not be had.
    """
    recorded, why = recorded_outs(side.commit), ""
    wanted = sorted(file for file in set(files) if lies_in(file, recorded))
    with open_project() as project:
        take_tables(project, side.commit)
        for out in (out for out in recorded if lies_in(out, wanted) and Path(out).exists()):
            give_to_cache(project, recorded[out], _contents(Path(out)))  # if it has that hash
    try:
        while_remote_answers(lambda: fetch_files(side.commit, wanted, folder), LOOK_SECONDS, 1)
    except RuntimeError as error:  # of the remote, or bytes that are not those of dvc.lock
        why = f": {error}"
    return [
        f"{file} of {side} is not here, nor in DVC's cache or its remote{why}; `dvc push` where it is, or make it "
        f"again: `git checkout {side.commit[:10]} && dvc repro`"
        for file in wanted
        if not (folder / file).exists()
    ]


def _contents(out: Path) -> dict[str, bytes]:
    """The files of an output that is here, as DVC's cache is given them."""
    files = [file for file in out.rglob("*") if file.is_file()] if out.is_dir() else [out]
    return {"" if file == out else file.relative_to(out).as_posix(): file.read_bytes() for file in files}
