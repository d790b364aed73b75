"""By how much two versions of a file differ: as numbers where it holds some, else as bytes."""

import json
import math
from collections.abc import Callable, Iterator
from itertools import count, zip_longest
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from pydantic import BaseModel, ConfigDict

from labkit.process.flat import is_number

# What NumPy's `allclose` takes for the same.
RELATIVE, ABSOLUTE = 1e-5, 1e-8
CHUNK_BYTES = 1 << 20
MOST_NAMES = 5
Columns = dict[str, Any]  # an array by the name of a key or column


class Difference(BaseModel):
    """How a file that was made again differs from the recorded one.

    `largest` is the largest absolute difference of two numbers, and `tolerances` the largest in units of what is
    tolerated there, so within it up to 1. Both are None where a number, or anything else, has no counterpart.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    file: str
    how: str
    largest: float | None = None
    tolerances: float | None = None

    @property
    def within(self) -> bool:
        """Whether every number is within its tolerance."""
        return self.tolerances is not None and self.tolerances <= 1


class _Distance(NamedTuple):
    """Of two arrays: how many numbers differ, the largest difference, and the largest in tolerances."""

    unequal: int
    largest: float
    tolerances: float


def folder_differences(name: str, recorded: Path, made: Path, relative: float = RELATIVE) -> Iterator[Difference]:
    """The files that differ below two folders, or two files; `name` is what they are called."""
    inside = {path.relative_to(top).as_posix() for top in (recorded, made) for path in top.rglob("*") if path.is_file()}
    for file in sorted(inside) or ["."]:
        called = name if file == "." else f"{name}/{file}"
        if found := file_difference(called, recorded / file, made / file, relative):
            yield found


def file_difference(name: str, recorded: Path, made: Path, relative: float = RELATIVE) -> Difference | None:
    """How two files differ; None where they are the same bytes."""
    if not (recorded.is_file() and made.is_file()):
        return Difference(file=name, how="it was made, and is not recorded" if made.is_file() else "it was not made")
    if (place := first_difference(recorded, made)) is None:
        return None
    bytes_differ = f"from byte {place} on; {recorded.stat().st_size} bytes recorded, {made.stat().st_size} made"
    try:
        before, now = columns_of(recorded), columns_of(made)
    except (ValueError, OSError, RecursionError, OverflowError):  # no table, or a damaged one
        return Difference(file=name, how=bytes_differ)
    return _of_columns(name, before, now, relative) if before or now else Difference(file=name, how=bytes_differ)


def first_difference(one: Path, other: Path) -> int | None:
    """The place of the first byte in which two files differ, or one has no more; None where they are the same."""
    with one.open("rb") as first, other.open("rb") as second:
        for number in count():
            ours, theirs = first.read(CHUNK_BYTES), second.read(CHUNK_BYTES)
            if ours != theirs:
                pairs = enumerate(zip_longest(ours, theirs))
                return number * CHUNK_BYTES + next(place for place, (our, their) in pairs if our != their)
            if not ours:
                return None
    raise AssertionError("unreachable")


def columns_of(path: Path) -> Columns:
    """What a JSON, CSV or npy file holds, by key or column; nothing for another kind.

    Raises ValueError when it is damaged. A pickle in an npy file is not loaded.
    """
    read: Callable[[Path], Columns] = {".json": _of_json, ".csv": _of_csv, ".npy": _of_npy}.get(
        path.suffix, lambda _: {}
    )
    return read(path)


def _of_json(path: Path) -> Columns:
    return {name: np.asarray([value]) for name, value in _leaves(json.loads(path.read_bytes()), "")}


def _leaves(value: Any, name: str) -> Iterator[tuple[str, Any]]:
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else None
    if inner is None:
        yield name, float(value) if is_number(value) else repr(value)
        return
    for key, part in inner:
        yield from _leaves(part, f"{name}.{key}" if name else str(key))


def _of_csv(path: Path) -> Columns:
    table = pd.read_csv(path)
    return {str(name): table[name].to_numpy() for name in table}


def _of_npy(path: Path) -> Columns:
    return {"": np.load(path, allow_pickle=False)}


def _of_columns(name: str, before: Columns, now: Columns, relative: float) -> Difference:
    if other_form := _other_form(before, now):
        return Difference(file=name, how=other_form)
    far = {key: _distance(before[key], now[key], relative) for key in before}
    distances = {key: distance for key, distance in far.items() if distance is not None}
    if len(distances) < len(far):
        return Difference(
            file=name, how=f"other text in {', '.join(sorted(far.keys() - distances.keys())[:MOST_NAMES])}"
        )
    worst = max(distances, key=lambda key: distances[key].tolerances)
    if not (unequal := sum(distance.unequal for distance in distances.values())):
        return Difference(file=name, how="the same numbers, written in other bytes", largest=0.0, tolerances=0.0)
    numbers = sum(column.size for column in before.values())
    how = f"{unequal} of {numbers} numbers differ" + (f", most in {worst}" if worst else "")
    if not math.isfinite(distances[worst].tolerances):
        return Difference(file=name, how=f"{how}: a number is infinite or missing in one of the two")
    largest = max(distance.largest for distance in distances.values())
    return Difference(file=name, how=how, largest=largest, tolerances=distances[worst].tolerances)


def _other_form(before: Columns, now: Columns) -> str:
    """Why two tables can't be compared number by number; empty where they can."""
    if before.keys() != now.keys():
        return f"only one of the two has {', '.join(sorted(before.keys() ^ now.keys())[:MOST_NAMES])}"
    for key, column in before.items():
        if column.shape != now[key].shape:
            return f"{key or 'the array'} has the shape {column.shape} recorded, {now[key].shape} made"
    return ""


def _distance(before: Any, now: Any, relative: float) -> _Distance | None:
    """Of two arrays of the same shape; None where they hold text that differs."""
    if before.dtype.kind not in "biufc" or now.dtype.kind not in "biufc":
        return _Distance(0, 0.0, 0.0) if np.array_equal(before.astype(str), now.astype(str)) else None
    if not before.size:
        return _Distance(0, 0.0, 0.0)
    kind = np.complex128 if "c" in before.dtype.kind + now.dtype.kind else np.float64
    one, other = before.astype(kind), now.astype(kind)
    with np.errstate(invalid="ignore", over="ignore"):
        same = (before == now) | (np.isnan(one) & np.isnan(other))
        # Integers beyond all floats' digits may differ and yet be the same float.
        apart = np.where(same, 0.0, np.abs(one - other))
        ratio = np.where(same, 0.0, apart / (ABSOLUTE + relative * np.abs(one)))
    ratio = np.where(np.isnan(ratio), np.inf, ratio)
    return _Distance(int((~same).sum()), float(np.max(apart)), float(np.max(ratio)))
