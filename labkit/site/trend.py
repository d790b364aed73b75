"""The metric over the experiments of a branch, as the places of dots in a picture."""

from collections.abc import Sequence
from typing import NamedTuple

from labkit.site.entries import Entry
from labkit.site.page import Row

MOST = 120  # dots: more can't be told apart
WIDTH, HEIGHT, EDGE = 1200, 90, 6


class Dot(NamedTuple):
    """An experiment at a place."""

    x: float
    y: float
    entry: Entry
    row: Row


class Trend(NamedTuple):
    """The dots, the oldest first, and the ends of the scale."""

    metric: str
    branch: str
    low: float
    high: float
    dots: list[Dot]

    @property
    def line(self) -> str:
        """The way from dot to dot, as SVG's points."""
        return " ".join(f"{dot.x:.1f},{dot.y:.1f}" for dot in self.dots)


def trend_of(shown: Sequence[tuple[Entry, Row]]) -> Trend | None:
    """The trend of the newest experiment's branch and metric; None for fewer than two. The newest is the first."""
    known = [(entry, row, row.value) for entry, row in shown if row.value is not None]
    if not known:
        return None
    (newest, told, _) = known[0]
    of_branch = [one for one in known if one[0].branch == newest.branch and one[1].metric == told.metric]
    chosen = of_branch[:MOST][::-1]
    values = [value for *_, value in chosen]
    low, high = min(values), max(values)
    step = (WIDTH - 2 * EDGE) / max(1, len(chosen) - 1)
    room = HEIGHT - 2 * EDGE
    dots = [
        Dot(EDGE + place * step, EDGE + room * ((high - value) / (high - low) if high > low else 0.5), entry, row)
        for place, (entry, row, value) in enumerate(chosen)
    ]
    return Trend(told.metric, newest.branch, low, high, dots) if len(dots) > 1 else None
