"""What MLflow is told of a result whose run is lost: a stage of dvc.yaml says so in its `meta`, as its main.py would.

    meta:
      run:
        metrics:               # NAME: FILE#KEY; `*` stands for any key, and in the name for the key that it is
          test_*: artifacts/best_model/metrics.json#test.*
          warnings: artifacts/best_model/metrics.json#warnings   # of a list, how many
          validation_*: artifacts/*/metrics/{lab.selected}.json  # a tag or parameter by its name
        skip: [rows]           # keys that no `*` takes
        epochs:                # the columns of a table by its first one: metrics over time
          epoch_*: artifacts/train/history.csv
        tags: {lab.selected: artifacts/best_model/metrics.json#selected}
        inputs: {data/processed: data/processed/y_*.npy}   # data that were read: what has so many rows as they have
        artifacts: [artifacts/train/history.png]           # files and folders
        params: classifiers.{run}                          # of a nested run

`{run}` in the name of a file makes a nested run of each file that there is. What a stage does not say, its `metrics`
and `plots` do: the numbers by their keys, tables by their epochs, plots and small tables as artifacts.
"""

import csv
import io
import json
import re
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import PurePosixPath
from typing import Any, NamedTuple

from pydantic import Field

from labkit.git_cli import file_in
from labkit.pipeline.dependencies import DVC_YAML, declared_stages
from labkit.process.errors import InputError
from labkit.process.flat import flattened, is_number
from labkit.process.params import Strict, validate
from labkit.process.strict_yaml import parse_yaml
from labkit.publish.kept import FOLDER, Kept

STEPS = ("epoch", "step", "iteration")  # what the first column of a table over time is called
LOOKED_AT = (".png", ".svg", ".jpg", ".html", ".json", ".md", ".csv", ".tsv")


class Told(Strict):
    """What stands below `run`."""

    metrics: dict[str, str] | None = None
    epochs: dict[str, str] | None = None
    tags: dict[str, str] = Field({})
    inputs: dict[str, str] | None = None
    artifacts: list[str] | None = None
    params: str = ""
    skip: list[str] = Field([])

    def sources(self) -> list[str]:
        """The patterns of all files that it takes."""
        told = (self.metrics or {}, self.epochs or {}, self.tags, self.inputs or {})
        named = [source for each in told for source in each.values()] + (self.artifacts or [])
        return [re.sub(r"\{[^{}]*\.[^{}]*\}", "*", source.partition("#")[0]) for source in named if source]


class Found(NamedTuple):
    """A value of a file, the nested run that it is of, or none, and the key that `*` stood for."""

    run: str
    key: str
    value: Any


def told_of(stage: str, commit: str, kept: Kept) -> Told:
    """What is said of a stage: in dvc.yaml of the commit, or else in today's, or else by its metrics and plots.

    Raises InputError for a wrong key.
    """
    definitions = [one for one in (_stages_of(commit).get(_name(stage)), _today().get(_name(stage))) if one]
    said: Any = next((meta["run"] for one in definitions if "run" in (meta := one.get("meta") or {})), {})
    told = validate(Told, said, f"{DVC_YAML}: stages.{stage}.meta.run")
    usual = _usual(definitions[0] if definitions else {}, kept)
    return told.model_copy(update={name: value for name, value in usual.items() if getattr(told, name) is None})


def _usual(stage: Mapping[str, Any], kept: Kept) -> dict[str, Any]:
    """What is told of a stage that says nothing."""
    metrics, plots = (_paths(stage.get(kind)) for kind in ("metrics", "plots"))
    named = {}
    for path in (one for one in metrics if one in kept.outs):
        name = "*" if len(metrics) == 1 else f"{PurePosixPath(path).stem}.*"
        several = kept.outs[path].endswith(FOLDER) and len([*kept.files(path)]) > 1
        named[name] = f"{path}/{{run}}.json#**" if several else f"{path}#**"
    small = [path for path in kept.outs if path in plots or path.endswith(LOOKED_AT)]
    tables = [path for path in plots if path.endswith((".csv", ".tsv"))]
    return {
        "metrics": named,
        "epochs": {"*": tables[0]} if len(tables) == 1 else {f"{PurePosixPath(one).stem}.*": one for one in tables},
        "inputs": dict.fromkeys(kept.data(), ""),
        "artifacts": small,
    }


