"""What stands in the way of preparing a table, all of it told at once, with the lines of params.yaml that clear it."""

import json
from collections.abc import Iterable, Sequence
from math import inf
from typing import Any, NamedTuple

import pandas as pd
import yaml

from lab.processes.prepare_data.params import Data
from labkit.process.errors import InputError

MOST_TOLD = 20
LONGEST_VALUE = 60  # characters
REASONS = {  # every line of params.yaml has one
    "separator": "what stands between two fields",
    "encoding": "how the file's letters are written",
    "decimal": "the mark before the fraction of a number",
    "thousands": "the mark between groups of three digits",
    "date_format": "how dates are written",
    "missing_values": "words that stand for a missing value",
    "drop": "no features: nothing in them, a name for each row, or not to be learned from",
    "drop_unlabelled": "rows without a label, or without what they are split by, teach nothing",
    "missing": "what takes the place of a missing value",
    "categories": "words that are levels",
    "dates": "the parts of a date that may tell something",
}


class Problem(NamedTuple):
    """What is wrong, and the settings of the section data that would clear it, if any would."""

    told: str
    settings: dict[str, Any] | None = None


def refuse(data: Data, problems: Sequence[Problem]) -> None:
    """Raise InputError that tells all problems, and the lines to add, if there is any problem."""
    if not problems:
        return
    first = sorted(problems, key=lambda problem: bool(problem.settings))  # those that a person alone can clear
    told = [f"  {problem.told}" for problem in first[:MOST_TOLD]]
    if len(problems) > MOST_TOLD:
        told.append(f"  and {len(problems) - MOST_TOLD} more")
    settings = merged(data, (problem.settings or {} for problem in problems))
    filled, dropped = settings.pop("missing", {}), settings.get("drop", [])
    if kept := {name: how for name, how in filled.items() if name not in dropped}:
        settings["missing"] = kept
    if settings:
        told.append(
            "To go on so, put these lines below `data:` in params.yaml, in the place of those of the same keys; "
            "other choices are in lab/docs/your-data.md:"
        )
        told += [f"  {key}: {_written(value)}  # {REASONS[key]}" for key, value in settings.items()]
    raise InputError("\n".join([f"{data.source} cannot be used as it is:", *told]))


def _written(value: Any) -> str:
    """The value as YAML in one line."""
    style: Any = {"sort_keys": False, "allow_unicode": True, "width": inf, "default_flow_style": True}
    line = str(yaml.safe_dump([value], **style)).strip()[1:-1]
    return json.dumps(value) if "\n" in line else line  # as in a name that has a line break; JSON is YAML too


def merged(data: Data, settings: Iterable[dict[str, Any]]) -> dict[str, Any]:
    """The settings as one, each column's beside those that `data` has already."""
    written = data.model_dump(exclude_unset=True)
    result: dict[str, Any] = {}
    for key, value in (item for one in settings for item in one.items()):
        before = result.get(key, written.get(key))
        if isinstance(value, dict):
            result[key] = {**(before if isinstance(before, dict) else {}), **value}
        elif isinstance(value, list):
            result[key] = [*(before or []), *(item for item in value if item not in (before or []))]
        else:
            result[key] = value
    return result


def place(label: Any) -> str:
    """Where a row is, by its label in the table's index; the row below the header is 1."""
    return f"data row {label[1] + 1} of {label[0]}" if isinstance(label, tuple) else f"data row {label + 1}"


def first(name: str, column: "pd.Series[Any]", wrong: "pd.Series[bool]") -> str:
    """The first of the wrong values and its row."""
    number = int(wrong.to_numpy().argmax())
    return f"{name} is {shown(column.iloc[number])} in {place(column.index[number])}"


def shown(value: Any) -> str:
    """A value as a message shows it."""
    if pd.api.types.is_scalar(value) and pd.isna(value):
        return "empty"
    words = repr(value) if isinstance(value, str) else str(value)
    return words if len(words) <= LONGEST_VALUE else words[: LONGEST_VALUE - 1] + "…"


def some(names: Iterable[Any], most: int = 5) -> str:
    """The first of the names, and how many more there are."""
    listed = [str(name) for name in names]
    more = f" and {len(listed) - most} more" if len(listed) > most else ""
    return ", ".join(listed[:most]) + more
