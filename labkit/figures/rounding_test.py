"""A number that is shown is its source's, rounded to the digits shown; and nothing else is."""

from fractions import Fraction
from math import inf, nan

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labkit.figures.rounding import Number, agrees, exact, rewritten

pytestmark = pytest.mark.unittest

LOOKS = ["0", "0.0", "0.000", "+0.00", "-1.0", "\u22121.00", "1,000", "1,000.5", "5 %", "95.50%", "1e-05", "1.25e+3"]
numbers = st.floats(allow_nan=False, allow_infinity=False) | st.integers(-(10**40), 10**40)


@pytest.mark.parametrize(
    ("shown", "value", "is_so"),
    [
        ("0.956", 0.9557522, True),
        ("0.96", 0.9557522, True),
        ("0.955", 0.9557522, False),
        ("0.9557522", 0.9557522, True),
        ("0.95575220", 0.9557522, True),
        ("0.95575221", 0.9557522, False),
        ("95.6 %", 0.9557522, True),
        ("96%", 0.9557522, True),
        ("95.6", 0.9557522, False),
        ("1", 0.9557522, True),
        ("1,234", 1234, True),
        ("1,235", 1234, False),
        ("+0.02", 0.0151, True),
        ("-0.02", 0.02, False),
        ("\u22120.02", -0.02, True),
        ("1.2e-05", 0.0000123, True),
        ("1.3e-05", 0.0000123, False),
        ("2.67", 2.675, True),  # which in binary is a little less
        ("2.68", 2.675, True),
        ("0.13", 0.125, True),
        ("0.12", 0.125, True),
        ("0.33", Fraction(1, 3), True),
    ],
)
def test_the_digits_shown_decide(shown: str, value: Number, is_so: bool) -> None:
    assert agrees(shown, value) is is_so


@pytest.mark.parametrize(
    ("shown", "value", "wanted"),
    [
        ("0.95", 0.9712, "0.97"),
        ("95 %", 0.9712, "97 %"),
        ("95.1%", 0.9712, "97.1%"),
        ("1,234", 1234567, "1,234,567"),
        ("999", 1234567, "1234567"),
        ("+0.02", 0.0312, "+0.03"),
        ("+0.02", -0.0312, "-0.03"),
        ("\u22120.02", -0.0312, "\u22120.03"),
        ("\u22120.02", 0.0312, "0.03"),
        ("1.2e-05", 0.000456, "4.6e-4"),
        ("0.95", 1e-9, "0.00"),
    ],
)
def test_the_look_stays(shown: str, value: Number, wanted: str) -> None:
    assert rewritten(shown, value) == wanted


@settings(deadline=None)
@given(st.sampled_from(LOOKS), numbers)
def test_what_is_rewritten_agrees_and_stays(look: str, value: Number) -> None:
    once = rewritten(look, value)
    assert agrees(once, value)
    assert rewritten(once, value) == once


@settings(deadline=None)
@given(st.sampled_from(LOOKS), numbers, numbers)
def test_what_agrees_with_two_values_is_as_near_to_both(look: str, value: Number, other: Number) -> None:
    shown = rewritten(look, value)
    if agrees(shown, other) and "e" not in look:
        unit = Fraction(1, 10 ** len(look.rstrip(" %").partition(".")[2])) / (100 if "%" in look else 1)
        assert abs(exact(value) - exact(other)) <= unit


@pytest.mark.parametrize("value", [nan, inf, -inf])
def test_what_is_no_number_is_refused(value: float) -> None:
    with pytest.raises(ValueError, match="which is no number"):
        agrees("1", value)
