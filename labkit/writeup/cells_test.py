"""A figure has the digits that its size calls for, and none where there is no number."""

from typing import Any

import pytest

from labkit.figures.notation import Formula, Source
from labkit.writeup.cells import CHANGE, number

pytestmark = pytest.mark.unittest

FORMULA = Formula((Source("metrics.json", ("rmse",)),))


@pytest.mark.parametrize(
    ("value", "look", "shown"),
    [
        (0.95575, "0.0000", "0.9558"),
        (61.0834, "0.0000", "61.08"),
        (-61.0834, CHANGE, "-61.08"),
        (0.7206, CHANGE, "+0.7206"),
        (400, "0.0000", "400"),
        ([1, 2, 3], "0.0000", "3"),
    ],
)
def test_a_large_number_has_fewer_digits(value: Any, look: str, shown: str) -> None:
    assert number(lambda _: value, FORMULA, look) == f"{shown}<!--= metrics.json#rmse -->"


@pytest.mark.parametrize("value", ["a word", None, float("nan")])
def test_what_is_no_number_has_none(value: Any) -> None:
    assert number(lambda _: value, FORMULA) == "-"
