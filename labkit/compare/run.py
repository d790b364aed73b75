"""Two commits, tags, runs or registered versions beside each other: `python -m lab compare A B`."""

from pathlib import Path

from rich.box import SIMPLE_HEAD
from rich.markup import escape
from rich.table import Table

from labkit.compare.gather import Found, as_json, gather_differences
from labkit.compare.page import write_page
from labkit.compare.sections import MOST_ROWS, Section, as_sections
from labkit.compare.sides import find_side
from labkit.terminal import console


def compare(a: str, b: str, is_json: bool, page: Path | None) -> None:
    """Print how B differs from A, as tables or as JSON; and write it as a page.

    Raises InputError and GitError where one of them names no commit, or has a dvc.yaml that can't be read.
    """
    found = gather_differences(find_side(a), find_side(b))
    if page:
        write_page(found, page)
    if is_json:
        print(as_json(found))
    else:
        _print(found)


def _print(found: Found) -> None:
    terminal = console()
    for letter, side in (("A", found.a), ("B", found.b)):
        terminal.print(f"[bold]{letter}[/] {escape(str(side))} {escape(side.subject)}", soft_wrap=True)
    for line in found.unknown:
        terminal.print(f"[yellow]unknown[/]: {escape(line)}", soft_wrap=True)
    for section in as_sections(found):
        terminal.print(f"\n[bold]{escape(section.title)}[/] {escape(section.note)}")
        if section.rows:
            terminal.print(_table(section))


def _table(section: Section) -> Table:
    table = Table(box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    names = len(section.columns) - section.numbers
    for place, column in enumerate(section.columns):
        table.add_column(escape(column), justify="left" if place < names else "right", overflow="fold")
    for row in section.rows[:MOST_ROWS]:
        table.add_row(*map(escape, row))
    if (more := len(section.rows) - MOST_ROWS) > 0:
        table.add_row(f"and {more} more: `--json` has all")
    return table
