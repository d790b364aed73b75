"""The predictions of two models for the same test rows, and each row's losses. Tables are read in parts."""

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from labkit.process.errors import InputError

COLUMNS = ("actual", "predicted")
PROBABILITY = "probability_"
ACCURACY, LOG_LOSS, MAE, RMSE = "accuracy", "log_loss", "mae", "rmse"
BYTES = 4_000_000  # of a table, in memory at once

Numbers = NDArray[np.float64]


class Predictions(NamedTuple):
    """A table of test rows, what it is called, and whose it is: `the candidate`."""

    file: Path
    of: str
    whose: str


class Paired(NamedTuple):
    """What each row costs one model and the other, (2, rows), by the metric that is made of it."""

    rows: int
    costs: dict[str, Numbers]


def read_paired(one: Predictions, other: Predictions) -> Paired:
    """Read two tables of the columns `actual`, `predicted` and, if they are there, `row` and `probability_CLASS`.

    Values are numbers where neither table tells probabilities, all are numbers and one has a fraction; else classes.
    Raises InputError for another table, and where the rows are not the same ones: no comparison is then fair.
    """
    mine, yours = _read(one), _read(other)
    rows, more = (len(side["actual"]) for side in (mine, yours))
    if rows != more:
        raise InputError(f"the test rows differ: {rows} of {one.whose}, {more} of {other.whose}")
    for column, told in (("row", "are other rows of the table"), ("actual", "have another actual value")):
        if column in mine and column in yours and (differ := int((mine[column] != yours[column]).sum())):
            raise InputError(f"the test rows differ: {differ} of {rows} {told}")
    costs = {name: np.stack([mine[name], yours[name]]) for name in (ACCURACY, LOG_LOSS, MAE)}
    if np.isfinite(costs[MAE]).all() and (mine["fraction"].any() or yours["fraction"].any()):
        return Paired(rows, {MAE: costs[MAE], RMSE: costs[MAE] ** 2})
    return Paired(rows, {name: costs[name] for name in (ACCURACY, LOG_LOSS) if np.isfinite(costs[name]).all()})


def _read(of: Predictions) -> dict[str, NDArray[Any]]:
    """What is kept of each row: hashes of its number and its actual value, and what it costs."""
    from pyarrow import csv, string  # half a second with pandas, which those who only register need not wait for

    lacks = f"{of.of} lacks rows, or the columns {' and '.join(COLUMNS)}, one row for each test row"
    reading = csv.ReadOptions(block_size=BYTES)
    try:
        with csv.open_csv(of.file, reading) as table:
            names = table.schema.names
        as_text = csv.ConvertOptions(column_types=dict.fromkeys(names, string()))
        with csv.open_csv(of.file, reading, csv.ParseOptions(newlines_in_values=True), as_text) as table:
            found = [_costs(part.to_pandas()) for part in table if {*COLUMNS} <= {*names}]
    except ValueError as error:  # Arrow's, and that of a probability which is no number
        raise InputError(f"{of.of} is not CSV: {' '.join(str(error).split())}") from None
    if not sum(len(part["actual"]) for part in found):
        raise InputError(lacks)
    return {name: np.concatenate([part[name] for part in found]) for name in found[0]}


def _costs(part: Any) -> dict[str, NDArray[Any]]:
    import pandas as pd

    classes = [name.removeprefix(PROBABILITY) for name in part if name.startswith(PROBABILITY)]
    actual, predicted = (pd.to_numeric(part[name], errors="coerce").to_numpy(np.float64) for name in COLUMNS)
    errors = np.abs(actual - predicted)
    return {
        **{name: pd.util.hash_array(part[name].to_numpy(object)) for name in ("row", "actual") if name in part},
        ACCURACY: (part["actual"] == part["predicted"]).to_numpy(np.float64),
        LOG_LOSS: _log_losses(part, classes),
        MAE: np.full(len(part), np.nan) if classes else errors,
        "fraction": (np.floor(actual) < actual) | (np.floor(predicted) < predicted),
    }


def _log_losses(part: Any, classes: list[str]) -> Numbers:
    """Of each row, in nats, by probabilities made to sum to 1; not a number where its class has no column."""
    import pandas as pd

    place = pd.Index(classes, dtype=object).get_indexer(part["actual"])
    if not classes or (place < 0).any():
        return np.full(len(part), np.nan)
    told = part[[f"{PROBABILITY}{name}" for name in classes]].to_numpy(object).astype(np.float64)
    smallest = np.finfo(np.float64).eps
    likely = told[np.arange(len(part)), place] / told.sum(axis=1)
    found: Numbers = -np.log(np.clip(likely, smallest, 1 - smallest))
    return found
