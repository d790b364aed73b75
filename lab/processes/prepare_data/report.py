"""The report of the data: what is in each column, and how the target is distributed."""

from typing import Any

import numpy as np
import pandas as pd

from lab.processes.prepare_data.params import Data, Split
from lab.processes.prepare_data.preparation import Prepared
from lab.processes.prepare_data.splitting import PARTS
from lib.columns import Column

BINS = 20
MOST_LEVELS = 20


def describe(table: pd.DataFrame, prepared: Prepared, data: Data, split: Split, warnings: list[str]) -> dict[str, Any]:
    """The report as JSON takes it; `table` is the one that was read."""
    everything = pd.concat(prepared.rows)
    why: dict[str | None, str] = dict.fromkeys(data.drop, "data.drop")
    why |= {split.group: "split.group", split.time: "split.time"}
    return {
        "source": data.source,
        "rows": {"read": len(table), **{name: len(rows) for name, rows in zip(PARTS, prepared.rows, strict=True)}},
        "columns": [_column(column, everything[column.name]) for column in prepared.columns],
        "left_out": {name: key for name, key in why.items() if name is not None},
        "features": len(prepared.dataset.features),
        "target": _target(prepared),
        "warnings": warnings,
    }


def _target(prepared: Prepared) -> dict[str, Any]:
    """Of classes their rows in each part, of numbers what is told of a column of them."""
    name, labels = prepared.dataset.target, prepared.splits[3:]
    if prepared.dataset.task == "regression":
        return {"task": "regression"} | _column(Column(name, "number"), pd.Series(np.concatenate(labels)))
    return {
        "name": name,
        "classes": {
            label: {part: int((y == number).sum()) for part, y in zip(PARTS, labels, strict=True)}
            for number, label in enumerate(prepared.dataset.classes)
        },
    }


def _column(column: Column, values: "pd.Series[Any]") -> dict[str, Any]:
    """Of numbers and dates the range and a histogram, of words the most frequent ones."""
    known = values.dropna()
    told: dict[str, Any] = {
        "name": column.name,
        "kind": column.kind,
        "missing": int(values.isna().sum()),
        "distinct": int(known.nunique()),
    }
    if column.kind == "category":
        counts = known.value_counts().sort_index(kind="stable").sort_values(ascending=False, kind="stable")
        return told | {"levels": {str(level): int(count) for level, count in counts.head(MOST_LEVELS).items()}}
    if known.empty:
        return told
    numbers = known.to_numpy().astype(np.float64)
    bars, _ = np.histogram(numbers, bins=BINS, range=(numbers.min(), numbers.max()))
    shown = (lambda value: value.isoformat()) if column.kind == "date" else float
    span = {name: shown(getattr(known, name)()) for name in ("min", "median", "max")}
    return told | span | {"histogram": bars.tolist()}
