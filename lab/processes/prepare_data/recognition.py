"""What the values of a column seem to be: numbers, dates or words, and how they are written."""

import re
from collections.abc import Iterator
from typing import Any, Literal, NamedTuple

import numpy as np
import pandas as pd
from pandas.api.types import is_complex_dtype, is_datetime64_any_dtype, is_numeric_dtype

from lab.processes.prepare_data.params import Data
from lab.processes.prepare_data.reading import Settings
from lib.columns import as_dates

DATE_FORMATS = (
    "%d.%m.%Y",
    "%d/%m/%Y",
    "%m/%d/%Y",
    "%Y/%m/%d",
    "%d-%m-%Y",
    "%m-%d-%Y",
    "%d.%m.%y",
    "%d/%m/%y",
    "%m/%d/%y",
)
DECIMAL_COMMA = re.compile(r"[-+]?(\d+|\d{1,3}(\.\d{3})+),\d+")
THOUSANDS_POINT = re.compile(r"[-+]?\d{1,3}(\.\d{3})+")
THOUSANDS_COMMA = re.compile(r"[-+]?\d{1,3}(,\d{3})+(\.\d+)?")
ANY_NUMBER = r"[-+]?\d+([.,]\d{3})*([.,]\d+)?"
MOST_MARKS = 3  # of other words in a column are marks for missing values; with more it holds words


Reading = tuple[Literal["number", "date"], Settings, "pd.Series[bool]"]


class Recognised(NamedTuple):
    """What a column holds, the settings that read it so, and the words in it that seem to mean a missing value."""

    kind: Literal["number", "category", "date"]
    settings: Settings
    marks: list[str]


def recognise(column: "pd.Series[Any]", data: Data) -> Recognised:
    """What a column seems to hold, of a table that was read as `data` says."""
    if is_complex_dtype(column.dtype):
        return Recognised("category", {}, [])
    if is_numeric_dtype(column.dtype):
        return Recognised("number", {}, [])
    if is_datetime64_any_dtype(column.dtype):
        return Recognised("date", {}, [])
    values = distinct(column)
    readings = [
        (kind, settings, [str(value) for value in values[~fits]])
        for kind, settings, fits in _readings(values, data)
        if fits.mean() >= 0.5 and (~fits).sum() <= MOST_MARKS
    ]
    if not readings:
        return Recognised("category", {}, [])
    kind, settings, marks = min(readings, key=lambda reading: len(reading[2]))  # the first of equals
    return Recognised(kind, settings, sorted(marks))


def other_formats(column: "pd.Series[Any]", chosen: str) -> list[str]:
    """The formats that read as many of the values as the chosen one."""
    values = distinct(column)
    most = as_dates(values, chosen).notna().sum()
    return [known for known in DATE_FORMATS if known != chosen and as_dates(values, known).notna().sum() == most]


def otherwise_written(column: "pd.Series[Any]", data: Data) -> "pd.Series[bool]":
    """Where a number has other marks than those that `data` sets, in a column that holds mostly numbers."""
    if is_numeric_dtype(column.dtype) or (data.decimal == "." and data.thousands is None):
        return pd.Series(False, column.index)
    text = column.astype(object).where(column.map(lambda value: isinstance(value, str))).astype("str").str.strip()
    mark, point = re.escape(data.thousands or data.decimal), re.escape(data.decimal)
    numbers = text.str.fullmatch(ANY_NUMBER).eq(True)
    good = text.str.fullmatch(rf"[-+]?(\d+|\d{{1,3}}({mark}\d{{3}})+)({point}\d+)?").eq(True)
    return numbers & ~good & (numbers.sum() >= column.notna().sum() / 2)


def distinct(column: "pd.Series[Any]") -> "pd.Series[Any]":
    """The different values of a column, without the missing ones."""
    return pd.Series(column.dropna().unique(), dtype=object)


def to_numbers(values: "pd.Series[Any]") -> "pd.Series[float]":
    """The values as floats, NaN for what is no number."""
    try:
        numbers = pd.to_numeric(values, errors="coerce")
    except OverflowError:  # whole numbers beyond all floats are infinite
        numbers = pd.to_numeric(values.map(str, na_action="ignore"), errors="coerce")
    return numbers.astype(np.float64)


def _readings(values: "pd.Series[Any]", data: Data) -> Iterator[Reading]:
    """The ways to read values, and which of them each fits; the likelier way comes first."""
    numbers = to_numbers(values).notna()
    text = values.map(str).str.strip()  # astype(str) fails for bytes that are no UTF-8
    if data.decimal != ".":  # 1.234 is then no fraction
        numbers &= ~text.str.contains(".", regex=False)
    yield "number", {}, numbers
    yield from _commas(text, numbers, data)
    if text.str.contains(r"\d\D+\d", regex=True).mean() >= 0.5:
        yield "date", {}, as_dates(values, data.date_format).notna()
        for known in DATE_FORMATS:
            yield "date", {"date_format": known}, as_dates(values, known).notna()


def _commas(text: "pd.Series[Any]", numbers: "pd.Series[bool]", data: Data) -> list[Reading]:
    """The ways to read numbers in which a comma or a point is something else than `data` says."""

    def fits(pattern: re.Pattern[str]) -> "pd.Series[bool]":
        return text.map(lambda value: pattern.fullmatch(value) is not None).astype(bool)

    if data.thousands is not None:  # another way to read this column would misread those that fit
        return []
    decimal, thousands, points = fits(DECIMAL_COMMA), fits(THOUSANDS_COMMA), fits(THOUSANDS_POINT)
    if data.decimal == ",":
        return [("number", {"thousands": "."}, points | numbers)] if points.any() else []
    pointed = bool((decimal & text.str.contains(".", regex=False)).any())
    ways: list[Reading] = []
    if thousands.any():
        ways.append(("number", {"thousands": ","}, thousands | numbers))
    if decimal.any():
        ways.append(("number", {"decimal": ","} | ({"thousands": "."} if pointed else {}), decimal | numbers))
    return ways[::-1] if data.separator == ";" else ways  # as where the comma is the decimal mark
