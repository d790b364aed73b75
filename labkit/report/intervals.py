"""How sure a share is: an accuracy of 19 right in 20 rows is not one of 1,900 in 2,000."""

from collections.abc import Mapping
from math import sqrt
from statistics import NormalDist
from typing import Any

from labkit.process.flat import is_number

SHARE, ROWS = "accuracy", "rows"  # a metric that is a share of rows, and how many these are, beside it
LEVEL = 0.95
INTERVAL = (
    f"In brackets: the {LEVEL:.0%} Wilson interval of `{SHARE}` on its `{ROWS}`. Of two models on the same rows, "
    "one can be better for certain although their intervals overlap."
)


def wilson(share: float, rows: float, level: float = LEVEL) -> tuple[float, float]:
    """Wilson's score interval of a share that was seen in so many independent rows, more than none."""
    z = NormalDist().inv_cdf((1 + level) / 2)
    middle = (share + z**2 / (2 * rows)) / (1 + z**2 / rows)
    half = z * sqrt(share * (1 - share) / rows + (z / (2 * rows)) ** 2) / (1 + z**2 / rows)
    return max(0.0, middle - half), min(1.0, middle + half)


def interval_text(metrics: Mapping[str, Any], name: str) -> str:
    """The interval to put after the metric `name`; nothing where it is not a share, or its rows are not told."""
    share, rows = metrics.get(name), metrics.get(ROWS)
    if name != SHARE or share is None or rows is None or not (is_number(share) and is_number(rows)):
        return ""
    if not 0 <= share <= 1 <= rows:
        return ""
    low, high = wilson(share, rows)
    return f" [{low:.3f}, {high:.3f}]"
