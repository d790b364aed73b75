"""Markdown that GitHub renders and a terminal can show: any text as a cell, tables, and plots as Mermaid charts."""

import json
import math
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from decimal import Decimal
from itertools import pairwise
from typing import Any, NamedTuple

MOST_POINTS = 60  # of a chart: more can't be told apart, and a summary has a limit
LONGEST_LABEL = 40  # with one much longer, Mermaid leaves out all of an axis
LONGEST_TITLE = 80
COLOUR = "#4078c0"  # seen on white and on black, which Mermaid's own is not
BARS = ("bar_horizontal", "bar_horizontal_sorted")
CONFUSION = ("confusion", "confusion_normalized")
LINES = ("linear", "simple", "smooth")


class Plot(NamedTuple):
    """A series of a plot that dvc.yaml declares. As in DVC, bars lie: `x` is their length, `y` their name."""

    title: str
    template: str
    x: str
    y: str
    rows: Sequence[dict[str, Any]]


def code(text: str) -> str:
    """Text as inline code; safe in a table."""
    letters = one_line(text).replace("`", "'").replace("|", r"\|")
    return f"`{letters or ' '}`"


def command_line(text: str) -> str:
    """A command line to copy, each byte of it as it is; not for a table."""
    fence = "`" * (1 + max(map(len, re.findall("`+", text)), default=0))
    gap = " " if len(fence) > 1 else ""  # of which Markdown takes one away at each end
    return f"{fence}{gap}{text}{gap}{fence}"


def plain(text: str) -> str:
    """Escape text for Markdown and HTML, and so that it mentions nobody."""
    escaped = re.sub(r"[\\`*\[\]<>|~#]|(?<!\w)_|_(?!\w)", lambda found: "\\" + found[0], one_line(text))
    return re.sub(r"(?<!\w)@(?=\w)", "@<!-- -->", escaped)


def link(text: str, url: str) -> str:
    """A link, or the text alone where there is no URL."""
    address = re.sub(r"[<>|\s]", "", url)
    return f"[{plain(text)}](<{address}>)" if address else plain(text)


def table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table of cells that are Markdown; all but the first column stand to the right."""
    lines = [columns, ["---"] + ["---:"] * (len(columns) - 1), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def draw(plot: Plot) -> str:
    """A plot as Markdown: a Mermaid chart, a table for a confusion matrix, or words where it has no such form."""
    if plot.template in CONFUSION:
        return _confusion(plot)
    if plot.template in BARS:
        return _bars(plot)
    if plot.template in LINES:
        return _line(plot)
    return f"{plain(plot.title)}: the template {code(plot.template)} has no form here; `dvc plots show` draws it."


def _confusion(plot: Plot) -> str:
    counts = Counter((str(row.get(plot.y)), str(row.get(plot.x))) for row in plot.rows)
    labels = sorted({label for pair in counts for label in pair})[:MOST_POINTS]
    head = [f"{plain(plot.y)} \\\\ {plain(plot.x)}", *map(code, labels)]
    return f"{plain(plot.title)}\n\n" + table(
        head, ([code(actual), *(str(counts[actual, predicted]) for predicted in labels)] for actual in labels)
    )


def _bars(plot: Plot) -> str:
    bars = [(str(row.get(plot.y)), value) for row in plot.rows if (value := _number(row.get(plot.x))) is not None]
    if plot.template == "bar_horizontal_sorted":
        bars.sort(key=lambda bar: -bar[1])
    if not bars:
        return _nothing(plot)
    note = f"the first {MOST_POINTS} of {len(bars)}" if len(bars) > MOST_POINTS else ""
    bars = bars[:MOST_POINTS]
    values = [value for _, value in bars]
    low, high = min(0.0, *values), max(0.0, *values)  # a bar begins at nought
    return _chart(
        "xychart-beta horizontal",
        100 + 30 * len(bars),
        _titled(plot.title, note),
        f"x-axis {_label(plot.y)} [{', '.join(_label(name) for name, _ in bars)}]",
        f"y-axis {_label(plot.x)} {_decimal(low)} --> {_decimal(high if high > low else low + 1)}",
        f"bar [{', '.join(map(_decimal, values))}]",
    )


def _line(plot: Plot) -> str:
    points = [
        (row.get(plot.x, number), value)
        for number, row in enumerate(plot.rows)
        if (value := _number(row.get(plot.y))) is not None
    ]
    if not points:
        return _nothing(plot)
    every = math.ceil(len(points) / MOST_POINTS)
    note = f"1 in {every} of {len(points)} points" if every > 1 else ""
    points = points[::-1][::every][::-1]  # the last is always there
    values = [value for _, value in points]
    low, high = min(values), max(values)
    if low == high:
        low, high = low - 0.5, high + 0.5
    return _chart(
        "xychart-beta",
        400,
        _titled(plot.title, note),
        f"x-axis {_label(plot.x)} {_steps([x for x, _ in points])}",
        f"y-axis {_label(plot.y)} {_decimal(low)} --> {_decimal(high)}",
        f"{'line' if len(points) > 1 else 'bar'} [{', '.join(map(_decimal, values))}]",
    )


def _steps(along: list[Any]) -> str:
    """A range where the points stand at equal distances, which is how Mermaid sets them on one; else their names."""
    numbers = [number for x in along if (number := _number(x)) is not None]
    distances = {f"{after - before:.6g}" for before, after in pairwise(numbers)}
    if len(numbers) == len(along) > 1 and len(distances) == 1 and numbers[0] < numbers[-1]:
        return f"{_decimal(numbers[0])} --> {_decimal(numbers[-1])}"
    return f"[{', '.join(map(_label, along))}]"


def _chart(kind: str, height: int, title: str, *lines: str) -> str:
    look = {"xyChart": {"height": height}, "themeVariables": {"xyChart": {"plotColorPalette": COLOUR}}}
    body = "\n".join(f"    {line}" for line in (f"title {title}", *lines))
    return f"```mermaid\n%%{{init: {json.dumps(look)}}}%%\n{kind}\n{body}\n```"


def _nothing(plot: Plot) -> str:
    return f"{plain(plot.title)}: there are no numbers in {code(plot.x)} and {code(plot.y)}."


def _titled(title: str, note: str) -> str:
    """The title as Mermaid's string, with what of the plot is shown at its end, where that is not all."""
    if not note:
        return _label(title, LONGEST_TITLE)
    return _label(f"{one_line(title)[: LONGEST_TITLE - len(note) - 3]} ({note})", LONGEST_TITLE)


def _label(text: Any, longest: int = LONGEST_LABEL) -> str:
    """Text as Mermaid's string, which knows no escapes, is never empty, and must hold no comment or directive."""
    label = re.sub("%+", "%", one_line(str(text))).replace('"', "'")
    return f'"{label[:longest] or "-"}"'


def _decimal(value: float) -> str:
    """Mermaid knows no exponents."""
    return format(Decimal(f"{value:.6g}"), "f")


def _number(value: Any) -> float | None:
    try:
        number = float(value)
    except (TypeError, ValueError):
        return None
    return number if math.isfinite(number) else None


def one_line(text: str) -> str:
    """Text without line ends, and without letters that do not print."""
    return " ".join("".join(letter if letter.isprintable() else " " for letter in text).split())
