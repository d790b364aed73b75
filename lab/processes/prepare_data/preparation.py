"""Turn a table into what the models take: checked, split, prepared by its training rows, and described."""

from collections.abc import Hashable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import joblib
import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.compose import ColumnTransformer

from lab.processes.prepare_data.checks import check_table, columns_of, kept_rows
from lab.processes.prepare_data.features import feature_columns, preprocessing
from lab.processes.prepare_data.folding import FoldRows, fold_rows
from lab.processes.prepare_data.params import Data, Split
from lab.processes.prepare_data.problems import some
from lab.processes.prepare_data.reading import Settings
from lab.processes.prepare_data.splitting import split_rows
from lab.processes.prepare_data.target import encode_labels, numbers_of, task_of
from labkit.process.errors import InputError
from labkit.process.files import replacing, write_json
from lib.columns import Column, typed
from lib.data_splits import ArraySplits, Dataset, Fold, save_data_splits, save_folds

EXAMPLE_ROWS = 5


class Prepared(NamedTuple):
    """The splits, the preprocessing fitted on the training rows, the raw columns, and some raw training rows.

    rows: the columns to learn from, one DataFrame for each part of the split, with the raw table's index. test_rows: of
    each test row its number in the raw table, from 1, and what it has in the columns that data.drop names.
    """

    splits: ArraySplits
    preprocessing: ColumnTransformer
    dataset: Dataset
    columns: list[Column]
    example_rows: pd.DataFrame
    rows: tuple[pd.DataFrame, ...]
    test_rows: pd.DataFrame
    folds: list[Fold]


def prepare(table: pd.DataFrame, data: Data, split: Split, guessed: Settings | None = None) -> Prepared:
    """Split a table, and prepare its columns by its training rows.

    Raises InputError, which tells all that stands in the way and the remedies.
    """
    table = table.rename(columns=str).transform(_comparable) if len(table.columns) else table
    check_table(table, data, split, guessed or {})
    columns = columns_of(table, data, split)
    numbers = pd.Series(range(1, len(table) + 1), table.index)
    table = kept_rows(table, data, split)
    features = typed(table, columns)
    task = task_of(table[data.target], data)
    strata, classes = np.zeros(len(table), dtype=np.int64), list[str]()
    if task == "classification":
        strata, classes = encode_labels(table[data.target])
    y = strata if classes else numbers_of(table[data.target])
    parts = split_rows(table, strata, classes, data, split)
    rows = tuple(features.iloc[part] for part in parts)
    fitted, (X_train, X_val, X_test) = _fit(rows, columns, data)
    folds = fold_rows(table, strata, classes, np.sort(np.concatenate(parts[:2])), data, split)
    names = _feature_names(fitted, data)
    return Prepared(
        splits=ArraySplits(X_train, X_val, X_test, *(y[part] for part in parts)),
        preprocessing=fitted,
        dataset=Dataset(data.target, names, classes, task, feature_columns(fitted)),
        columns=columns,
        example_rows=table[[column.name for column in columns]].iloc[parts[0][:EXAMPLE_ROWS]],
        rows=rows,
        test_rows=_identities(table.iloc[parts[2]], numbers, data),
        folds=[_prepare_fold(fold, features, y, columns, data) for fold in folds],
    )


def _fit(
    parts: Sequence[pd.DataFrame], columns: list[Column], data: Data
) -> tuple[ColumnTransformer, list[NDArray[np.float32]]]:
    """The preprocessing, fitted on the first part alone, and all parts prepared by it."""
    indicated = [c.name for c in columns if data.indicates(c.name) and c.optional and parts[0][c.name].isna().any()]
    fitted = preprocessing(columns, data, indicated).fit(parts[0])
    with np.errstate(over="ignore"):  # it is infinite then, and refused
        prepared = [fitted.transform(part).astype(np.float32, order="C") for part in parts]
    _check_prepared(prepared, _feature_names(fitted, data), data)
    return fitted, prepared


def _prepare_fold(fold: FoldRows, features: pd.DataFrame, y: NDArray[Any], columns: list[Column], data: Data) -> Fold:
    _, (X_train, X_val) = _fit([features.iloc[fold.training], features.iloc[fold.held_out]], columns, data)
    return Fold(X_train, y[fold.training], fold.stops, X_val, y[fold.held_out])


def _identities(rows: pd.DataFrame, numbers: "pd.Series[int]", data: Data) -> pd.DataFrame:
    """What people know the rows by: their number in the raw table, and the columns that are no features."""
    found = pd.DataFrame({"row": numbers.loc[rows.index]})
    known = {"row", "actual", "predicted"}
    for name in data.drop:
        if name in rows:
            found[f"{name}_" if name in known or name.startswith("probability_") else name] = rows[name]
    return found


def save_prepared(prepared: Prepared, directory: str | Path) -> None:
    """Replace the directory by one that holds everything prepared; if that fails, it stays as it was."""
    with replacing(directory) as beside:
        save_data_splits(prepared.splits, beside)
        save_folds(prepared.folds, beside)
        write_json(beside / "dataset.json", prepared.dataset._asdict())
        write_json(beside / "columns.json", [column._asdict() for column in prepared.columns])
        joblib.dump(prepared.preprocessing, beside / "preprocessing.joblib")
        prepared.example_rows.to_csv(beside / "example_rows.csv", index=False, lineterminator="\n")
        prepared.test_rows.to_csv(beside / "test_rows.csv", index=False, lineterminator="\n")


def _comparable(column: "pd.Series[Any]") -> "pd.Series[Any]":
    """Bytes become the text that they are, lists and the like some text, so that values can be told apart."""
    if column.dtype != object:
        return column
    if any(isinstance(value, bytes) for value in column):
        column = column.map(_text, na_action="ignore")
    if not all(isinstance(value, Hashable) for value in column):
        return column.map(str, na_action="ignore")
    return column


def _text(value: Any) -> Any:
    return value.decode("utf-8", "backslashreplace") if isinstance(value, bytes) else value


def _feature_names(fitted: ColumnTransformer, data: Data) -> list[str]:
    try:
        return [str(name) for name in fitted.get_feature_names_out()]
    except ValueError as error:  # a column is called as a level or a part of another
        raise InputError(f"{data.source}: two features would have one name: {error}; rename a column") from None


def _check_prepared(parts: Sequence[NDArray[np.float32]], features: Sequence[str], data: Data) -> None:
    """A value of a held-out row may be far beyond all that the scaler has seen."""
    finite = np.all([np.isfinite(part).all(axis=0) for part in parts], axis=0)
    if not finite.all():
        wrong = [name for name, good in zip(features, finite, strict=True) if not good]
        raise InputError(
            f"{data.source}: values in {some(wrong)} that differ too much to be scaled to numbers of "
            "32 bits; correct them, drop the rows or the columns"
        )
