"""What stands in the way of preparing a table, all of it told at once, with the lines of params.yaml that clear it."""

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import pandas as pd
import yaml

from lab.processes.prepare_data.params import Data
from labkit.process.errors import InputError

MOST_TOLD = 20
LONGEST_VALUE = 60  # characters


class Problem(NamedTuple):
    """What is wrong, and the settings of the section data that would clear it, if any would."""

    told: str
    settings: dict[str, Any] | None = None


def refuse(data: Data, problems: Sequence[Problem]) -> None:
    """Raise InputError that tells all problems, and the lines to add, if there is any problem."""
    if not problems:
        return
    told = [f"  {problem.told}" for problem in problems[:MOST_TOLD]]
    if len(problems) > MOST_TOLD:
        told.append(f"  and {len(problems) - MOST_TOLD} more")
    settings = merged(data, (problem.settings or {} for problem in problems))
    if settings:
        style: Any = {"sort_keys": False, "allow_unicode": True, "width": 1000, "default_flow_style": None}
        lines = yaml.safe_dump({"data": settings}, **style)
        told += ["To go on so, put these lines into params.yaml; other choices are in lab/docs/your-data.md:"]
        told += [f"  {line}" for line in lines.splitlines()]
    raise InputError("\n".join([f"{data.source} cannot be used as it is:", *told]))


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
