"""How two commits differ: code, parameters, stages, data, metrics, and predictions of the same rows."""

import json
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

from labkit.compare.sides import Side, fetch
from labkit.dvc_adapter.repository import open_project
from labkit.git_cli import git
from labkit.paths import REPORTS, TABLES
from labkit.pipeline.changes import changed_records
from labkit.pipeline.dependencies import metas, stage_outputs
from labkit.pipeline.drift import CHANCE, Drift, drifts
from labkit.pipeline.input_changes import changed_values
from labkit.pipeline.records import DVC_LOCK, Records, read_records, recorded_params, records_of
from labkit.process.errors import InputError
from labkit.process.flat import is_number
from labkit.registry.results import disagreement
from labkit.registry.settings import stages_of
from labkit.report.page import Metrics, read_metrics
from labkit.report.paired import NOISE, Difference, holm
from labkit.report.paired import differences as row_differences
from labkit.report.predictions import Predictions, read_paired

TARGET = "data.target"  # of params.yaml
ANEW = "The two predict different columns: no figure of the one compares with the other's."


class File(NamedTuple):
    """A file of the code that differs, and how many lines; None for a binary file."""

    path: str
    added: int | None
    removed: int | None


class Param(NamedTuple):
    """A parameter that differs, as it is shown; None where it is missing. Other files than params.yaml are named."""

    name: str
    a: str | None
    b: str | None


class Metric(NamedTuple):
    """A number of a metrics file; None on the side that does not have it."""

    model: str
    metric: str
    a: float | None
    b: float | None


class RowTest(NamedTuple):
    """A model's metric on the same rows, of A and of B. B is `better`, `worse`, or within the `noise`.

    `holm` is the p-value, held to all the tests there are.
    """

    model: str
    rows: int
    found: Difference
    holm: float
    verdict: str


class Data(NamedTuple):
    """A report of the data: rows, columns that only one side has, and the drift of each that both have.

    `drifted` names those that are apart by more than chance, over all of them together.
    """

    file: str
    rows: tuple[int, int]
    columns: tuple[int, int]
    gone: list[str]
    new: list[str]
    drifts: list[Drift]
    drifted: list[str]


class Found(NamedTuple):
    """All differences. `stages` lists what each stage read otherwise; `unknown` says what can't be told, and why."""

    a: Side
    b: Side
    code: list[File]
    params: list[Param]
    stages: dict[str, list[str]]
    data: list[Data]
    metrics: list[Metric]
    tests: list[RowTest]
    unknown: list[str]


def is_of_another_target(found: Found | None) -> bool:
    """Whether the two predict different columns: neither their metrics nor their plots compare."""
    return found is not None and any(param.name == TARGET and param.a and param.b for param in found.params)


class Read(NamedTuple):
    """What is read of a side: its records, the stages of its dvc.yaml, its metrics, and the folder with its files."""

    side: Side
    records: Records
    stages: dict[str, Any]
    metrics: Metrics
    folder: Path


def gather_differences(a: Side, b: Side) -> Found:
    """Compare two commits. Raises InputError where a dvc.yaml or dvc.lock can't be read."""
    with TemporaryDirectory() as folder:
        told = [_read(side, Path(folder, name)) for side, name in zip((a, b), "ab", strict=True)]
        found = differences_of(*(read for read, _ in told))
    return found._replace(unknown=[line for _, lines in told for line in lines] + found.unknown)


def differences_of(before: Read, now: Read) -> Found:
    """Compare what was read of two commits: what is not in their folders is not compared."""
    model = compared_model(before, now)
    tests, unknown = _tests(*(_tables(read, model) for read in (before, now)))
    reports = sorted(_reports(before.stages) & _reports(now.stages))
    data = [_data(file, before.folder, now.folder) for file in reports]
    if not data:
        unknown = ["how the data differ: both dvc.yaml must name a report of them in `meta: data:`", *unknown]
    return Found(
        before.side,
        now.side,
        _code(before.side.commit, now.side.commit),
        _params(before.records, now.records),
        _stages(before.records, now.records),
        [one for one in data if one],
        _metrics(before.metrics, now.metrics),
        tests,
        unknown,
    )


def compared_files(stages: dict[str, Any]) -> list[str]:
    """The files that a comparison reads: predictions, reports of the data, and metrics."""
    return [*_predictions(stages), *sorted(_reports(stages)), *outputs(stages, "metrics")]


def _read(side: Side, folder: Path) -> tuple[Read, list[str]]:
    """A side, its files written to `folder`; and what can't be told of it, and why."""
    records, stages = read_records(records_of(side.commit)), stages_of(side.commit)
    unknown = [*_doubts(side, records), *fetch(side, compared_files(stages), folder)]
    with open_project() as project:
        return Read(side, records, stages, read_metrics(project, side.commit), folder), unknown


def outputs(stages: dict[str, Any], kind: str) -> list[str]:
    """The `metrics` or `plots` of a dvc.yaml."""
    known = [stage.get("do", stage) for stage in stages.values() if isinstance(stage, dict)]
    return [str(file) for stage in known for file in stage_outputs(stage, [kind])]


