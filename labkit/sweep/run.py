"""The search itself. What was tried is kept in .lab/sweeps.db, so the same command goes on where it ended."""

import hashlib
import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import optuna
from optuna.trial import FrozenTrial, TrialState
from rich.markup import escape
from rich.table import Table

from labkit.file_lock import locked
from labkit.git_cli import git
from labkit.launch import environments
from labkit.launch.limits import read_limits
from labkit.paths import ROOT, lies_in
from labkit.pipeline.leaderboard import Leaderboard, models, read_leaderboard
from labkit.pipeline.signals import end_requests_handled, interrupt_with_children
from labkit.process.errors import InputError
from labkit.process.files import replacing
from labkit.process.params import PARAMS_FILE, CommonParams, read_params
from labkit.sweep.space import Space, parse_space
from labkit.sweep.trial import TrialError, experiment_commit, rounded, run_trial, score_of
from labkit.sweep.view import show_in_mlflow
from labkit.terminal import PlainConsole
from labkit.yaml_edit import with_value

STORE = Path(".lab/sweeps.db")
# A trial's attributes.
MODEL, METRIC, VALUE, FAILURE = "model", "metric", "value", "failure"
SHOWN = 10
RESULTS = ("dvc.lock", "lab/results")  # what a trial does not depend on

Raised = BaseException | None
Tell = Callable[[optuna.Trial, Raised], None]


def sweep(words: list[str], trials: int, jobs: int, model: str | None, apply: bool) -> int:
    """Try parameters until there are so many trials, `jobs` at once; the exit code is 1 where none succeeded.

    Optuna's TPE proposes them (https://arxiv.org/abs/2304.11127), seeded by how many came before: one at a time, the
    same command tries the same. Raises InputError for what `parse_space` refuses, a lab without a leaderboard, and a
    sweep that runs already.
    """
    os.chdir(ROOT)
    read_params(CommonParams)
    read_limits()
    space = parse_space(words)
    board = read_leaderboard()
    if board is None:
        raise InputError("dvc.yaml: no stage has meta.leaderboard, which tells which models are better; name it there")
    refuse_unknown(model, board)
    console = PlainConsole(highlight=False, soft_wrap=True)
    with console.status("making the environments of the processes"):
        environments.make_all()
    name = f"sweep-{_digest(*sorted(words), model or '', _code())}"
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    with _alone(name):
        study = optuna.create_study(storage=f"sqlite:///{STORE}", study_name=name, load_if_exists=True)
        _repeat_interrupted(study)
        try:
            with end_requests_handled(lambda *_: interrupt_with_children(os.getpid())):
                _search(study, space, trials, jobs, partial(_tell, study, board, model, console))
        finally:
            if told := show_in_mlflow(name, study.get_trials(deepcopy=False)):
                console.print(f"[yellow]not in MLflow yet[/]: {escape(told)}; the same command sends it")
    return _print_trials(study, console, apply)


def refuse_unknown(model: str | None, board: Leaderboard) -> None:
    """Raise InputError where the last run's table of models, if it is here, has no such model."""
    if model and board.models.exists() and model not in (known := [row["model"] for row in models(board)]):
        raise InputError(f"--model {model}: {board.models} has no such row; it has {', '.join(known)}")


def experiment(study: optuna.Study, number: int) -> str:
    """The name of a trial's experiment in DVC."""
    return f"{study.study_name}-{number}"


def _search(study: optuna.Study, space: Space, trials: int, jobs: int, tell: Tell) -> None:
    """Ask for values, run them, and tell what came of them, until there are enough."""
    running: dict[Future[None], optuna.Trial] = {}
    with ThreadPoolExecutor(jobs) as pool:
        while True:
            while len(running) < min(jobs, trials - (ended := len(_ended(study)))):
                study.sampler = optuna.samplers.TPESampler(seed=_seed(ended + len(running)), constant_liar=True)
                trial = study.ask(space)
                running[pool.submit(run_trial, experiment(study, trial.number), rounded(trial.params))] = trial
            if not running:
                return
            for future in wait(running, return_when=FIRST_COMPLETED).done:
                tell(running.pop(future), future.exception())


def _seed(number: int) -> int:
    """The seed of a trial, by how many began before it: those interrupted don't count.

    A hash, because the first numbers that NumPy draws from the seeds 0, 1, 2 and 3 lie close to each other.
    """
    return int(_digest(str(number)), 16)