def values(kept: Kept, source: str, known: Mapping[str, str], skip: tuple[str, ...] = ()) -> Iterator[Found]:
    """The values that a source names, in the files that are here; without those keys that `*` is to skip."""
    pattern, _, key = source.partition("#")
    for path, md5, groups in kept.files(filled(pattern, known)):
        if (place := kept.place(path, md5)) is None:
            continue
        try:
            whole = parsed(path, place.read_bytes())
        except (ValueError, RecursionError, InputError):
            kept.unreadable.append(path)
            continue
        for star, value in _picked(whole, (key or "*").split("."), ()):
            if star.rpartition(".")[2] not in skip:
                yield Found(groups.get("run", ""), star, value)


def filled(text: str, known: Mapping[str, str]) -> str:
    """A text with the known values in the place of their names in braces; those unknown stay."""
    return re.sub(r"\{([^{}]+)\}", lambda found: known.get(found[1], found[0]), text)


def number(value: Any) -> float | None:
    """A number, or how many there are of what can be counted."""
    if is_number(value):
        return float(value)
    return float(len(value)) if isinstance(value, dict | list | range) else None


def count(kept: Kept, source: str, known: Mapping[str, str]) -> int | None:
    """How many a source has in all its files; None where they are not here."""
    pattern, _, key = source.partition("#")
    found = [number(one.value) for one in values(kept, f"{pattern}#{key or '@'}", known)]
    told = [one for one in found if one is not None]
    return int(sum(told)) if told else None


def epochs(kept: Kept, source: str, known: Mapping[str, str]) -> Iterator[tuple[str, int, dict[str, float]]]:
    """The rows of a table over time: the nested run, or none, the step, and the numbers by their columns."""
    for run, _, rows in values(kept, f"{source}#@", known):
        for row in rows if isinstance(rows, list) else ():
            (name, step), *others = row.items()
            if name in STEPS and re.fullmatch(r"\d+(\.0)?", step):
                numbers = {column: found for column, text in others if (found := _as_number(text)) is not None}
                yield run, int(float(step)), numbers


def parsed(path: str, content: bytes) -> Any:
    """The content of a file of JSON, YAML, CSV or NumPy's. Raises ValueError where it is none."""
    kind = PurePosixPath(path).suffix
    if kind == ".npy":
        from numpy.lib import format as npy

        file = io.BytesIO(content)
        read = npy.read_array_header_1_0 if npy.read_magic(file) == (1, 0) else npy.read_array_header_2_0
        return range((*read(file)[0], 1)[0])
    text = content.decode()
    if kind in (".csv", ".tsv"):
        return list(csv.DictReader(io.StringIO(text), delimiter="," if kind == ".csv" else "\t"))
    return parse_yaml(content, path) if kind in (".yaml", ".yml") else json.loads(text)


def _picked(value: Any, keys: list[str], star: tuple[str, ...]) -> Iterator[tuple[str, Any]]:
    """The values below the keys; `*` is any, `**` any of any depth, `@` the whole."""
    key, *rest = keys or ["@"]
    if key == "@":
        yield ".".join(star), value
        return
    if key == "**":
        yield from ((".".join((*star, name)), leaf) for name, leaf in flattened(value).items()) if value else ()
        return
    if isinstance(value, list) and key == "*":
        value = {str(number): one for number, one in enumerate(value, 1)}
    if isinstance(value, dict):
        for name, one in value.items():
            if key in ("*", str(name)):
                yield from _picked(one, rest, (*star, str(name)) if key == "*" else star)


def _as_number(text: Any) -> float | None:
    try:
        return float(text)
    except (TypeError, ValueError):
        return None


def _name(stage: str) -> str:
    return stage.partition("@")[0]  # of one that is made by foreach or matrix


def _paths(entries: Any) -> list[str]:
    """The paths of a stage's outputs, each alone or as the key of its options."""
    return [str(name) for one in entries or [] for name in ([one] if isinstance(one, str) else one)]


@cache
def _stages_of(commit: str) -> dict[str, Any]:
    return _stages((commit and file_in(commit, str(DVC_YAML))) or b"")


@cache
def _stages(text: bytes) -> dict[str, Any]:
    try:
        found = parse_yaml(text, DVC_YAML)["stages"]
        return {name: one.get("do", one) for name, one in found.items() if isinstance(one, dict)}
    except (InputError, TypeError, LookupError, AttributeError):
        return {}  # today's may tell


def _today() -> dict[str, Any]:
    return {name: one.get("do", one) for name, one in declared_stages().items()}
