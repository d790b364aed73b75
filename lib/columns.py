"""The columns of the raw table, and their values as the preprocessing takes them: in training and when served.

A packaged model holds a copy of this file, so it imports nothing of the lab.
"""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
import pandas as pd
from pandas.api.types import is_datetime64_any_dtype, is_float_dtype

LARGEST = float(np.finfo(np.float32).max)  # models compute with numbers of 32 bits

DATE_PARTS: dict[str, Callable[["pd.Series[Any]"], "pd.Series[Any]"]] = {
    "year": lambda dates: dates.dt.year,
    "month": lambda dates: dates.dt.month,
    "weekday": lambda dates: dates.dt.day_of_week,  # Monday is 0
    "days_since": lambda dates: (dates - pd.Timestamp(1970, 1, 1)) / pd.Timedelta(days=1),
}


class Column(NamedTuple):
    """A column that predictions are made from.

    optional: a missing value is filled in, where it is refused otherwise. levels: those of an ordered category, lowest
    first. date_format: how text is read that is no ISO date, in the terms of strptime. marks: words that stand for a
    missing value.
    """

    name: str
    kind: Literal["number", "category", "date"]
    optional: bool = False
    levels: Sequence[str] | None = None
    date_format: str | None = None
    marks: Sequence[str] = ()


def load_columns(path: str | Path) -> list[Column]:
    """The columns as prepare_data writes them to data/processed/columns.json."""
    return [Column(**column) for column in json.loads(Path(path).read_text(encoding="utf-8"))]


def typed(rows: pd.DataFrame, columns: Sequence[Column]) -> pd.DataFrame:
    """The columns of raw rows: numbers as float64, categories as text, dates as datetime64; missing is NaN or NaT.

    A column that is absent is missing in all rows. Raises ValueError, naming the column, for a value that is none of
    its kind, and for a missing one where it is not optional.
    """
    if absent := [column.name for column in columns if column.name not in rows and not column.optional]:
        raise ValueError(f"missing inputs {absent}; give these columns")
    return pd.DataFrame({column.name: _typed(rows, column) for column in columns}, index=rows.index)


def _typed(rows: pd.DataFrame, column: Column) -> "pd.Series[Any]":
    raw = rows[column.name] if column.name in rows else pd.Series(np.nan, rows.index, name=column.name)
    if column.marks:
        raw = raw.astype(object).where(~raw.isin(column.marks), np.nan)
    match column.kind:
        case "number":
            values = as_numbers(raw)
        case "category":
            values = as_text(raw)
            if column.levels is not None:  # another has no place in their order
                values = values.where(values.isin(column.levels))
        case "date":
            values = as_dates(raw, column.date_format)
    if not column.optional and values.isna().any():
        _refuse_first(raw, values.isna(), column)
    if column.kind == "number" and (values.abs() > LARGEST).any():
        raise ValueError(f"infinite or far too large values in {column.name}; mend these rows")
    if column.kind == "date" and (values.isna() & raw.notna()).any():
        _refuse_first(raw, values.isna() & raw.notna(), column)
    return values


def _refuse_first(raw: "pd.Series[Any]", wrong: "pd.Series[bool]", column: Column) -> None:
    value = raw[wrong.to_numpy()].iloc[0]
    if pd.isna(value):
        raise ValueError(f"missing values in {column.name}; mend these rows")
    wanted = f"one of {', '.join(column.levels)}" if column.levels else "a date"
    raise ValueError(f"values in {column.name} that are not {wanted}: {value!r:.60}; mend these rows")


def as_numbers(column: "pd.Series[Any]") -> "pd.Series[float]":
    """The column as floats. Raises ValueError, naming the column, for a value that is no number."""
    if is_float_dtype(column.dtype) and isinstance(column.dtype, np.dtype):
        return column.astype(np.float64)
    present = column.notna()
    numbers = np.full(len(column), np.nan)
    try:
        numbers[present] = column[present].astype(np.float64)
    except (OverflowError, TypeError, ValueError) as error:
        raise ValueError(f"values that are no numbers in {column.name}: {error}; mend these rows") from None
    return pd.Series(numbers, column.index, name=column.name)


def as_text(column: "pd.Series[Any]") -> "pd.Series[Any]":
    """The column as text; 1, 1.0 and '1' are the same, since a missing value makes floats of whole numbers."""

    def text(value: Any) -> str:
        return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)

    known = column.astype(object).map(text, na_action="ignore").astype(object)
    return known.where(column.notna(), np.nan)  # scikit-learn fills in NaN alone, not None


def as_dates(column: "pd.Series[Any]", date_format: str | None) -> "pd.Series[Any]":
    """The column as dates without a time zone (in UTC, where they have one); NaT for what is no date."""
    if not is_datetime64_any_dtype(column.dtype):
        text = column.astype(object).map(str, na_action="ignore")
        dates = pd.to_datetime(text, format="ISO8601", errors="coerce", utc=True)
        if date_format is not None:
            dates = pd.to_datetime(text, format=date_format, errors="coerce", utc=True).fillna(dates)
        column = dates
    naive = column if column.dt.tz is None else column.dt.tz_convert("UTC").dt.tz_localize(None)
    return naive.astype("datetime64[us]")


def date_features(dates: pd.DataFrame, parts: Sequence[str]) -> pd.DataFrame:
    """Numbers in the place of dates: (rows, dates x parts), NaN where a date is missing."""
    return pd.DataFrame(
        {f"{name}_{part}": DATE_PARTS[part](dates[name]).astype(np.float64) for name in dates for part in parts},
        index=dates.index,
    )


def date_feature_names(transformer: Any, names: Sequence[str]) -> list[str]:
    """What date_features calls its columns, as scikit-learn asks for it."""
    return [f"{name}_{part}" for name in names for part in transformer.kw_args["parts"]]


def missing_features(columns: pd.DataFrame) -> pd.DataFrame:
    """1.0 where a value is missing, else 0.0."""
    return columns.isna().astype(np.float64)


def missing_feature_names(transformer: Any, names: Sequence[str]) -> list[str]:
    """What missing_features tells of, as scikit-learn asks for it."""
    return [f"{name}_missing" for name in names]


def level_name(column: str, level: Any) -> str:
    """What the feature for a level of a category is called."""
    return f"{column}={level}"
