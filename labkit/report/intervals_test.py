"""The interval is the one that scipy computes, and is told only where it can be known."""

from typing import Any

import pytest

from labkit.report.intervals import interval_text, wilson

pytestmark = pytest.mark.unittest


@pytest.mark.parametrize(("right", "rows"), [(0, 1), (1, 1), (19, 20), (108, 113), (0, 50), (1_999_000, 2_000_000)])
def test_it_is_the_standard_one(right: int, rows: int) -> None:
    stats = pytest.importorskip("scipy.stats")  # scikit-learn brings it
    expected = stats.binomtest(right, rows).proportion_ci(0.95, method="wilson")
    assert wilson(right / rows, rows) == pytest.approx((expected.low, expected.high), abs=1e-12)


@pytest.mark.parametrize(
    ("metrics", "told"),
    [
        ({"accuracy": 108 / 113, "rows": 113}, " [0.901, 0.981]"),
        ({"accuracy": 1, "rows": 1}, " [0.207, 1.000]"),
        ({"accuracy": 0.9}, ""),
        ({"accuracy": 0.9, "rows": 0}, ""),
        ({"accuracy": float("nan"), "rows": 5}, ""),
        ({"accuracy": "0.9", "rows": True}, ""),
        ({"rows": 5}, ""),
    ],
)
def test_it_is_told_where_the_rows_are_known(metrics: dict[str, Any], told: str) -> None:
    assert interval_text(metrics, "accuracy") == told
    assert interval_text(metrics, "rows") == ""
