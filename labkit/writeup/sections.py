"""The tables of a report: parameters, data, models, the change since the results before, and goals."""

from collections.abc import Iterator
from contextlib import suppress
from math import isinf
from pathlib import Path
from typing import Any, NamedTuple

from labkit.compare.gather import ANEW, Found, is_of_another_target
from labkit.figures.notation import Formula, Source, bound
from labkit.figures.sources import NotHereError
from labkit.figures.values import Evaluating, paired_intervals
from labkit.goals import GOALS_FILE, Goal, verdicts
from labkit.pipeline.records import DVC_LOCK, recorded_params
from labkit.process.errors import InputError
from labkit.process.files import read_json
from labkit.process.flat import is_number
from labkit.report.data import MOST_COLUMNS, MOST_LEVELS
from labkit.report.first_goals import INTERVAL as TEST_INTERVAL
from labkit.report.intervals import interval_text
from labkit.report.markdown import code, plain, table
from labkit.report.page import Row, named, ordered, with_numbers
from labkit.site.here import Here
from labkit.site.page import reports_of
from labkit.writeup.cells import CHANGE, COUNT, NOTHING, figure, interval, key_of, number, word

STATISTICS = ("missing", "min", "median", "max")
SMALL = "0.000"
SAME = "The test metrics are the same."


class Experiment(NamedTuple):
    """What a report tells: a commit and what is here of it, the one before, and how they differ."""

    commit: str
    here: Here
    before_commit: str
    before: Here | None
    found: Found | None
    evaluate: Evaluating


def short(commit: str) -> str:
    """A commit as figures name it: long enough to stay unique."""
    return commit[:10]


def parameters(one: Experiment) -> str:
    """The parameters that changed; all of them in the first results."""
    now = _params(one.here, one.commit)
    if one.found is None or one.before is None:
        return table(["parameter", "value"], ([code(name), value] for name, value in now.items())) if now else ""
    before = _params(one.before, one.before_commit)
    rows = [[code(name), before.get(name, NOTHING), now.get(name, NOTHING)] for name, *_ in one.found.params]
    return table(["parameter", "before", "now"], rows) if rows else "None changed."


def data(one: Experiment) -> list[dict[str, str]]:
    """Each report of the data that is here: its file, its counts, and its first columns."""
    return [
        {"file": code(file), "counts": _counts(one, file, report), **_columns(one, file, report)}
        for file, report in reports_of(one.here)
    ]


def drifted(one: Experiment) -> list[str]:
    """The columns that are distributed otherwise than in the results before, beyond chance."""
    return [column for data in one.found.data for column in data.drifted] if one.found else []


def models(one: Experiment) -> str:
    """Every model's metrics, the best first, each with its interval where it has one."""
    read, board, commit = one.here.read, one.here.board, short(one.commit)
    numbers = with_numbers(read.metrics)
    names = list(dict.fromkeys(name for metrics in numbers.values() for name in metrics))
    best = board.selected.as_posix() if board else ""
    selection = read.metrics.get(Row(best, ""), {})
    rows = []
    ranked = ordered(list(numbers), board and board._replace(models=read.folder / board.models))
    for row in sorted(ranked, key=lambda row: row != Row(best, "test")):
        content = _json(read.folder / row.file)
        cells = [_metric(one, row, name, content, numbers[row], selection) for name in names]
        label = named(row, best, selection.get("selected"))
        if row == Row(best, "test") and "selected" in selection:
            name = str(selection["selected"])
            label = label.replace(code(name), word(name, Source(best, ("selected",), commit)))
        rows.append([label, *cells])
    return table(["model" if board else "metrics of", *map(code, names)], rows) if rows else ""


def change(one: Experiment) -> tuple[str, list[str]]:
    """The selected model's test metrics, before and now, and how sure their difference is; and what is not known."""
    board, other = one.here.board, one.before.board if one.before else None
    if one.before is None or board is None or other is None or board.selected != other.selected:
        return "", []
    if is_of_another_target(one.found):
        return ANEW, []
    unknown, intervals = list[str](), dict[Any, Any]()
    try:
        intervals = paired_intervals(one.before_commit, one.commit)
    except (NotHereError, InputError) as error:
        unknown.append(f"how sure the differences are: {error}")
    file = board.selected.as_posix()
    old, new = (side.read.metrics.get(Row(file, "test"), {}) for side in (one.before, one.here))
    changed = [name for name, value in new.items() if is_number(value) and value != old.get(name)]
    rows = [_changed(one, name, Source(file, ("test", name)), intervals, new[name]) for name in changed]
    return (table(["metric", "before", "now", "change", ""], rows), unknown) if rows else (SAME, [])


