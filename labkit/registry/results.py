"""A commit's results, read from Git, DVC's cache or its remote: the working folder may hold others."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory

from labkit.dvc_adapter.agreement import disagreements
from labkit.dvc_adapter.repository import Project, open_project
from labkit.dvc_adapter.revisions import copy_from, not_kept
from labkit.dvc_adapter.storage import default_remote
from labkit.git_cli import GitError, file_in, git
from labkit.goals import GOALS_FILE, Verdict, parse_goals, verdicts
from labkit.process.credentials import without_credentials
from labkit.process.errors import InputError
from labkit.registry.comparison import Comparison, compare
from labkit.registry.settings import Source, registered_in
from labkit.registry.tags import has_origin
from labkit.report.predictions import Predictions


def fetch_files(commit: str, files: Iterable[str], folder: Path) -> None:
    """Write those of a commit's files and folders that can be had below `folder`.

    Raises InputError when DVC's remote can't be asked for what the cache lacks.
    """
    with _dvc() as project:
        for file in sorted(set(files)):
            with suppress(FileNotFoundError):
                copy_from(project, commit, file, folder / file)


def fetch_file(commit: str, path: str, of: str, folder: Path) -> Path:
    """Write a commit's file or folder below `folder`; where it is then. `of` tells whose it is.

    Raises InputError where it can't be had.
    """
    fetch_files(commit, [path], folder)
    if not (folder / path).exists():
        raise InputError(f"{path} of {of} is neither in DVC's cache nor in its remote; `dvc push` where it is")
    return folder / path


def refuse_lost(commit: str, source: Source) -> None:
    """Raise InputError where others could not get the files of the stage that writes the model."""
    with _dvc() as project:
        lacking = not_kept(project, commit, source.stage)
        where = "the DVC remote" if default_remote(project) else "DVC's cache"
    if lacking:
        raise InputError(
            f"{where} lacks {', '.join(lacking)} of {commit[:10]}; `dvc push` where they are, and register again"
        )


def disagreement(commit: str, stage: str = "") -> str:
    """In words, which results of a commit are of other code, parameters or data than its own; empty where none are.

    With a stage, of what that needs alone. Raises InputError where DVC can't read the commit.
    """
    with open_project() as project:
        found = disagreements(project, commit, stage)
    told = [f"{name} (reads {', '.join(read)})" for name, read in found.items()]
    return f"dvc.lock of {commit[:10]} is not of its own code, parameters and data: {'; '.join(told)}" if told else ""


@contextmanager
def _dvc() -> Iterator[Project]:
    """The DVC project; where its remote fails, that is told."""
    try:
        with open_project() as project:
            yield project
    except (InputError, GitError):
        raise
    except Exception as error:  # each kind of remote raises its own
        words = without_credentials(" ".join(f"{type(error).__name__}: {error}".split())[:300])
        raise InputError(f"DVC's remote can't be asked: {words}; `python -m lab doctor` tells more") from None


def committed_goals() -> str:
    """The commit whose goals judge: the last that changed them.

    Raises InputError where the goals here differ from those committed.
    """
    if git("status", "--porcelain", "--", str(GOALS_FILE)):
        raise InputError(f"{GOALS_FILE} has changes that are not committed; commit them: a verdict names its goals")
    return git("log", "-1", "--format=%H", "--", str(GOALS_FILE)) or git("rev-parse", "HEAD")


def refuse_goals_of_this_clone_alone(judge: str) -> None:
    """Raise InputError where there is an `origin`, and none of its branches has the commit of the goals."""
    if has_origin() and not git("branch", "--remotes", "--contains", judge, "--list", "origin/*"):
        raise InputError(f"{GOALS_FILE} is as of {judge[:10]}, which no branch of origin has; `git push` it first")


def judge_results(commit: str, judge: str) -> list[Verdict]:
    """The goals of the commit `judge`, judged by a commit's results. Raises InputError when they can't be read.

    Not those of the working folder: Git can be told to see no change there.
    """
    goals = parse_goals(file_in(judge, str(GOALS_FILE)) or b"", f"{GOALS_FILE} of {judge[:10]}")
    with TemporaryDirectory() as folder:
        fetch_files(commit, [goal.file for goal in goals], Path(folder))
        return verdicts(results=Path(folder), goals=goals)


def compare_results(candidate: str, champion: str) -> Comparison | None:
    """Compare the predictions of two commits; None where the candidate's dvc.yaml names none.

    Raises InputError where they can't be compared.
    """
    _, told = registered_in(candidate)
    if not told.predictions:
        return None
    with TemporaryDirectory() as folder:
        return compare(
            _predictions(candidate, "the candidate", Path(folder, "candidate")),
            _predictions(champion, "the champion", Path(folder, "champion")),
        )


def _predictions(commit: str, whose: str, folder: Path) -> Predictions:
    _, told = registered_in(commit)
    if not told.predictions:
        raise InputError(f"dvc.yaml of {whose}, {commit[:10]}, names no `predictions`")
    of = f"{whose}, {commit[:10]},"
    return Predictions(fetch_file(commit, told.predictions, of, folder), f"{told.predictions} of {of}", whose)
