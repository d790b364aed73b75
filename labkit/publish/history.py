"""The experiments of a branch as a table, read from the trailers of its results commits.

Anyone can write trailers. They are believed of a commit that is as publishing makes it: it stands on the commit whose
code ran, changes results alone, and its metric is the one of the results that its dvc.lock records.
"""

import hashlib
import json
import sys
from contextlib import suppress
from typing import NamedTuple

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from labkit.git_cli import git, read_blobs
from labkit.paths import TABLES
from labkit.pipeline.leaderboard import read_leaderboard
from labkit.pipeline.records import DVC_LOCK
from labkit.process.errors import InputError

KEYS = ("Tag", "Code-Commit", "Changed", "Selected-Model", "Metric", "Goals", "Ran", "Failed", "Run")
FIELD, COMMIT = "\x1f", "\x1e"
UNPROVEN = "unproven"
WHY_UNPROVEN = (
    f"{UNPROVEN}: it was written or moved by hand. Its commit does not stand on the code that it names, changes more "
    "than results, or its metric is not in them."
)


class Experiment(NamedTuple):
    """A results commit: when it was made, what its trailers say, empty where it has none, and whether that is so."""

    date: str
    tag: str
    code: str
    changed: str
    selected: str
    metric: str
    goals: str
    ran: str
    failed: str
    run: str
    proven: bool


def experiments(revision: str = "HEAD") -> list[Experiment]:
    """The results commits of a branch, newest first. Raises GitError when there is no such revision."""
    trailers = FIELD.join(f"%(trailers:key={key},valueonly,separator=%x2C )" for key in KEYS)
    command = ["log", "--no-merges", "--date=format:%Y-%m-%d %H:%M", "--grep=^Code-Commit: ", "--name-only"]
    printed = git(*command, f"--format={COMMIT}%ad{FIELD}{trailers}{FIELD}%H %P{FIELD}", revision, "--")
    found = [one for one in map(_read, printed.split(COMMIT)[1:]) if one.experiment.code]  # a squash only quotes them
    are_told = _metrics_are_those_of_results(found)
    return [
        one.experiment._replace(proven=one.parents == [one.experiment.code] and _are_results(one.files) and is_told)
        for one, is_told in zip(found, are_told, strict=True)
    ]


class _Commit(NamedTuple):
    experiment: Experiment
    commit: str
    parents: list[str]
    files: list[str]


def _read(entry: str) -> _Commit:
    *told, hashes, files = entry.split(FIELD)
    commit, *parents = hashes.split()
    return _Commit(Experiment._make([*told, False]), commit, parents, [name for name in files.split("\n") if name])


def _are_results(files: list[str]) -> bool:
    return DVC_LOCK in files and all(name == DVC_LOCK or name.startswith(f"{TABLES}/") for name in files)


def _metrics_are_those_of_results(claims: list[_Commit]) -> list[bool]:
    """Whether each commit's results, where Git has a copy of them, have the model and metric that its trailers tell."""
    board = None
    with suppress(InputError):
        board = read_leaderboard()
    if board is None:
        return [True] * len(claims)
    locks = read_blobs([f"{one.commit}:./{DVC_LOCK}" for one in claims])
    copies = read_blobs([f"{one.commit}:./{TABLES}/{board.selected}" for one in claims])
    return [
        not one.experiment.metric or copy is None or _tells(one.experiment, copy, lock or b"")
        for one, lock, copy in zip(claims, locks, copies, strict=True)
    ]


def _tells(one: Experiment, copy: bytes, lock: bytes) -> bool:
    if hashlib.md5(copy, usedforsecurity=False).hexdigest().encode() not in lock:
        return False
    with suppress(ValueError, TypeError, KeyError, AttributeError):
        content = json.loads(copy)
        metric = content["metric"]
        return (one.selected, one.metric) == (content["selected"], f"test {metric} {content['test'][metric]:.4g}")
    return False


def print_experiments(revision: str) -> None:
    """Print the table of experiments."""
    found = experiments(revision)
    console = Console() if sys.stdout.isatty() else Console(width=200)  # a pipe has no width to fit in
    console.print(experiments_table(found) if found else f"No results commits in {revision} yet: runners make them.")
    if not all(one.proven for one in found):
        console.print(WHY_UNPROVEN)


def experiments_table(found: list[Experiment]) -> Table:
    """One line an experiment: what was asked, what came out, whether it was accepted."""
    columns: dict[str, list[str]] = {
        "date": [one.date for one in found],
        "tag": [one.tag for one in found],
        "": [*map(_mark, found)],
        "code": [one.code[:7] for one in found],
        "changed": [one.changed for one in found],
        "selected model": [one.selected for one in found],
        "metric": [one.metric for one in found],
        "goals": [one.goals for one in found],
        "ran": [*map(_what_ran, found)],
    }
    told = {name: values for name, values in columns.items() if any(values)}  # not every lab has models or goals
    table = Table(box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for name in told:
        table.add_column(name, no_wrap=name not in ("changed", "ran"))
    for row in zip(*told.values(), strict=True):
        table.add_row(*map(escape, row))  # a person's words may look like markup
    return table


def _mark(one: Experiment) -> str:
    return "" if one.proven else UNPROVEN


def _what_ran(one: Experiment) -> str:
    return (one.ran or "all from cache") + (f"; failed: {one.failed}" if one.failed else "")