def as_json(found: Found) -> str:
    """All that was found, as JSON."""
    return json.dumps(_plain(found), indent=2, ensure_ascii=False)


def _doubts(side: Side, records: Records) -> Iterator[str]:
    if side.note:
        yield f"{side}: {side.note}"
    if not records:
        yield f"{side} has no results in {DVC_LOCK}: `dvc repro`, and commit that"
    elif told := disagreement(side.commit):
        yield f"{side}: {told}"


def _params(old: Records, new: Records) -> list[Param]:
    before, now = ({name: value for _, name, value in recorded_params(records)} for records in (old, new))
    return [Param(*changed) for changed in changed_values(before, now)]


def _stages(old: Records, new: Records) -> dict[str, list[str]]:
    changed = {one.stage: [*one.params, *one.others] for one in changed_records(old, new)}
    return changed | {stage: ["gone"] for stage in old if stage not in new}


def _code(a: str, b: str) -> list[File]:
    """The files that differ, but for results, their copies and reports."""
    shown = git(
        "diff", "--numstat", "-z", "--no-renames", a, b, "--", ".", f":!{DVC_LOCK}", f":!{TABLES}", f":!{REPORTS}"
    )
    lines = [line.split("\t", 2) for line in shown.split("\0") if line]
    return [File(path, *(int(count) if count != "-" else None for count in counts)) for *counts, path in lines]


def _metrics(before: Metrics, now: Metrics) -> list[Metric]:
    found = []
    for row in dict.fromkeys([*now, *before]):
        file = Path(row.file)
        name = (file.parent.name if file.stem == "metrics" else file.stem) + (f": {row.part}" if row.part else "")
        old, new = before.get(row, {}), now.get(row, {})
        for metric in dict.fromkeys([*new, *old]):
            a, b = (float(side[metric]) if is_number(side.get(metric)) else None for side in (old, new))
            if (a, b) != (None, None):
                found.append(Metric(name, metric, a, b))
    return found


def _predictions(stages: dict[str, Any]) -> dict[str, bool]:
    """What dvc.yaml names as predictions, and whether of the selected model, as `meta.registry` does.

    A stage's `meta.predictions` names a table of its model, or a folder with one for each of its models.
    """
    told = [one.get("predictions") for one in metas(stages, "registry").values() if isinstance(one, dict)]
    return {str(file): False for file in metas(stages, "predictions").values()} | {str(f): True for f in told if f}


def _reports(stages: dict[str, Any]) -> set[str]:
    return {str(file) for file in metas(stages, "data").values()}


def compared_model(*sides: Read) -> str:
    """The selected model of both sides, or `A → B`, as their metrics files tell it (pipeline/leaderboard.py)."""
    told = ([str(one["selected"]) for one in side.metrics.values() if "selected" in one] for side in sides)
    return " → ".join(dict.fromkeys(next(iter(names), "the selected model") for names in told))


def _tables(read: Read, selected: str) -> dict[str, Predictions]:
    """The tables that are here, by the model; of a folder, each CSV below it is that of a model."""
    found, (side, folder) = {}, (read.side, read.folder)
    for name, is_selected in _predictions(read.stages).items():
        for file in sorted((folder / name).rglob("*.csv")) if (folder / name).is_dir() else [folder / name]:
            if file.exists():
                of = f"{file.relative_to(folder)} of {side}"
                found[selected if is_selected else file.stem] = Predictions(file, of, side.name)
    return found


def _tests(before: dict[str, Predictions], now: dict[str, Predictions]) -> tuple[list[RowTest], list[str]]:
    """The tests of the models that both sides have predictions of; and why others are refused."""
    made, refused = [], []
    for model in (model for model in before if model in now):
        try:
            rows = read_paired(before[model], now[model])
            made += [(model, rows.rows, one) for one in row_differences(rows)]
        except InputError as error:
            refused.append(f"{model} is not compared by its predictions: {error}")
    held = holm([one.p for *_, one in made])
    return [
        RowTest(*each, p, "noise" if p >= NOISE else "better" if each[2].is_better else "worse")
        for each, p in zip(made, held, strict=True)
    ], refused


def _data(file: str, *folders: Path) -> Data | None:
    """Nothing where a report is not here, or has another form than pipeline/drift.py tells."""
    try:
        old, new = (json.loads((folder / file).read_text(encoding="utf-8")) for folder in folders)
        names, others = ([str(column["name"]) for column in side["columns"]] for side in (old, new))
        found = drifts(old, new)
        rows = int(old["rows"]["read"]), int(new["rows"]["read"])
    except (OSError, ValueError, TypeError, KeyError):
        return None
    gone, added = ([name for name in one if name not in other] for one, other in ((names, others), (others, names)))
    drifted = [one.column for one in found if one.p < CHANCE / len(found)]
    return Data(file, rows, (len(names), len(others)), gone, added, found, drifted)


def _plain(value: Any) -> Any:
    """Named tuples as mappings, NaN as None."""
    if hasattr(value, "_asdict"):
        value = value._asdict()
    if isinstance(value, dict):
        return {str(key): _plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    return None if isinstance(value, float) and value != value else value
