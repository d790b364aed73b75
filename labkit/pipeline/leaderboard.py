"""Where a lab's models are compared: a stage of dvc.yaml says so in its `meta`, which DVC leaves to people.

    meta:
      leaderboard:
        models: artifacts/best_model/comparison.csv    a row for each model, best first, named in the column `model`;
                                                       a column `compared_by`, for a plot, is not shown: it repeats one
        selected: artifacts/best_model/metrics.json    `selected` names one of them, `test` holds its test metrics, and
                                                       `metric` names the one they are compared by

The tables of `make run`, the page of a run and its commit show the models then. A lab needs none.
"""

import csv
from pathlib import Path
from typing import Any, NamedTuple

from labkit.paths import lies_in
from labkit.pipeline.dependencies import DVC_YAML, declared_stages, metas, stage_outputs
from labkit.process.errors import InputError
from labkit.process.files import read_json
from labkit.process.params import Strict, validate

COMPARED_BY = "compared_by"

Model = dict[str, str]


class Meta(Strict):
    """The keys of `meta.leaderboard`."""

    models: str
    selected: str


class Leaderboard(NamedTuple):
    """Where it stands in dvc.yaml, and the two files."""

    place: str
    models: Path
    selected: Path


class Selected(NamedTuple):
    """The selected model, by which metric, and its metrics on rows that no choice has seen."""

    model: str
    metric: str
    test: dict[str, Any]


def read_leaderboard() -> Leaderboard | None:
    """The lab's leaderboard, if it has one. Raises InputError as `leaderboard_in`, and as `declared_stages`."""
    return leaderboard_in(declared_stages())


def leaderboard_in(stages: dict[str, Any]) -> Leaderboard | None:
    """The leaderboard that stages of dvc.yaml name, if one does.

    Raises InputError for a wrong key, and a file that the stage does not write.
    """
    told = metas(stages, "leaderboard")
    if len(told) > 1:
        raise InputError(f"{DVC_YAML}: stages {' and '.join(told)} have a meta.leaderboard each; keep one")
    for name, content in told.items():
        place = f"{DVC_YAML}: stages.{name}.meta.leaderboard"
        if not isinstance(content, dict):
            raise InputError(f"{place} is {content!r}; give it the keys {', '.join(Meta.model_fields)}")
        meta = validate(Meta, content, place)
        written = stage_outputs(stages[name])
        for key, file in (("models", meta.models), ("selected", meta.selected)):
            if not lies_in(file, written):
                raise InputError(f"{place}.{key} is {file!r}, which {name} does not write; it writes {_named(written)}")
        return Leaderboard(place, Path(meta.models), Path(meta.selected))
    return None


def models(board: Leaderboard) -> list[Model]:
    """The models, best first, each with its name at `model` and its other columns as they are written.

    Raises InputError when the table is not here, or has another form.
    """
    try:
        with board.models.open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file, strict=True, restkey="", restval=""))
    except FileNotFoundError:
        raise InputError(f"{board.models} is not here; `make run` (or `dvc pull`) brings it") from None
    except (csv.Error, UnicodeDecodeError) as error:
        raise InputError(f"{board.place}.models: {board.models} is not CSV: {error}") from None
    if not rows or "model" not in rows[0]:
        lacking = "column `model`" if rows else "row"
        raise InputError(f"{board.place}.models: {board.models} has no {lacking}; write a row for each model")
    if any("" in row for row in rows):
        raise InputError(f"{board.place}.models: {board.models} has a value without a column; name that")
    return [{name: value for name, value in row.items() if name != COMPARED_BY} for row in rows]


def selected(board: Leaderboard, results: Path = Path()) -> Selected:
    """The selected model, by its file below `results`. Raises InputError when that is missing, or has another form."""
    try:
        content = read_json(results / board.selected)
    except FileNotFoundError:
        raise InputError(f"{board.selected} is not here; `make run` (or `dvc pull`) brings it") from None
    except ValueError as error:
        raise InputError(f"{board.place}.selected: {board.selected} is not JSON: {error}") from None
    if not isinstance(content, dict) or "selected" not in content or not isinstance(content.get("test"), dict):
        raise InputError(
            f"{board.place}.selected: {board.selected} lacks `selected`, a model's name, or `test`, its metrics"
        )
    return Selected(str(content["selected"]), str(content.get("metric", "")), content["test"])


def _named(paths: list[Path]) -> str:
    return ", ".join(map(str, paths)) or "nothing"
