"""How far data have moved from a report of others: `python -m lab drift BEFORE NOW`, as numbers that a goal can judge.

python -m lab drift data/champion_data.json artifacts/data/report.json --to artifacts/drift.json
python -m lab drift artifacts/data/report.json served.csv
"""

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from rich.box import SIMPLE_HEAD
from rich.markup import escape
from rich.table import Table

from labkit.pipeline.drift import CHANCE, Drift, Report, drifts
from labkit.process.errors import InputError
from labkit.process.files import read_json, write_json
from labkit.terminal import console

BINS = 20


def show_drift(before: Path, now: Path, to: Path | None) -> None:
    """Print how far each column of NOW, a report or a table, is from BEFORE, a report; write the numbers to `to`.

    Raises InputError for a file that is neither.
    """
    then = _report(before)
    told = _report(now) if now.suffix == ".json" else summary(_table(now, then), then)
    there = {column["name"] for column in told["columns"]}
    if lacking := [column["name"] for column in then["columns"] if column["name"] not in there]:
        raise InputError(f"{now} lacks columns of {before}: {', '.join(lacking)}; name files of the same data")
    found = drifts(then, told)
    terminal = console()
    terminal.print(_shown(found))
    if to:
        write_json(to, numbers(found))


def numbers(found: list[Drift]) -> dict[str, Any]:
    """What a goal can judge: how many columns drifted beyond chance (5%, Bonferroni), and the largest distance."""
    return {
        "drifted": sum(_has_drifted(one, found) for one in found),
        "largest_distance": max(one.distance for one in found),
        "largest_change_of_missing": max(abs(one.missing[1] - one.missing[0]) for one in found),
        "columns": {one.column: {"distance": one.distance, "p": one.p} for one in found},
    }


def summary(table: pd.DataFrame, like: Report) -> Report:
    """The report of a table's columns, as far as another report has them, and of their kinds there."""
    known = [column for column in like["columns"] if column["name"] in table]
    return {"rows": {"read": len(table)}, "columns": [_column(table[one["name"]], one) for one in known]}


def _column(values: "pd.Series[Any]", like: Report) -> Report:
    told = {"name": like["name"], "kind": like["kind"]}
    if "levels" in like:
        counts = values.dropna().astype(str).str.removesuffix(".0").value_counts().to_dict()
        if like.get("distinct", 0) > len(like["levels"]):  # the rare ones are not in the report
            counts = {level: count for level, count in counts.items() if level in like["levels"]}
        return told | {"missing": int(values.isna().sum()), "levels": counts}
    is_date = like["kind"] == "date"
    read = pd.to_datetime(values, errors="coerce") if is_date else pd.to_numeric(values, errors="coerce")
    there = read.dropna().astype("datetime64[s]").astype(np.int64) if is_date else read.dropna().astype(np.float64)
    told["missing"] = int(read.isna().sum())
    if there.empty:
        return told
    bars, _ = np.histogram(there, bins=BINS, range=(there.min(), there.max()))
    ends = [pd.Timestamp(end, unit="s").isoformat() if is_date else float(end) for end in (there.min(), there.max())]
    return told | {"min": ends[0], "max": ends[1], "histogram": bars.tolist()}


def _report(file: Path) -> Report:
    try:
        told = read_json(file)
        if all({"name", "kind", "missing"} <= column.keys() for column in told["columns"]):
            return dict(told)
    except OSError as error:
        raise InputError(f"{file} can't be read: {error.strerror}") from None
    except (ValueError, TypeError, KeyError, AttributeError):
        pass
    raise InputError(f"{file} is not a report of data; name one such as artifacts/data/report.json")


def _table(file: Path, like: Report) -> pd.DataFrame:
    if file.suffix not in (".csv", ".parquet"):
        raise InputError(f"{file} is neither .json, .csv nor .parquet; name a report, or a table")
    try:
        if file.suffix == ".parquet":
            return pd.read_parquet(file)
        words = {column["name"]: "str" for column in like["columns"] if "levels" in column}  # 01067 is no number
        with warnings.catch_warnings(action="error", category=pd.errors.ParserWarning):
            # Else the first fields of rows with more than the header are taken for names of the rows.
            return pd.read_csv(file, dtype=words, index_col=False)
    except pd.errors.ParserWarning:
        raise InputError(f"{file} is not a table: its rows have more fields than its header") from None
    except OSError as error:
        raise InputError(f"{file} can't be read: {error.strerror or error}") from None
    except ValueError as error:
        raise InputError(f"{file} is not a table: {error}") from None


def _has_drifted(one: Drift, found: list[Drift]) -> bool:
    """Whether a column differs beyond chance, is of another kind, or has values on one side alone."""
    is_incomparable = not one.measure and (one.kinds[0] != one.kinds[1] or one.missing[0] != one.missing[1])
    return is_incomparable or (bool(one.measure) and one.p <= CHANCE / len(found))


def _shown(found: list[Drift]) -> Table:
    table = Table(box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for name in ("column", "distance", "p", "missing before", "missing now", ""):
        table.add_column(name, justify="left" if name in ("column", "") else "right")
    for one in sorted(found, key=lambda drift: drift.p):
        word = "drifted" if _has_drifted(one, found) else ""
        missing = (f"{share:.1%}" for share in one.missing)
        table.add_row(escape(one.column), f"{one.distance:.3f}", f"{one.p:.2g}", *missing, word)
    return table
