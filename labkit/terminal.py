"""Print to the terminal: no commit, tag or parameter can move the cursor or hide a line."""

import re
import sys
from typing import Any

from rich.console import Console
from rich.text import Text

PIPE_WIDTH = 250  # a pipe has no width to fit in
CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


class PlainConsole(Console):
    """Rich's console, with a mark in place of each character that a terminal would act on."""

    def render_str(self, text: str, **options: Any) -> Text:
        """Text as it is shown."""
        return super().render_str(printable(text), **options)


def console(**options: Any) -> PlainConsole:
    """The console of standard output."""
    width = {} if sys.stdout.isatty() else {"width": PIPE_WIDTH}
    return PlainConsole(**width | options)


def printable(text: str) -> str:
    """Replace each control character, and each change of direction, by a mark."""
    return CONTROL.sub("\ufffd", text)
