"""Which rows each fold of a cross-validation holds out, of those that are not for the test: split.folds."""

import warnings
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.model_selection import GroupKFold, KFold, StratifiedGroupKFold, StratifiedKFold, TimeSeriesSplit

from lab.processes.prepare_data.params import Data, Split
from lab.processes.prepare_data.splitting import as_groups, in_time
from labkit.process.errors import InputError

STOPPING_SHARE = 0.2  # of the training rows of a fold by time: the last of them


class FoldRows(NamedTuple):
    """Row numbers to train on, and those held out. stops: (training rows,) bool, those to decide by when to stop."""

    training: NDArray[np.int64]
    stops: NDArray[np.bool_]
    held_out: NDArray[np.int64]


def fold_rows(
    table: pd.DataFrame, y: NDArray[np.int64], classes: list[str], rows: NDArray[np.int64], data: Data, split: Split
) -> list[FoldRows]:
    """The folds of `rows`, row numbers of the table: by class, by group or by time, as scikit-learn makes them.

    y: (table rows,) class indices; without `classes` all 0. Raises InputError where the rows are too few for so many.
    """
    if split.folds is None:
        return []
    try:
        if split.time is not None:
            folds = list(_by_time(in_time(table[split.time], data.date_format).to_numpy()[rows], split.folds))
        else:
            groups = None if split.group is None else as_groups(table[split.group]).to_numpy()[rows]
            folds = list(_at_random(y[rows], bool(classes), groups, split))
    except ValueError as error:
        raise InputError(
            f"{data.source}: split.folds is {split.folds}, and {len(rows)} rows are too few: {error}; lower it, "
            "or add rows"
        ) from None
    found = [FoldRows(rows[fold.training], fold.stops, rows[fold.held_out]) for fold in folds]
    for fold in found:
        _check(fold, y, classes, data, split)
    return found


def _at_random(
    y: NDArray[np.int64], stratified: bool, groups: "NDArray[Any] | None", split: Split
) -> Iterator[FoldRows]:
    """Each fold trains on the rows of all others, and may stop by those of the next one. Raises ValueError."""
    makers = {
        (True, False): StratifiedKFold,
        (False, False): KFold,
        (True, True): StratifiedGroupKFold,
        (False, True): GroupKFold,
    }
    maker = makers[stratified, groups is not None](split.folds, shuffle=True, random_state=split.seed)
    fold = np.empty(len(y), dtype=np.int64)
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)  # a class with fewer rows than folds
        try:
            for number, (_, held_out) in enumerate(maker.split(np.zeros(len(y)), y, groups)):
                fold[held_out] = number
        except UserWarning as warning:
            raise ValueError(str(warning)) from None
    for number in range(split.folds or 0):
        training = np.flatnonzero(fold != number)
        stops = fold[training] == (number + 1) % (split.folds or 1)
        yield FoldRows(training, stops, np.flatnonzero(fold == number))


def _by_time(moments: NDArray[Any], folds: int) -> Iterator[FoldRows]:
    """Each fold trains on what came before it, and may stop by the last of that. Raises ValueError for few moments."""
    distinct, moment = np.unique(moments, return_inverse=True)  # equal times stay together
    order = np.argsort(moment, kind="stable")
    for before, during in TimeSeriesSplit(folds).split(distinct):
        training = order[moment[order] <= before[-1]]
        cut = moment[training[round(len(training) * (1 - STOPPING_SHARE)) - 1]]
        held_out = order[(moment[order] >= during[0]) & (moment[order] <= during[-1])]
        yield FoldRows(training, moment[training] > min(cut, before[-1] - 1), held_out)


def _check(fold: FoldRows, y: NDArray[np.int64], classes: list[str], data: Data, split: Split) -> None:
    """Raise InputError where a fold lacks rows, or classes that it needs."""
    trains, stops, held_out = y[fold.training][~fold.stops], y[fold.training][fold.stops], y[fold.held_out]
    is_well = all(map(len, (trains, stops, held_out)))
    if classes:
        is_well = is_well and len(np.unique(trains)) == len(classes) and len(np.unique(held_out)) > 1
    if not is_well:
        raise InputError(
            f"{data.source}: split.folds is {split.folds}, and a fold then lacks rows, or classes, to train on or to "
            "be held out; lower it, add rows, or split by another column"
        )
