"""Turn a table into what the models take: checked, split, scaled, and described."""

from collections.abc import Callable, Sequence
from math import ceil
from pathlib import Path
from typing import Any, NamedTuple

import joblib
import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pandas.api.types import is_numeric_dtype
from sklearn.preprocessing import StandardScaler

from lab.processes.prepare_data.params import Data, Split
from labkit.process.errors import InputError
from labkit.process.files import replacing, write_json
from lib.data_splits import ArraySplits, Dataset, save_data_splits

EXAMPLE_ROWS = 5


class Prepared(NamedTuple):
    """The splits, the scaler fitted on the raw training rows, what the columns mean, and some raw training rows."""

    splits: ArraySplits
    preprocessing: StandardScaler
    dataset: Dataset
    example_rows: pd.DataFrame


def prepare(table: pd.DataFrame, data: Data, split: Split) -> Prepared:
    """Split a table of numeric features and one column of labels by class, and scale it by its training rows.

    Raises InputError, naming the column and the remedy, when a classifier could not be trained on it.
    """
    table = table.rename(columns=str)
    _check_columns(table, data)
    _check_values(table, data)
    features = table.drop(columns=data.target).astype(np.float64)
    y, classes = encode_labels(table[data.target])
    _check_classes(y, classes, data, split)
    train, validation, test = split_by_class(y, split)
    raw_train = features.iloc[train]
    scaler = StandardScaler().fit(raw_train)
    with np.errstate(over="ignore"):  # it is infinite then, and refused
        X_train, X_val, X_test = (
            scaler.transform(features.iloc[rows]).astype(np.float32) for rows in (train, validation, test)
        )
    _check_scaled((X_train, X_val, X_test), features.columns, data)
    return Prepared(
        splits=ArraySplits(X_train, X_val, X_test, y[train], y[validation], y[test]),
        preprocessing=scaler,
        dataset=Dataset(data.target, list(features.columns), classes),
        example_rows=table.drop(columns=data.target).iloc[train[:EXAMPLE_ROWS]],
    )


def encode_labels(labels: "pd.Series[Any]") -> tuple[NDArray[np.int64], list[str]]:
    """Each row's index into the classes, and the classes: numbers in their order, all else in that of the letters.

    Raises InputError for bytes that are no text.
    """
    try:
        comparable = labels if is_numeric_dtype(labels) else labels.astype(str)
    except UnicodeDecodeError:
        raise InputError(f"data.target {labels.name!r:.60}: labels that are bytes and no UTF-8; write words") from None
    y, classes = pd.factorize(comparable, sort=True)
    return y.astype(np.int64), [str(label) for label in classes]


def split_by_class(y: NDArray[np.int64], split: Split) -> tuple[NDArray[np.int64], ...]:
    """Row numbers of training, validation and test, shuffled; each part of the split is taken from each class.

    scikit-learn's train_test_split rounds over all classes at once, and so may leave one out of a part.
    """
    shuffled = np.random.default_rng(split.seed).permutation(len(y))
    part = np.zeros(len(y), dtype=np.int8)
    by_class = shuffled[np.argsort(y[shuffled], kind="stable")]
    for rows in np.split(by_class, np.cumsum(np.bincount(y))[:-1]):
        validation, test = int(split.validation * len(rows)), int(split.test * len(rows))
        part[rows[:validation]] = 1
        part[rows[validation : validation + test]] = 2
    return tuple(shuffled[part[shuffled] == number] for number in range(3))


def save_prepared(prepared: Prepared, directory: str | Path) -> None:
    """Replace the directory by one that holds everything prepared; if that fails, it stays as it was."""
    with replacing(directory) as beside:
        save_data_splits(prepared.splits, beside)
        write_json(beside / "dataset.json", prepared.dataset._asdict())
        joblib.dump(prepared.preprocessing, beside / "preprocessing.joblib")
        prepared.example_rows.to_csv(beside / "example_rows.csv", index=False, lineterminator="\n")


def _check_columns(table: pd.DataFrame, data: Data) -> None:
    columns = table.columns
    if data.target not in columns:
        raise InputError(
            f"{data.source}: no column {data.target!r}; set data.target in params.yaml to one of {_some(columns)}"
        )
    if columns.has_duplicates:
        twice = columns[columns.duplicated()].unique()
        raise InputError(f"{data.source}: more than one column is called {_some(twice)}; rename or drop the others")
    if "" in columns:
        raise InputError(f"{data.source}: a column has no name; name it, or drop it if it only numbers the rows")
    if len(columns) == 1:
        raise InputError(f"{data.source}: no column beside {data.target!r} (data.target); add the features")


def _check_values(table: pd.DataFrame, data: Data) -> None:
    if table.empty:
        raise InputError(f"{data.source}: no rows; a table to learn from is needed")
    features = table.drop(columns=data.target)
    checks: tuple[tuple[pd.DataFrame, Callable[[pd.Series[Any]], pd.Series[bool]], str, str], ...] = (
        (table, pd.Series.isna, "missing values", "fill them in or drop the rows"),
        (features, _no_numbers, "values that are no numbers", "encode or drop the columns"),
        (features, _beyond_float32, "infinite or far too large values", "correct them or drop the rows"),
    )
    for columns, find, problem, remedy in checks:
        wrong = {name: found for name in columns if (found := find(columns[name])).any()}
        if wrong:
            name, found = next(iter(wrong.items()))
            row = int(found.to_numpy().argmax())
            value = columns[name].iloc[row]
            example = f"{name:.60} is {repr(value) if isinstance(value, str) else value!s:.60} in data row {row + 1}"
            raise InputError(f"{data.source}: {problem} in {_some([*wrong])} ({example}); {remedy}")


def _no_numbers(column: "pd.Series[Any]") -> "pd.Series[bool]":
    """Where the values can't be read as numbers; everywhere if they all can, but are of another type, such as dates."""
    if is_numeric_dtype(column):
        return pd.Series(False, column.index)
    as_text = column.astype(object).map(str)  # an integer may be beyond all floats
    words: pd.Series[bool] = ~np.isfinite(pd.to_numeric(as_text, errors="coerce"))
    return words if words.any() else ~words


def _beyond_float32(column: "pd.Series[Any]") -> "pd.Series[bool]":
    """Where the values are more than what the models compute with can hold."""
    return column.abs() > np.finfo(np.float32).max


def _check_scaled(parts: Sequence[NDArray[np.float32]], features: pd.Index, data: Data) -> None:
    """A value of a held-out row may be far beyond all that the scaler has seen."""
    finite = np.all([np.isfinite(part).all(axis=0) for part in parts], axis=0)
    if not finite.all():
        raise InputError(
            f"{data.source}: values in {_some(features[~finite])} that differ too much to be scaled to numbers of "
            "32 bits; correct them, drop the rows or the columns"
        )


def _check_classes(y: NDArray[np.int64], classes: list[str], data: Data, split: Split) -> None:
    if len(classes) == 1:
        raise InputError(f"{data.source}: {data.target!r} is {classes[0]!r} in all rows; add rows of another class")
    counts = np.bincount(y)
    needed = ceil(1 / min(split.validation, split.test))
    if small := [f"{name!r} has {count}" for name, count in zip(classes, counts, strict=True) if count < needed]:
        raise InputError(
            f"{data.source}: classes of {data.target!r} with less than {needed} rows, one for each part of the split: "
            f"{_some(small)}; add rows, merge or drop these classes, or enlarge split.validation and split.test"
        )


def _some(names: Sequence[Any] | pd.Index, most: int = 5) -> str:
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(f"{name!s:.60}" for name in names[:most]) + more
