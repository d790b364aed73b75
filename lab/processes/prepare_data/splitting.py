"""Which rows are for training, validation and test: by class, by group, or by time."""

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pandas.api.types import is_datetime64_any_dtype, is_numeric_dtype

from lab.processes.prepare_data.params import Data, Split
from labkit.process.errors import InputError
from lib.columns import as_dates, as_text

Parts = tuple[NDArray[np.int64], ...]  # the row numbers of training, validation and test
PARTS = ("training", "validation", "test")
NO_ROOM = "[\u00ad\u200b-\u200f\u2060-\u2064\ufeff]"  # soft hyphens, spaces of no width, marks of direction
DRAWS = 50  # of groups, of which the one that is nearest to the shares asked for is taken


def split_rows(table: pd.DataFrame, y: NDArray[np.int64], classes: list[str], data: Data, split: Split) -> Parts:
    """The row numbers of training, validation and test, as `split` says.

    y: (rows,) class indices; without `classes`, in a regression, all 0. Raises InputError where a split by group or
    time leaves a part without rows or classes that it needs.
    """
    if split.group is not None:
        parts = split_by_group(y, table[split.group], split)
    elif split.time is not None:
        parts = split_by_time(table[split.time], data.date_format, split)
    else:
        return split_by_class(y, split)
    for name, rows, needed in zip(PARTS, parts, (max(len(classes), 2), 2, 2), strict=True):
        found = [classes[number] for number in np.unique(y[rows])] if classes else [*rows]
        if len(found) < needed:
            key = "group" if split.group is not None else "time"
            of, what = (f", of {', '.join(found) or 'no class'}", "classes") if classes else ("", "rows")
            raise InputError(
                f"{data.source}: split.{key} leaves {name} with {len(rows)} rows{of}, "
                f"where {needed} {what} are needed; enlarge the parts, add rows, or split by another column"
            )
    return parts


def split_by_class(y: NDArray[np.int64], split: Split) -> Parts:
    """Shuffled rows; each part of the split is taken from each class.

    scikit-learn's train_test_split rounds over all classes at once, and so may leave one out of a part.
    """
    shuffled = np.random.default_rng(split.seed).permutation(len(y))
    part = np.zeros(len(y), dtype=np.int8)
    by_class = shuffled[np.argsort(y[shuffled], kind="stable")]
    for rows in np.split(by_class, np.cumsum(np.bincount(y))[:-1]):
        validation, test = int(split.validation * len(rows)), int(split.test * len(rows))
        part[rows[:validation]] = 1
        part[rows[validation : validation + test]] = 2
    return _parts(shuffled, part)


def split_by_group(y: NDArray[np.int64], groups: "pd.Series[Any]", split: Split) -> Parts:
    """Shuffled rows, all of a group in one part; of many draws of groups, the nearest to the shares of each class."""
    random = np.random.default_rng(split.seed)
    group, names = pd.factorize(as_groups(groups))
    counts = np.zeros((len(names), int(y.max()) + 1))
    np.add.at(counts, (group, y), 1)
    shares = np.array([1 - split.validation - split.test, split.validation, split.test])
    wanted = shares[:, None] * counts.sum(axis=0)
    drawn = [_draw(counts.sum(axis=1), split, random) for _ in range(DRAWS)]
    distances = [(np.abs(_sums(part, counts) - wanted) / counts.sum(axis=0)).sum() for part in drawn]
    part = drawn[int(np.argmin(distances))]
    return _parts(random.permutation(len(y)), part[group])


def as_groups(groups: "pd.Series[Any]") -> "pd.Series[Any]":
    """One spelling for each group, since a group that is taken for two leaks: 'P1 ' is p1, and 01 and 1.0 are 1.

    So are the ways in which Unicode writes the same sign, and signs that take no room.
    """
    text = as_text(groups).str.normalize("NFKC").str.replace(NO_ROOM, "", regex=True).str.strip().str.casefold()
    return text.str.replace(r"^0*(\d+)(\.0*)?$", r"\1", regex=True)


def _draw(sizes: NDArray[np.floating], split: Split, random: np.random.Generator) -> NDArray[np.int8]:
    """A part for each group: shuffled groups, taken until validation and then test have their share of the rows."""
    order = random.permutation(len(sizes))
    middle = (np.cumsum(sizes[order]) - sizes[order] / 2) / sizes.sum()
    part = np.zeros(len(sizes), dtype=np.int8)
    part[order] = np.select([middle < split.validation, middle < split.validation + split.test], [1, 2], 0)
    return part


def _sums(part: NDArray[np.int8], counts: NDArray[np.floating]) -> NDArray[np.floating]:
    """(parts, classes) the rows of each class in each part."""
    return np.array([counts[part == number].sum(axis=0) for number in range(len(PARTS))])


def split_by_time(times: "pd.Series[Any]", date_format: str | None, split: Split) -> Parts:
    """Rows in the order of time: the last are for test, those before them for validation. Equal times stay together."""
    moments = in_time(times, date_format).to_numpy()
    order = np.argsort(moments, kind="stable")
    in_order = moments[order]
    starts = [round(len(order) * (1 - share)) for share in (split.validation + split.test, split.test)]
    cuts = [int(np.searchsorted(in_order, in_order[start])) for start in starts]
    return tuple(np.split(order, cuts))


def in_time(times: "pd.Series[Any]", date_format: str | None) -> "pd.Series[Any]":
    """The times by what they mean, never as words: dates where `date_format` fits them all, numbers, or ISO dates."""
    if is_numeric_dtype(times) or is_datetime64_any_dtype(times):
        return times if is_numeric_dtype(times) else as_dates(times, date_format)
    text = times.map(str)
    if date_format is not None and pd.to_datetime(text, format=date_format, errors="coerce", utc=True).notna().all():
        return as_dates(times, date_format)
    numbers = pd.to_numeric(text, errors="coerce")
    return numbers if numbers.notna().all() else as_dates(times, date_format)


def _parts(order: NDArray[np.int64], part: NDArray[np.int8]) -> Parts:
    return tuple(order[part[order] == number] for number in range(len(PARTS)))
