"""One trial: the pipeline with other parameters, as an experiment of DVC's in a folder of its own."""

import json
import os
import subprocess
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

from labkit.dvc_adapter.command_line import dvc
from labkit.dvc_adapter.repository import open_project
from labkit.dvc_adapter.revisions import copy_from
from labkit.git_cli import git
from labkit.pipeline.leaderboard import Leaderboard, models, selected
from labkit.process.credentials import without_credentials
from labkit.process.errors import InputError
from labkit.tracking.journal import EXECUTION_VARIABLE

LAST_WORDS = 3  # lines of what a trial that failed has said


class Score(NamedTuple):
    """What a trial reached: a model's value of the metric that models are compared by, on the validation rows."""

    model: str
    metric: str
    value: float
    less_is_better: bool


class TrialError(Exception):
    """The pipeline failed; the message is its last lines."""


def rounded(values: dict[str, Any]) -> dict[str, Any]:
    """Values with as many digits as people read."""
    return {key: float(f"{value:.4g}") if isinstance(value, float) else value for key, value in values.items()}


def run_trial(name: str, values: dict[str, Any]) -> None:
    """Run the pipeline with these values as DVC's experiment `name`. Raises TrialError in its words."""
    options = [option for key, value in values.items() for option in ("-S", f"{key}={json.dumps(value)}")]
    command = dvc("--wait-for-lock", "exp", "run", "--temp", "--name", name, *options)
    done = subprocess.run(
        command,
        env={**os.environ, EXECUTION_VARIABLE: name},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        errors="replace",
    )
    if done.returncode:
        said = [line for line in without_credentials(done.stdout).splitlines() if line.strip()]
        raise TrialError("\n".join(said[-LAST_WORDS:]))


def experiment_commit(name: str) -> str:
    """The commit of an experiment; empty where there is none."""
    told = git("for-each-ref", "--format=%(objectname) %(refname)", "refs/exps")
    found = [line.split(" ") for line in told.splitlines()]
    return next((commit for commit, ref in found if ref.rpartition("/")[2] == name), "")


def score_of(commit: str, board: Leaderboard, model: str | None) -> Score:
    """What a model, or the selected one, reached in an experiment. Raises InputError where its table lacks it."""
    with TemporaryDirectory() as folder, open_project() as project:
        copies = {path: Path(folder) / path.name for path in (board.models, board.selected)}
        for path, copy in copies.items():
            copy_from(project, commit, path.as_posix(), copy)
        there = board._replace(models=copies[board.models], selected=copies[board.selected])
        chosen, rows = selected(there), models(there)
    name = model or chosen.model
    found = {row["model"]: row.get(chosen.metric, "") for row in rows}
    if name not in found:
        raise InputError(f"--model {name}: {board.models} has no such row; it has {', '.join(found)}")
    if len(rows) == 1:
        raise InputError(f"{board.models} has one model, so it does not tell whether more {chosen.metric} is better")
    try:
        values = {row: float(value) for row, value in found.items() if value}
        best, *_, worst = values.values()  # as the leaderboard has them
        return Score(name, chosen.metric, values[name], best < worst)
    except (ValueError, KeyError):
        raise InputError(f"{board.models} has no number for {chosen.metric} of {name}") from None
