"""What a careful colleague would say of the prepared data: each warning with its number and its remedy."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lab.processes.prepare_data.checks import ID_ROWS
from lab.processes.prepare_data.params import Data
from lab.processes.prepare_data.preparation import Prepared
from lab.processes.prepare_data.problems import some
from lab.processes.prepare_data.splitting import PARTS

IDENTIFIER = re.compile(r"(^|[\s_.-])(id|uuid|key|nr|no)$|[a-z](Id|ID|Key|Nr|No)$", re.ASCII)
FEW_OF_A_CLASS = 10  # rows in a part: one of them is a tenth of the class's recall
FEW_ROWS = 100  # of a part: an accuracy of 0.9 is then uncertain by 0.06
TOO_GOOD = 0.99  # balanced accuracy, or R², of one column alone
MOST_ROWS_TRIED = 10_000  # to find such a column


def warnings_of(prepared: Prepared, data: Data) -> list[str]:
    """All warnings, each in one line."""
    found = (
        *(duplicates(prepared), useless(prepared), belonging(prepared), giveaways(prepared)),
        *(levels(prepared, data), spellings(prepared), few(prepared)),
    )
    return [warning for warnings in found for warning in warnings]


def duplicates(prepared: Prepared) -> Iterator[str]:
    """Rows of validation or test that the models have seen in training."""
    train, *others = (
        pd.util.hash_pandas_object(rows.assign(**{" y": y}), index=False).to_numpy()
        for rows, y in zip(prepared.rows, prepared.splits[3:], strict=True)
    )
    for name, rows in zip(PARTS[1:], others, strict=True):
        if count := int(np.isin(rows, train).sum()):
            yield (
                f"{count} of the {len(rows)} {name} rows ({count / len(rows):.1%}) are in training too, label and all: "
                "set data.drop_duplicates: true, or split.group to the column that tells which rows belong together"
            )


def useless(prepared: Prepared) -> Iterator[str]:
    """Columns that are constant in training, or only number the rows."""
    everything = pd.concat(prepared.rows)
    constant = [name for name in everything if prepared.rows[0][name].nunique(dropna=False) == 1]
    if constant:
        yield f"{len(constant)} column(s) with one value in all training rows ({some(constant)}): add them to data.drop"
    if numbering := [name for name in everything if _numbers_rows(everything[name])]:
        yield f"{len(numbering)} column(s) that seem to name the rows ({some(numbering)}): add them to data.drop"


def _numbers_rows(column: "pd.Series[Any]") -> bool:
    if len(column) < ID_ROWS or not column.is_unique or column.isna().any():
        return False
    if column.dtype != np.float64:
        return column.dtype == object
    whole = bool((column == column.round()).all())
    return whole and column.max() - column.min() < 2 * len(column)


def belonging(prepared: Prepared) -> Iterator[str]:
    """Columns that are called as what rows belong to, such as patient_id, and that rows have in common."""
    everything = pd.concat(prepared.rows)
    for name in everything:
        values = everything[name].dropna()
        if IDENTIFIER.search(str(name)) and 1 < values.nunique() < len(values):
            yield (
                f"{name} seems to tell which rows belong together ({values.nunique()} values in {len(values)} rows): "
                f"set split.group: {name}, which keeps them in one part, or add it to data.drop"
            )


def giveaways(prepared: Prepared) -> Iterator[str]:
    """Columns that predict the target all alone."""
    from sklearn.metrics import balanced_accuracy_score, r2_score
    from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

    tree, score, metric = DecisionTreeClassifier(max_leaf_nodes=16), balanced_accuracy_score, "balanced accuracy"
    if prepared.dataset.task == "regression":  # of which each leaf knows but one value
        tree, score, metric = DecisionTreeRegressor(max_leaf_nodes=128), r2_score, "R²"
    tree.set_params(random_state=0)
    y_train, y_val = prepared.splits.y_train, prepared.splits.y_val
    step = -(-len(y_train) // MOST_ROWS_TRIED)
    for name in prepared.rows[0]:
        X_train, X_val = _as_numbers(prepared.rows[0][name].iloc[::step], prepared.rows[1][name])
        tree.fit(X_train, y_train[::step])
        reached = score(y_val, tree.predict(X_val))
        if reached >= TOO_GOOD <= score(y_train[::step], tree.predict(X_train)):
            yield (
                f"{name} alone predicts the target ({metric} {reached:.3f} on the validation rows): if it is "
                "known only after the target is, add it to data.drop"
            )


def _as_numbers(train: "pd.Series[Any]", other: "pd.Series[Any]") -> tuple[NDArray[np.floating], ...]:
    """(rows, 1) of each, the values of a category by their order."""
    if train.dtype == object:
        levels = pd.Index(sorted(train.dropna().unique()))
        numbers = [levels.get_indexer(pd.Index(column)).astype(np.float64) for column in (train, other)]
    else:
        numbers = [column.to_numpy().astype(np.float64) for column in (train, other)]
    return tuple(column[:, None] for column in numbers)


def levels(prepared: Prepared, data: Data) -> Iterator[str]:
    """Categories with more levels than there are features for."""
    for column in prepared.columns:
        if column.kind == "category" and not column.levels:
            count = prepared.rows[0][column.name].nunique()
            if count > data.max_levels:
                yield (
                    f"{column.name} has {count} levels, of which all but the {data.max_levels - 1} most frequent share "
                    "one feature: raise data.max_levels, or add it to data.drop"
                )


def spellings(prepared: Prepared) -> Iterator[str]:
    """Levels and classes that only spaces and capitals tell apart."""
    everything = pd.concat(prepared.rows)
    words = {column.name: everything[column.name] for column in prepared.columns if column.kind == "category"}
    words[prepared.dataset.target] = pd.Series(prepared.dataset.classes, dtype=object)
    for name, values in words.items():
        known = pd.Series(sorted(values.dropna().unique()), dtype=object)
        for _, same in known.groupby(known.str.strip().str.casefold()):
            if len(same) > 1:
                told = f"{name} has {some(map(repr, same))}, which differ only in spaces or capitals"
                yield f"{told}: write them alike in the source, if they mean the same"


def few(prepared: Prepared) -> Iterator[str]:
    """Parts and classes with too few rows to tell models apart by."""
    labels = dict(zip(PARTS, prepared.splits[3:], strict=True))
    small = {name: len(labels[name]) for name in PARTS[1:] if len(labels[name]) < FEW_ROWS}
    if small:
        told = " and ".join(f"{name} has {count} rows" for name, count in small.items())
        yield (
            f"{told}: {_uncertain(min(small.values()), prepared.dataset.task)}, and smaller differences between "
            "models mean nothing: get more rows, or enlarge split.validation and split.test"
        )
    if prepared.dataset.task == "classification":
        yield from _rare(prepared, labels)


def _uncertain(rows: int, task: str) -> str:
    """By how much a metric of so few rows may be off, 19 times in 20; of an RMSE, with errors as a normal curve has."""
    if task == "regression":
        return f"an RMSE is uncertain there by {1.96 / np.sqrt(2 * rows):.0%}"
    return f"an accuracy of 0.90 is uncertain there by {1.96 * np.sqrt(0.9 * 0.1 / rows):.2f}"


def _rare(prepared: Prepared, labels: Mapping[str, NDArray[Any]]) -> Iterator[str]:
    counts = {name: np.bincount(labels[name], minlength=len(prepared.dataset.classes)) for name in PARTS[1:]}
    rare = [
        f"{label} has {count} in {name}"
        for name in PARTS[1:]
        for label, count in zip(prepared.dataset.classes, counts[name], strict=True)
        if count < FEW_OF_A_CLASS
    ]
    if rare:
        yield (
            f"{len(rare)} class(es) with less than {FEW_OF_A_CLASS} rows in a part ({some(rare)}): their metrics move "
            "in large steps: get more rows of them, or merge classes"
        )
