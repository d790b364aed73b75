"""What was registered, promoted and refused, as tables."""

import sys
from typing import NamedTuple

from rich.box import SIMPLE_HEAD
from rich.markup import escape
from rich.table import Table

from labkit.git_cli import GitError, git
from labkit.registry.settings import registered_in
from labkit.registry.state import Registry, Step, read_registry
from labkit.terminal import console


def print_history() -> None:
    """Print the versions and the champion's history; where the server does not answer, what this clone knows."""
    _, told = registered_in(git("rev-parse", "HEAD"))
    try:
        registry = read_registry(told.name)
    except GitError as error:
        print(f"warning: `origin` can't be asked, so this is what this clone knows: {error}", file=sys.stderr)
        registry = read_registry(told.name, offline=True)
    for fault in registry.faults:
        print(f"warning: {fault}", file=sys.stderr)
    terminal = console()
    if not registry.versions:
        terminal.print(f"{told.name} has no version yet: `python -m lab register` makes one.")
        return
    terminal.print(_table(version_table(registry)), _table(step_table(registry)))
    if registry.deprecated:
        terminal.print(f"{registry.name} is deprecated by {registry.deprecated}.")


class TextTable(NamedTuple):
    """A table of text: its title, columns and rows."""

    title: str
    columns: list[str]
    rows: list[list[str]]


def version_table(registry: Registry) -> TextTable:
    """Each version, oldest first."""
    rows = []
    for version in registry.versions.values():
        trailers = version.tag.trailers
        mark = "★" if version == registry.champion else ("withdrawn" if version.withdrawn else "")
        row = [mark, str(version), version.tag.date, _name(trailers["Person"]), version.tag.commit[:7]]
        rows.append([*row, trailers["Goals"], trailers["Reason"]])
    columns = ["", "version", "date", "person", "commit", "goals when registered", "reason"]
    return TextTable(f"Versions of {registry.name}", columns, rows)


def step_table(registry: Registry) -> TextTable:
    """The champion's history in the order of the counter, refusals among it."""
    rows = []
    for step in registry.steps:
        trailers = step.tag.trailers
        version = str(step.version or trailers.get("Version", "none"))
        row = [str(step.counter) if not step.refused else "", _word(step), version, trailers.get("Before", "")]
        row += [step.tag.date, _name(trailers.get("Person", step.tag.person)), trailers.get("Goals", "")]
        rows.append([*row, trailers.get("Compared", ""), trailers.get("Reason", step.tag.subject)])
    columns = ["", "step", "version", "before", "date", "person", "goals", "compared", "reason"]
    return TextTable(f"Champions of {registry.name}", columns, rows)


def _word(step: Step) -> str:
    if step.refused:
        return "refused"
    if step.version is None:
        return "ended"
    return f"{step.tag.trailers['Action']}{', forced' if 'Forced' in step.tag.trailers else ''}"


def _name(person: str) -> str:
    """A person without the address."""
    return person.partition(" <")[0]


def _table(told: TextTable) -> Table:
    table = Table(title=told.title, title_justify="left", box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for column in told.columns:
        table.add_column(column, no_wrap=column in ("", "step", "version", "date", "commit"))
    for row in told.rows:
        table.add_row(*map(escape, row))
    return table
