"""Whether a number that is shown is the source's, rounded to the digits shown; and the source's number, shown so.

`0.96`, `95.6 %` and `9.56e-1` are all 0.95575. A tie may be rounded either way.
"""

from decimal import Decimal
from fractions import Fraction
from math import isfinite
from typing import NamedTuple

MINUS = "\u2212"  # as typesetters write it
Number = int | float | Fraction


class _Shown(NamedTuple):
    """A number as it is written: its digits, and what follows them."""

    digits: str
    percent: str

    @property
    def decimal(self) -> Decimal:
        return Decimal(self.digits.replace(MINUS, "-").replace(",", ""))

    @property
    def unit(self) -> Fraction:
        """The worth of its last digit."""
        exponent = self.decimal.as_tuple().exponent
        assert isinstance(exponent, int)  # there is no number that is none
        return Fraction(10) ** exponent


def exact(value: Number) -> Fraction:
    """A number as it is written in a file. Raises ValueError for one that is not finite."""
    if isinstance(value, float) and not isfinite(value):
        raise ValueError(f"it is {value}, which is no number")
    return Fraction(repr(value)) if isinstance(value, float) else Fraction(value)


def agrees(shown: str, value: Number) -> bool:
    """Whether `shown` is the value, rounded to its digits."""
    told = _split(shown)
    return abs(Fraction(told.decimal) - _scaled(told, value)) <= told.unit / 2


def rewritten(shown: str, value: Number) -> str:
    """The value with as many digits as `shown` has, and its look."""
    told = _split(shown)
    wanted = _scaled(told, value)
    if "e" in told.digits.lower():
        mantissa = told.digits.lower().partition("e")[0].partition(".")[2]
        text = f"{Decimal(wanted.numerator) / Decimal(wanted.denominator):.{len(mantissa)}e}"
    else:
        counted = round(wanted / told.unit)
        exponent = told.decimal.as_tuple().exponent
        decimal = Decimal((int(counted < 0), tuple(map(int, str(abs(counted)))), int(exponent)))
        text = format(decimal, ",f" if "," in told.digits else "f")
    sign = "+" if told.digits.startswith("+") and not text.startswith("-") else ""
    return sign + (text.replace("-", MINUS, 1) if told.digits.startswith(MINUS) else text) + told.percent


def _split(shown: str) -> _Shown:
    digits = shown.rstrip("%").rstrip()
    return _Shown(digits, shown[len(digits) :])


def _scaled(told: _Shown, value: Number) -> Fraction:
    return exact(value) * (100 if told.percent.endswith("%") else 1)
