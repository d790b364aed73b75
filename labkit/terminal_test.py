"""Words of others stay words in the terminal."""

import pytest
from rich.markup import escape
from rich.table import Table
from rich.tree import Tree

from labkit.terminal import PlainConsole, console, printable

pytestmark = pytest.mark.unittest

HOSTILE = "goal met\x1b[2K\x1b[1A\r\x9b2K\u202eton"


@pytest.mark.parametrize("kind", ["line", "table", "tree", "title"])
def test_no_word_moves_the_cursor(kind: str) -> None:
    shown = Table(title=HOSTILE if kind == "title" else "") if kind in ("table", "title") else Tree(escape(HOSTILE))
    if isinstance(shown, Table):
        shown.add_column(escape(HOSTILE))
        shown.add_row(escape(HOSTILE))
    terminal = PlainConsole(width=80)
    with terminal.capture() as captured:
        terminal.print(f"[bold]{escape(HOSTILE)}[/]" if kind == "line" else shown)
    assert "goal met\ufffd" in captured.get()
    assert printable(captured.get()) == captured.get()


def test_lines_and_tabs_are_kept() -> None:
    assert printable("a\tb\nc ü 名") == "a\tb\nc ü 名"
    assert console().width == 250
