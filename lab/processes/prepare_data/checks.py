"""All that a table lacks to be prepared, found before anything is made of it."""

import re
from collections.abc import Iterator
from numbers import Number
from typing import Any

import pandas as pd
from pandas.api.types import is_numeric_dtype

from lab.processes.prepare_data.params import Constant, Data, Split
from lab.processes.prepare_data.problems import Problem, first, place, refuse, shown, some
from lab.processes.prepare_data.reading import Settings
from lab.processes.prepare_data.recognition import (
    Recognised,
    distinct,
    other_formats,
    otherwise_written,
    recognise,
    to_numbers,
)
from lab.processes.prepare_data.target import target_problems
from lib.columns import LARGEST, Column, as_dates, as_text

LIMIT = re.compile(r"[<>≤≥]\s*\d")  # as laboratories write what is too little to measure
ID_ROWS = 20  # from here on, words that never repeat name their rows


def check_table(table: pd.DataFrame, data: Data, split: Split, guessed: Settings) -> None:
    """Raise InputError, which tells all that stands in the way, unless the table can be prepared.

    `guessed` is what the table was read with in place of `data`.
    """
    problems = [
        Problem(f"the file's {key} is not {getattr(data, key)!r}; it looks like {value!r}", {key: value})
        for key, value in guessed.items()
    ]
    unclear = unclear_names(table, data)
    problems += [
        Problem(f"more than one column is called {name!r}" if name else "a column has no name", {"drop": [name]})
        for name in unclear
        if name != data.target
    ]
    as_read = data.model_copy(update={**guessed, "drop": [*data.drop, *unclear]})
    if taken := stand_in_target(table, as_read, split):
        told = f"no column {data.target!r}; set data.target to one of {some(table.columns)}"
        problems.append(Problem(f"{told}. The rest is told as if it were the last, {taken}"))
        as_read = as_read.model_copy(update={"target": taken})
    if unusable := [*structure_problems(table, as_read, split)]:
        refuse(data, [*problems, *unusable])
    for name in feature_names(table, as_read, split):
        problems += value_problems(name, table[name], as_read)
    for name in filter(None, (split.group, split.time)):
        problems += order_problems(name, table[name], as_read, split)
    if taken:
        refuse(data, problems)
    problems += label_problems(table[data.target])
    problems += target_problems(table[data.target], kept_rows(table, as_read, split)[data.target], as_read, split)
    refuse(data, problems)


def stand_in_target(table: pd.DataFrame, data: Data, split: Split) -> str | None:
    """Where the target is no column: the last one, as which it mostly stands, so that the others can be looked at."""
    if data.target in table.columns or table.empty:
        return None
    return next((name for name in reversed(feature_names(table, data, split))), None)


def feature_names(table: pd.DataFrame, data: Data, split: Split) -> list[str]:
    """The columns to learn from: all but the target, those dropped, and the one that the rows are split by."""
    left_out = {*data.drop, data.target, split.group, split.time}
    return [name for name in table.columns if name not in left_out]


def unclear_names(table: pd.DataFrame, data: Data) -> list[str]:
    """Names that stand for no column or for several, unless these are dropped."""
    columns = table.columns
    return [name for name in columns.unique() if name not in data.drop and (not name or (columns == name).sum() > 1)]


def columns_of(table: pd.DataFrame, data: Data, split: Split) -> list[Column]:
    """The columns to learn from, as far as the table passes check_table."""
    return [_column(name, table[name], data) for name in feature_names(table, data, split)]


def kept_rows(table: pd.DataFrame, data: Data, split: Split) -> pd.DataFrame:
    """The table without the rows that data.missing, drop_unlabelled and drop_duplicates leave out."""
    features, labels = feature_names(table, data, split), [data.target, *filter(None, (split.group, split.time))]
    complete = [name for name in features if data.missing_of(name) == "drop_rows"]
    kept = table.dropna(subset=[*complete, *(labels if data.drop_unlabelled else [])])
    return kept.drop_duplicates(subset=[*features, *labels]) if data.drop_duplicates else kept


def structure_problems(table: pd.DataFrame, data: Data, split: Split) -> Iterator[Problem]:
    """What is wrong with the columns as such; values can't be told by column then."""
    columns = table.columns
    if data.target not in columns:
        yield Problem(f"no column {data.target!r}; set data.target to one of {some(columns)}")
    for name in filter(None, (data.target, split.group, split.time)):
        if (columns == name).sum() > 1:
            yield Problem(f"more than one column is called {name!r}, which params.yaml names; rename the others")
    if not feature_names(table, data, split):
        yield Problem(f"no column beside {data.target!r} (data.target) to learn from; add the features")
    if table.empty:
        yield Problem("no rows; a table to learn from is needed")
    yield from naming_problems(list(columns), data, split)


