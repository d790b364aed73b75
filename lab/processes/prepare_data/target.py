"""What is predicted: classes or a number, what keeps them from being learned, and how models take them."""

from collections.abc import Iterator
from math import ceil
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pandas.api.types import is_numeric_dtype

from lab.processes.prepare_data.params import Data, Split
from lab.processes.prepare_data.problems import Problem, first, shown, some
from lab.processes.prepare_data.recognition import distinct, recognise, to_numbers
from labkit.process.errors import InputError
from lib.columns import LARGEST, as_numbers

MOST_CLASSES = 20  # of a target of numbers: with more different ones it is a regression


def task_of(labels: "pd.Series[Any]", data: Data) -> Literal["classification", "regression"]:
    """What `data` asks for; else a regression for more than MOST_CLASSES different numbers."""
    if data.task != "auto":
        return data.task
    values = distinct(labels)
    found = recognise(labels, data) if len(values) > MOST_CLASSES else None
    return "regression" if found is not None and found.kind == "number" else "classification"


def target_problems(labels: "pd.Series[Any]", kept: "pd.Series[Any]", data: Data, split: Split) -> Iterator[Problem]:
    """What keeps the target from being learned; `kept` are the labels of the rows that are not left out."""
    if labels.isna().any() and not data.drop_unlabelled:
        told = f"rows without a label: {first(data.target, labels, labels.isna())}"
        yield Problem(told, {"drop_unlabelled": True})
    known = kept.dropna()
    if known.empty:
        yield Problem("no rows are left; data.missing and data.drop_unlabelled drop them all")
    elif task_of(known, data) == "regression":
        yield from number_problems(known, data, split)
    else:
        yield from class_problems(known, data, split)


def number_problems(labels: "pd.Series[Any]", data: Data, split: Split) -> Iterator[Problem]:
    """What keeps a number from being learned."""
    found = recognise(labels, data)
    if found.kind != "number":
        told = f"data.task is regression, and the target is no number: {first(data.target, labels, labels.notna())}"
        yield Problem(f"{told}; correct data.target, or set data.task: classification")
    elif found.marks or found.settings:
        marks = {"missing_values": found.marks} if found.marks else {}
        wrong = to_numbers(labels).isna()
        yield Problem(f"no plain numbers: {first(data.target, labels, wrong)}", marks | found.settings)
    elif (large := to_numbers(labels).abs() > LARGEST).any():
        yield Problem(f"infinite or far too large values: {first(data.target, labels, large)}; correct these rows")
    elif len(distinct(labels)) == 1:
        yield Problem(f"{data.target!r} is {shown(labels.iloc[0])} in all rows; correct data.target")
    needed = ceil(2 / min(split.validation, split.test))
    if len(labels) < needed:
        yield Problem(f"{len(labels)} rows, and {needed} are needed, two for each part of the split; add rows")


def class_problems(labels: "pd.Series[Any]", data: Data, split: Split) -> Iterator[Problem]:
    """What keeps classes from being learned."""
    y, classes = encode_labels(labels)
    if len(classes) == 1:
        told = f"{data.target!r} is {shown(classes[0])} in all rows"
        yield Problem(f"{told}; add rows of another class, or correct data.target")
    needed = ceil(1 / min(split.validation, split.test)) if split.group is None and split.time is None else 1
    counts = zip(classes, np.bincount(y, minlength=1), strict=False)
    if small := [f"{shown(name)} has {count}" for name, count in counts if count < needed]:
        yield Problem(
            f"classes of {data.target!r} with less than {needed} rows, one for each part of the split: {some(small)}; "
            "add rows, or name these classes in data.missing_values and set data.drop_unlabelled: true to leave out "
            "their rows, or enlarge split.validation and split.test"
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


def numbers_of(labels: "pd.Series[Any]") -> NDArray[np.float32]:
    """The target of a regression."""
    return as_numbers(labels).to_numpy().astype(np.float32)
