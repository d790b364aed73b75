"""The experiments of a branch as a table, read from the trailers of its results commits.

Anyone can write trailers. They are believed of a commit that is as publishing makes it: it stands on the commit whose
code ran, changes results alone, and claims what the results say that its dvc.lock records.
"""

from typing import NamedTuple

from rich.box import SIMPLE_HEAD
from rich.markup import escape
from rich.table import Table

from labkit.git_cli import git
from labkit.paths import TABLES
from labkit.pipeline.records import DVC_LOCK
from labkit.publish.claims import Claims, claims_of
from labkit.terminal import console

KEYS = ("Tag", "Code-Commit", "Changed", "Selected-Model", "Metric", "Goals", "Ran", "Failed", "Not-Run", "Run")
FIELD, COMMIT = "\x1f", "\x1e"
UNPROVEN = "unproven"
WHY_UNPROVEN = (
    f"{UNPROVEN}: written or moved by hand, as far as Git tells. Its commit does not stand on the code that it names, "
    f"changes more than results, or claims what its copies of results in {TABLES} do not say."
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
    not_run: str
    run: str
    proven: bool


def experiments(revision: str = "HEAD") -> list[Experiment]:
    """The results commits of a branch, newest first. Raises GitError when there is no such revision."""
    return [one.experiment for one in _results_commits(revision)]


def experiments_everywhere() -> dict[str, Experiment]:
    """Those of all branches, by their commits."""
    return {one.commit: one.experiment for one in _results_commits("--all")}


def results_commit_of(tag: str, code: str) -> str:
    """The newest commit here, in any branch, with the results that a tag on the commit `code` asked for; else none."""
    found = (one for one in _results_commits("--all") if one.experiment.proven)
    return next((one.commit for one in found if (one.experiment.tag, one.experiment.code) == (tag, code)), "")


def _results_commits(revision: str) -> list["_Commit"]:
    trailers = FIELD.join(f"%(trailers:key={key},valueonly,separator=%x2C )" for key in KEYS)
    command = ["log", "--no-merges", "--date=format:%Y-%m-%d %H:%M", "--grep=^Code-Commit: ", "--name-only"]
    printed = git(*command, f"--format={COMMIT}%ad{FIELD}{trailers}{FIELD}%H %P{FIELD}", revision, "--")
    found = [one for one in map(_read, printed.split(COMMIT)[1:]) if one.experiment.code]  # a squash only quotes them
    told = claims_of([one.commit for one in found])
    return [
        one._replace(experiment=one.experiment._replace(proven=_is_proven(one, results)))
        for one, results in zip(found, told, strict=True)
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


def _is_proven(one: _Commit, results: Claims) -> bool:
    is_on_its_code = one.parents == [one.experiment.code]
    return is_on_its_code and _are_results(one.files) and _is_told(one.experiment, results)


def _are_results(files: list[str]) -> bool:
    return DVC_LOCK in files and all(name == DVC_LOCK or name.startswith(f"{TABLES}/") for name in files)


def _is_told(one: Experiment, found: Claims) -> bool:
    """Whether an experiment claims what its results say. Of a run that did not end, its message claims nothing."""
    told = {"Selected-Model": one.selected, "Metric": one.metric, "Goals": one.goals}
    claimed = {name: value for name, value in told.items() if value}
    return claimed == ({} if one.failed or one.not_run else found)


def print_experiments(revision: str) -> None:
    """Print the table of experiments."""
    found = experiments(revision)
    terminal = console()
    none = f"No results commits in {revision} yet: runners make them. `python -m lab site` shows what people committed."
    terminal.print(experiments_table(found) if found else none)
    if not all(one.proven for one in found):
        terminal.print(WHY_UNPROVEN)


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