def _changed(one: Experiment, name: str, source: Source, intervals: dict[Any, Any], value: float) -> list[str]:
    """The row of a test metric that is another than before."""
    now, before = (source._replace(commit=short(commit)) for commit in (one.commit, one.before_commit))
    difference = number(one.evaluate, Formula((now, before)), CHANGE if isinstance(value, float) else COUNT)
    *_, verdict = intervals.get((source.file, source.key), ("",))
    sure = f" {interval(one.evaluate, now, before, look=CHANGE)}" if verdict else ""
    return [code(name), figure(one.evaluate, before), figure(one.evaluate, now), difference + sure, verdict]


def goals(one: Experiment) -> str:
    """Each goal, what was reached, what was wanted."""
    rows = []
    for place, (goal, _, met, unknown) in enumerate(verdicts(results=one.here.read.folder, goals=one.here.goals)):
        source = Source(goal.file, tuple(goal.metric.split(".")), short(one.commit))
        reached = plain(unknown) if met is None else figure(one.evaluate, source)
        verdict = "not judged" if met is None else "met" if met else "ambition" if goal.ambition else "**missed**"
        rows.append([plain(goal.goal), verdict, code(goal.metric), reached, _wanted(goal, place, one.commit)])
    return table(["goal", "", "metric", "reached", "wanted"], rows) if rows else ""


def _wanted(goal: Goal, place: int, commit: str) -> str:
    sign, key, value = ("≤", "at_most", goal.at_most) if isinf(goal.at_least) else ("≥", "at_least", goal.at_least)
    return f"{sign} {bound(str(value), Formula((Source(str(GOALS_FILE), (str(place), key), short(commit)),)))}"


def _params(here: Here, commit: str) -> dict[str, str]:
    """The parameters that results were made with, by their names, each bound to its place in dvc.lock."""
    return {
        name: word(value, Source(DVC_LOCK, place, short(commit)))
        for place, name, value in recorded_params(here.read.records)
    }


def _counts(one: Experiment, file: str, report: dict[str, Any]) -> str:
    told = {name: ("rows", name) for name in report["rows"]} | {"columns": ("columns",)}
    told |= {"features": ("features",)} if "features" in report else {}
    sources = {name: Source(file, key, short(one.commit)) for name, key in told.items()}
    cells = [[plain(name if name in ("columns", "features") else f"rows {name}"), figure(one.evaluate, source)]
             for name, source in sources.items()]  # fmt: skip
    return table(["", "count"], cells)


def _columns(one: Experiment, file: str, report: dict[str, Any]) -> dict[str, str]:
    columns = report["columns"]
    names = [str(column["name"]) for column in columns]
    rows = []
    for place, column in enumerate(columns[:MOST_COLUMNS]):
        name = names[place] if names.count(names[place]) == 1 and not names[place].isdecimal() else str(place)
        sources = {key: Source(file, ("columns", name, key), short(one.commit)) for key in STATISTICS}
        numbers = [figure(one.evaluate, sources[key], SMALL) if key in column else "" for key in STATISTICS]
        levels = ", ".join(code(str(level)) for level in [*(column.get("levels") or {})][:MOST_LEVELS])
        if column.get("distinct", 0) > MOST_LEVELS and levels:
            distinct = figure(one.evaluate, Source(file, ("columns", name, "distinct"), short(one.commit)))
            levels += f", {distinct} in all"
        rows.append([plain(names[place]), plain(str(column["kind"])), *numbers, levels])
    more = "The report has more columns." if len(columns) > MOST_COLUMNS else ""
    return {"columns": table(["column", "kind", *STATISTICS, "levels"], rows), "more": more}


def _metric(
    one: Experiment, row: Row, name: str, content: Any, numbers: dict[str, Any], selection: dict[str, Any]
) -> str:
    """A metric of a model, with the interval of a share, or of the metric that selects, on the test rows."""
    if name not in numbers:
        return ""
    source = Source(row.file, key_of(content, row.part, name), short(one.commit))
    shown = figure(one.evaluate, source)
    if interval_text(numbers, name):
        return f"{shown} {interval(one.evaluate, source)}"
    told = content.get(TEST_INTERVAL)
    if row.part == "test" and name == selection.get("metric") and isinstance(told, list) and len(told) == 2:
        low, high = (figure(one.evaluate, source._replace(key=(TEST_INTERVAL, end)), SMALL) for end in ("0", "1"))
        return f"{shown} [{low}, {high}]"
    return shown


def _json(file: Path) -> dict[str, Any]:
    """A metrics file; nothing of one that is of another form."""
    with suppress(OSError, ValueError):
        content = read_json(file)
        return content if isinstance(content, dict) else {}
    return {}


def lacking(one: Experiment, plots: list[str]) -> Iterator[str]:
    """The files that a report lacks, except plots, which are drawn or named elsewhere."""
    before = None if is_of_another_target(one.found) else one.before
    for here, whose in ((one.here, ""), (before, " of the one before")):
        if here and (files := [file for file in here.lacking if not any(Path(file).is_relative_to(p) for p in plots)]):
            yield (
                f"{', '.join(files[:MOST_COLUMNS])}{whose}: neither in Git nor in DVC's cache; `dvc fetch "
                "--all-commits` brings it, if the remote has it"
            )
