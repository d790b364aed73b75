"""What is here of a commit's results: in Git's copies, DVC's cache, or the working folder. No remote is asked."""

from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

from labkit.compare.gather import Read, compared_files, outputs
from labkit.compare.sides import Side
from labkit.dvc_adapter.repository import open_project
from labkit.dvc_adapter.storage import cached_file
from labkit.git_cli import GitError, file_in
from labkit.goals import GOALS_FILE, Goal, parse_goals
from labkit.paths import overlaps
from labkit.pipeline.leaderboard import Leaderboard, leaderboard_in
from labkit.pipeline.records import read_records, records_of
from labkit.pipeline.tables import take_tables
from labkit.process.errors import InputError
from labkit.publish.kept import FOLDER, Hashes, Kept
from labkit.registry.settings import stages_of
from labkit.report.page import read_metrics


class Here(NamedTuple):
    """What was read of a commit, what it asked of its results, and what of that can't be read.

    `lacking` are the hashes of the files that are not here, by their paths.
    """

    read: Read
    board: Leaderboard | None
    goals: list[Goal]
    unknown: list[str]
    lacking: Hashes


def take_copies(commits: Iterable[str]) -> None:
    """Put Git's copies of the commits' results into DVC's cache, if they are what dvc.lock records."""
    with open_project(remote=False) as project:
        for commit in commits:
            with suppress(InputError, GitError):  # its page tells
                take_tables(project, commit)


def read_commit(commit: str, folder: Path) -> Here:
    """Read a commit; `folder`/`commit` gets links to its files. Raises InputError where DVC can't read it."""
    side, place = Side(commit[:7], commit, "", ""), folder / commit
    records, stages = read_records(records_of(commit)), stages_of(commit)
    unknown: list[str] = []
    board, goals = _board(stages, unknown), _goals(commit, unknown)
    wanted = [*compared_files(stages), *outputs(stages, "plots"), *(goal.file for goal in goals)]
    wanted += [str(file) for file in (board.models, board.selected)] if board else []
    lacking: Hashes = {}
    with open_project(remote=False) as project:
        for record in records.values():
            lacking |= _link(Kept(project, record), wanted, place)
        read = Read(side, records, stages, read_metrics(project, commit), place)
    return Here(read, board, goals, unknown, lacking)


def cached(hashes: set[str]) -> set[str]:
    """Those of the hashes whose files DVC's cache has."""
    if not hashes:
        return set()
    with open_project(remote=False) as project:
        return {md5 for md5 in hashes if cached_file(project, md5)}


def _link(outs: Kept, wanted: list[str], folder: Path) -> Hashes:
    """Link to the wanted outputs of a record; return those that are not here."""
    lacking: Hashes = {}
    for out in (out for out in outs.outs if overlaps(out, wanted)):
        files = outs.files(out) or {out: outs.outs[out]}  # a folder whose list is not here, or that is empty
        for file, md5 in ((file, md5) for file, md5 in files.items() if overlaps(file, wanted)):
            if (place := outs.place(file, md5)) is None:
                lacking[file] = md5
            elif not md5.endswith(FOLDER):
                (folder / file).parent.mkdir(parents=True, exist_ok=True)
                (folder / file).symlink_to(place)
    return lacking


def _board(stages: dict[str, Any], unknown: list[str]) -> Leaderboard | None:
    try:
        return leaderboard_in({name: stage for name, stage in stages.items() if isinstance(stage, dict)})
    except InputError as error:
        unknown.append(f"its models can't be shown: {error}")
        return None


def _goals(commit: str, unknown: list[str]) -> list[Goal]:
    try:
        return parse_goals(file_in(commit, str(GOALS_FILE)) or b"", str(GOALS_FILE))
    except InputError as error:
        unknown.append(f"its goals can't be read: {error}")
        return []