def _tell(
    study: optuna.Study,
    board: Leaderboard,
    model: str | None,
    console: PlainConsole,
    trial: optuna.Trial,
    error: Raised,
) -> None:
    """Keep what came of a trial, and print it."""
    told = f"trial {trial.number}: {' '.join(f'{key}={value}' for key, value in rounded(trial.params).items())}"
    try:
        if error:
            raise error
        score = score_of(experiment_commit(experiment(study, trial.number)), board, model)
    except TrialError as failed:
        trial.set_user_attr(FAILURE, str(failed))
        study.tell(trial, state=TrialState.FAIL)
        console.print(f"{told}: [red]failed[/]: {escape(str(failed))}")
        return
    if others := {one.user_attrs[METRIC] for one in study.trials if METRIC in one.user_attrs} - {score.metric}:
        raise InputError(
            f"{told}: compared by {score.metric}, and others of this sweep by {', '.join(others)}: leave out "
            "the parameter that changes the metric"
        )
    for key, value in ((MODEL, score.model), (METRIC, score.metric), (VALUE, score.value)):
        trial.set_user_attr(key, value)
    study.tell(trial, score.value if score.less_is_better else -score.value)
    console.print(f"{told}: {score.model} {score.metric} {score.value:.4g}")


def _print_trials(study: optuna.Study, console: PlainConsole, apply: bool) -> int:
    """Print the best trials, and take the best or say what does; the exit code."""
    done = sorted((one for one in study.trials if one.state == TrialState.COMPLETE), key=lambda one: one.values[0])
    if not done:
        console.print("No trial succeeded.")
        return 1
    table = Table("trial", *map(_short(done[0].params), done[0].params), "model", done[0].user_attrs[METRIC], box=None)
    for one in done[:SHOWN]:
        told = one.user_attrs
        table.add_row(str(one.number), *map(str, rounded(one.params).values()), told[MODEL], f"{told[VALUE]:.4g}")
    console.print(table)
    best = done[0]
    if apply:
        write_values(rounded(best.params))
        console.print(
            f"params.yaml has the values of trial {best.number}: `make run` brings its results from the cache."
        )
    else:
        console.print("The same command with --apply writes the best values into params.yaml.")
    return 0


def write_values(values: dict[str, Any]) -> None:
    """Put values into params.yaml, and leave every other byte as it is."""
    text = PARAMS_FILE.read_text(encoding="utf-8")
    for key, value in values.items():
        text = with_value(text, value, *key.split("."))
    with replacing(PARAMS_FILE) as beside:
        beside.write_text(text, encoding="utf-8")


def _short(keys: Iterable[str]) -> Callable[[str], str]:
    """Of each key the last part, where that tells it from the others."""
    last = Counter(key.rpartition(".")[2] for key in keys)
    return lambda key: name if last[name := key.rpartition(".")[2]] == 1 else key


def _ended(study: optuna.Study) -> list[FrozenTrial]:
    """The trials that have a value or have failed by themselves."""
    return [one for one in study.trials if one.state == TrialState.COMPLETE or FAILURE in one.user_attrs]


def _repeat_interrupted(study: optuna.Study) -> None:
    """Try again what was tried when a sweep was ended from outside."""
    for one in study.get_trials(states=(TrialState.RUNNING,)):
        study.tell(one.number, state=TrialState.FAIL)
        study.enqueue_trial(one.params)


@contextmanager
def _alone(name: str) -> Iterator[None]:
    """Refuse a sweep that runs already in another terminal. Raises InputError."""
    STORE.parent.mkdir(exist_ok=True)
    with locked(STORE.parent / f"{name}.lock", wait=False) as is_mine:
        if not is_mine:
            raise InputError(f"{name} runs already; wait for it, or end it")
        yield


def _digest(*words: str) -> str:
    return hashlib.sha256("\n".join(words).encode()).hexdigest()[:8]


def _code() -> str:
    """What the trials run: the tree of what Git tracks, as it is here, without results."""
    git("status", "--porcelain")  # without it, `git stash create` fails on a clone that was copied
    tree = git("stash", "create") or "HEAD"
    files = (line.split("\t") for line in git("ls-tree", "-r", tree).splitlines())
    return "\n".join(f"{known} {path}" for known, path in files if not lies_in(path, RESULTS))
