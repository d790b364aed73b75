"""The content of an experiment's page, and its line in the table of experiments. Git is not asked."""

from collections.abc import Iterator
from contextlib import suppress
from math import isfinite, nan
from typing import Any, NamedTuple

from pydantic import BaseModel, ConfigDict

from labkit.compare.gather import Found, compared_model
from labkit.compare.sections import Section, as_sections
from labkit.goals import Verdict, tally, verdicts
from labkit.pipeline.dependencies import metas
from labkit.pipeline.leaderboard import models, selected
from labkit.pipeline.records import recorded_params
from labkit.process.credentials import without_credentials
from labkit.process.errors import InputError
from labkit.process.files import read_json
from labkit.process.flat import is_number
from labkit.report.data import COLUMNS, described
from labkit.report.intervals import interval_text
from labkit.report.tables import number
from labkit.site.here import Here

BARS = 20  # of a picture of a column
HEIGHT = 16


class Row(BaseModel):
    """What the table tells of an experiment: the selected model, its metric, how that changed, and the goals.

    It changed where the data are the same. `low` and `high` are the interval of the change where both have predictions
    of the same rows; `verdict` is then `better`, `worse` or `noise`. Empty or None is what is not known.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    model: str = ""
    metric: str = ""
    value: float | None = None
    change: float | None = None
    low: float | None = None
    high: float | None = None
    verdict: str = ""
    goals: str = ""
    judged: bool = False
    missed: bool = False
    all_met: bool = False
    has_data: bool = False


class Column(NamedTuple):
    """A column of the data: what is in it, and the heights of the bars of its picture."""

    cells: list[str]
    bars: list[int]


def row_of(here: Here, before: Here | None, found: Found | None) -> Row:
    """The line of the table."""
    goals = _goals(here)
    told = {
        "goals": tally(goals) if goals else "",
        "judged": any(one.met is not None for one in goals),
        "missed": any(one.met is False and not one.goal.ambition for one in goals),
        "all_met": bool(hard := [one for one in goals if not one.goal.ambition]) and all(one.met for one in hard),
        "has_data": bool([*reports_of(here)]),
    }
    model, metric, value = _selection(here)
    changed: dict[str, Any] = {}
    if before and value is not None:
        *_, other, was = _selection(before)
        if other == metric and was is not None and _data_hashes(before) == _data_hashes(here):
            changed = {"change": value - was} | _tested(here, before, found, metric)
    return Row(model=model, metric=metric, value=value, **told, **changed)


def sections_of(here: Here, found: Found | None) -> dict[str, list[Section]]:
    """The tables of the page: of the experiment itself, and against the one before."""
    compared = as_sections(found, "before", "now") if found else []
    own = [_params_section(here)] if not found else [one for one in compared if one.title == "Parameters"]
    return {
        "own": [*own, *_models_section(here), *_goals_section(here)],
        "compared": [one for one in compared if one.title != "Parameters"],
    }


def data_of(here: Here) -> list[dict[str, Any]]:
    """The reports of the data: a sentence and the columns of each."""
    found = []
    for file, report in reports_of(here):
        told, columns = described(report)
        bars = [_bars(column) for column in report["columns"]]
        found.append({"file": file, "told": told, "heads": COLUMNS, "columns": [*map(Column, columns, bars)]})
    return found


def reports_of(here: Here) -> Iterator[tuple[str, dict[str, Any]]]:
    """The reports of the data that are here and can be described, by file."""
    for file in metas(here.read.stages, "data").values():
        with suppress(OSError, KeyError, TypeError, ValueError):
            described(report := read_json(here.read.folder / str(file)))
            yield str(file), report


def _data_hashes(here: Here) -> list[str]:
    """The hashes of the reports of the data: metrics compare only on the same data."""
    files = {str(file) for file in metas(here.read.stages, "data").values()}
    outs = [out for record in here.read.records.values() for out in record.get("outs") or []]
    return [str(out.get("md5")) for out in outs if out["path"] in files]


def _bars(column: dict[str, Any]) -> list[int]:
    """The heights of a histogram, or of the counts of levels."""
    counts = column.get("histogram") or [*(column.get("levels") or {}).values()][:BARS]
    known = [float(count) for count in counts if is_number(count)]
    return [round(HEIGHT * count / max(known)) for count in known] if known and max(known) > 0 else []


def _selection(here: Here) -> tuple[str, str, float | None]:
    """The selected model, the metric that models are compared by, and its value on the test rows."""
    with suppress(InputError):
        if here.board:
            best = selected(here.board, here.read.folder)
            value = best.test.get(best.metric)
            number = float(value) if isinstance(value, int | float) else nan
            return best.model, best.metric, number if isfinite(number) else None
    return "", "", None


def _tested(here: Here, before: Here, found: Found | None, metric: str) -> dict[str, Any]:
    """The interval of the change, where it was tested."""
    model = compared_model(before.read, here.read)
    for test in found.tests if found else []:
        if (test.model, test.found.metric) == (model, metric):
            return {"low": test.found.low, "high": test.found.high, "verdict": test.verdict}
    return {}


def _params_section(here: Here) -> Section:
    """All parameters, of an experiment that has none before it."""
    told = {name: value for _, name, value in recorded_params(here.read.records)}
    return Section(
        "Parameters",
        "The first results of this history.",
        ["parameter", "value"],
        [[name, without_credentials(str(value))] for name, value in told.items()],
    )


def _models_section(here: Here) -> list[Section]:
    try:
        if here.board is None:
            return []
        rows = models(here.board._replace(models=here.read.folder / here.board.models))
        best = selected(here.board, here.read.folder)
    except InputError:  # what is not here is told at the top of the page
        return []
    names = [name for name in rows[0] if name != "model"]
    lines = [
        [("★ " if row["model"] == best.model else "") + row["model"], *(number(row[name]) for name in names)]
        for row in rows
    ]
    test = [number(best.test[name]) + interval_text(best.test, name) if name in best.test else "" for name in names]
    note = f"Compared by {best.metric}." if best.metric else ""
    return [Section("Models", note, ["model", *names], [*lines, ["★ on its test rows", *test]], len(names))]


def _goals(here: Here) -> list[Verdict]:
    return verdicts(results=here.read.folder, goals=here.goals)


def _goals_section(here: Here) -> list[Section]:
    lines = []
    for one in _goals(here):
        reached = one.unknown if one.met is None else f"{one.value:.4f}"
        lines.append([one.goal.goal, one.word, one.goal.metric, reached, one.goal.threshold])
    return [Section("Goals", "", ["goal", "", "metric", "reached", "wanted"], lines, 2)] if lines else []