def naming_problems(columns: list[str], data: Data, split: Split) -> Iterator[Problem]:
    """Settings that name a column which the table lacks, or which they are not for."""
    named = {
        "drop": data.drop,
        "categories": data.category_names(),
        "dates": data.date_names(),
        "missing": [*data.missing] if isinstance(data.missing, dict) else [],
        "missing_indicator": data.missing_indicator if isinstance(data.missing_indicator, list) else [],
        "scale": [*data.scale] if isinstance(data.scale, dict) else [],
    }
    keys = [(f"data.{key}", name) for key, names in named.items() for name in names]
    keys += [(f"split.{key}", name) for key, name in (("group", split.group), ("time", split.time)) if name is not None]
    for key, name in keys:
        if name not in columns:
            yield Problem(f"no column {name!r}, which {key} names; correct it to one of {some(columns)}")
    for key, name in keys:
        if key.startswith("data.") and key != "data.drop" and name == data.target:
            yield Problem(f"{name!r} is no feature; take it out of {key}")
    if data.target in data.drop:
        yield Problem(f"{data.target!r} is the target; take it out of data.drop")


def value_problems(name: str, column: "pd.Series[Any]", data: Data) -> Iterator[Problem]:
    """What is wrong with the values of a feature, and what there is no setting for yet."""
    if column.isna().all():
        yield Problem(f"{name} has no values", {"drop": [name]})
        return
    found = recognise(column, data)
    if not {name} & {*data.date_names(), *data.category_names()} and (found.marks or not found.settings):
        other = otherwise_written(column, data)
        if other.any():
            told = f"numbers with other marks than data.decimal and data.thousands say: {first(name, column, other)}"
            yield Problem(f"{told}; write all numbers of the table alike, or add {name} to data.drop")
            return
    if is_date(name, found, data):
        kind = "date"
        yield from _date_problems(name, column, data, found)
    elif name in data.category_names():
        kind = "category"
        yield from _level_problems(name, column, data)
    else:
        kind = found.kind
        yield from _kind_problems(name, column, data, found)
    if kind == "number" and not found.settings:
        yield from _size_problems(name, column)
    yield from _method_problems(name, data, kind)
    missing = column.isna() | column.isin([] if kind == "category" else found.marks)
    if missing.any() and data.missing_of(name) is None:
        usual: Any = "most_frequent" if kind == "category" else "median"
        where = place(missing.index[int(missing.to_numpy().argmax())])
        told = f"missing values: {name} has none in {missing.sum()} of {len(missing)} rows, first in {where}"
        yield Problem(told, {"missing": {name: usual}})


def is_date(name: str, found: Recognised, data: Data) -> bool:
    """Whether a column is taken for dates: it is named so, or all columns of dates are."""
    if isinstance(data.dates, dict):
        return name in data.dates
    return found.kind == "date" and name not in data.category_names()


def _kind_problems(name: str, column: "pd.Series[Any]", data: Data, found: Recognised) -> Iterator[Problem]:
    """What a column holds that is no number, and nothing says what to do with."""
    marked, written = column.isin(found.marks), column.notna()
    if found.kind == "number" and found.settings:
        written &= column.map(str).str.contains("|".join(map(re.escape, found.settings.values())))
    example = first(name, column, written & ~marked)
    if found.marks:
        limits = column.isin([mark for mark in found.marks if LIMIT.match(mark)])
        if limits.any():
            told = f"a limit in the place of a value: {first(name, column, limits)}; a missing value tells nothing of"
            told += f" the limit, but data.missing: {{{name}: {{constant: ...}}}} can"
        else:
            told = f"words between the values: {first(name, column, marked)}"
        yield Problem(told, {"missing_values": found.marks})
    match found.kind:
        case "number" if found.settings:
            yield Problem(f"numbers with other marks: {example}", found.settings)
        case "date":
            parts: Any = {"dates": {name: ["year", "month", "weekday"]}}
            yield Problem(f"dates: {example}{_other_order(column, found)}", parts | found.settings)
        case "category" if data.categories != "one_hot":
            levels = len(distinct(column))
            if levels == column.notna().sum() >= ID_ROWS:
                yield Problem(f"words, other ones in every row: {example}", {"drop": [name]})
            elif levels > 2 * data.max_levels:
                told = f"words, {levels} different ones in {len(column)} rows: {example}"
                yield Problem(
                    f"{told}; if they tell which rows belong together, set split.group: {name}", {"drop": [name]}
                )
            else:
                yield Problem(f"words, {levels} different ones: {example}", {"categories": {name: "one_hot"}})


