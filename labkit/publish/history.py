"""The experiments of a branch as a table, read from the trailers of its results commits."""

import sys
from typing import NamedTuple

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from labkit.git_cli import git

KEYS = ("Tag", "Code-Commit", "Changed", "Selected-Model", "Metric", "Goals", "Ran", "Failed", "Run")
FIELD, COMMIT = "\x1f", "\x1e"


class Experiment(NamedTuple):
    """A results commit: when it was made, and what its trailers say; empty where it has none."""

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


def experiments(revision: str = "HEAD") -> list[Experiment]:
    """The results commits of a branch, newest first. Raises GitError when there is no such revision."""
    trailers = FIELD.join(f"%(trailers:key={key},valueonly,separator=%x2C )" for key in KEYS)
    command = ["log", "--no-merges", "--date=format:%Y-%m-%d %H:%M", "--grep=^Code-Commit: "]
    printed = git(*command, f"--format=%ad{FIELD}{trailers}{COMMIT}", revision, "--")
    found = [Experiment(*entry.strip("\n").split(FIELD)) for entry in printed.split(COMMIT) if entry.strip()]
    return [one for one in found if one.code]  # a squashed commit quotes trailers, and has none


def print_experiments(revision: str) -> None:
    """Print the table of experiments."""
    found = experiments(revision)
    console = Console() if sys.stdout.isatty() else Console(width=200)  # a pipe has no width to fit in
    console.print(experiments_table(found) if found else f"No results commits in {revision} yet: runners make them.")


def experiments_table(found: list[Experiment]) -> Table:
    """One line an experiment: what was asked, what came out, whether it was accepted."""
    columns = {
        "date": [one.date for one in found],
        "tag": [one.tag for one in found],
        "code": [one.code[:7] for one in found],
        "changed": [one.changed for one in found],
        "selected model": [one.selected for one in found],
        "metric": [one.metric for one in found],
        "goals": [one.goals for one in found],
        "ran": [(one.ran or "all from cache") + (f"; failed: {one.failed}" if one.failed else "") for one in found],
    }
    told = {name: values for name, values in columns.items() if any(values)}  # not every lab has models or goals
    table = Table(box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for name in told:
        table.add_column(name, no_wrap=name not in ("changed", "ran"))
    for row in zip(*told.values(), strict=True):
        table.add_row(*row)
    return table