def _date_problems(name: str, column: "pd.Series[Any]", data: Data, found: Recognised) -> Iterator[Problem]:
    wrong = column.notna() & as_dates(column, data.date_format).isna()
    if wrong.any():
        settings = found.settings if found.kind == "date" else {}
        remedy = _other_order(column, found) if settings else "; correct it, or set data.date_format"
        yield Problem(f"no date: {first(name, column, wrong)}{remedy}", settings)


def _other_order(column: "pd.Series[Any]", found: Recognised) -> str:
    """What to say of dates that another format fits as well, as day and month in 01/02/2020."""
    chosen = found.settings.get("date_format")
    others = other_formats(column, chosen) if chosen else []
    return f"; {chosen} and {' and '.join(others)} fit all of them: set the one that is meant" if others else ""


def _level_problems(name: str, column: "pd.Series[Any]", data: Data) -> Iterator[Problem]:
    levels = data.categories_of(name)
    if isinstance(levels, list):
        unknown = column.notna() & ~as_text(column).isin(levels)
        if unknown.any():
            yield Problem(f"no level of data.categories.{name}: {first(name, column, unknown)}; put it in its place")


def _size_problems(name: str, column: "pd.Series[Any]") -> Iterator[Problem]:
    large = to_numbers(column).abs() > LARGEST
    if large.any():
        told = f"infinite or far too large values: {first(name, column, large)}"
        yield Problem(f"{told}; correct them in the source, or drop the column", {"drop": [name]})


def _method_problems(name: str, data: Data, kind: str) -> Iterator[Problem]:
    """Where what data.missing fills in is no value of the column."""
    method, levels = data.missing_of(name), data.categories_of(name)
    if method == "median" and kind == "category" and isinstance(data.missing, dict):
        yield Problem(f"data.missing: words have no median: {name}", {"missing": {name: "most_frequent"}})
    if not isinstance(method, Constant):
        return
    if kind == "date" or (kind == "number" and isinstance(method.constant, str)):
        yield Problem(f"data.missing: {method.constant!r} is no {kind}, as {name} has them; give {name} another method")
    if kind == "category" and isinstance(levels, list) and str(method.constant) not in levels:
        yield Problem(f"data.missing: {method.constant!r} is no level of data.categories.{name}; use one of them")


def order_problems(name: str, column: "pd.Series[Any]", data: Data, split: Split) -> Iterator[Problem]:
    """What keeps the rows from being split by a column."""
    if column.isna().any() and not data.drop_unlabelled:
        told = f"rows cannot be split by what is missing: {first(name, column, column.isna())}"
        yield Problem(told, {"drop_unlabelled": True})
    if name == split.time:
        found = recognise(column, data)
        if found.kind == "category" or found.marks or found.settings:
            told = f"split.time: {name} holds no dates or numbers as they are read"
            told += f" ({first(name, column, column.notna())}){_other_order(column, found)}"
            yield Problem(told, found.settings)


def label_problems(labels: "pd.Series[Any]") -> Iterator[Problem]:
    """Labels that are one class written in several ways, as 0 and 0.0, which would become several classes."""
    known = distinct(labels)
    if is_numeric_dtype(labels) or is_numeric_dtype(pd.Series(known.tolist())):
        return
    kinds = {isinstance(label, Number): label for label in known}
    if len(kinds) > 1:
        told = f"labels that are numbers and labels that are text: {shown(kinds[True])} and {shown(kinds[False])}"
        yield Problem(f"{told}; write all of {labels.name} alike in all files")
        return
    text = known.astype(str)
    alike = text.groupby(to_numbers(text).astype(object).where(to_numbers(text).notna(), text.str.strip()))
    for spellings in (some(map(shown, same)) for _, same in alike if len(same) > 1):
        yield Problem(
            f"labels that differ only in how they are written: {spellings}; write each class of {labels.name} alike"
        )


def _column(name: str, column: "pd.Series[Any]", data: Data) -> Column:
    optional = data.missing_of(name) not in (None, "drop_rows")
    found, marks = recognise(column, data), tuple(data.missing_values) if optional else ()
    if is_date(name, found, data):
        return Column(name, "date", optional, date_format=data.date_format, marks=marks)
    if name in data.category_names() or found.kind == "category":
        levels = data.categories_of(name)
        return Column(name, "category", optional, levels if isinstance(levels, list) else None, marks=marks)
    return Column(name, "number", optional, marks=marks)
