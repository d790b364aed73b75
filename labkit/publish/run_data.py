"""What MLflow is told of a result: what its process told, by its run.json, or else what its outputs tell."""

import json
import re
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import PurePosixPath
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, Field, ValidationError

from labkit.git_cli import file_in
from labkit.pipeline.dependencies import DVC_YAML, declared_stages
from labkit.process.credentials import without_credentials
from labkit.process.errors import InputError
from labkit.process.flat import flattened, is_number
from labkit.process.run_file import leads_elsewhere
from labkit.process.strict_yaml import parse_yaml
from labkit.publish.kept import Kept
from labkit.publish.occurrences import Result

MOST_BYTES = 50_000_000  # of an artifact: a larger one stays where DVC has it, and the run's tags name it
LONGEST_NAME, LONGEST_PATH = 255, 2000  # bytes: with a longer one, a file could not even be looked for
OF_THE_LAB = re.compile(r"(lab|mlflow)\.(?!selected$|warning\.)")
LOOKED_AT = (".png", ".svg", ".jpg", ".html", ".json", ".md", ".csv", ".tsv")
NOWHERE = "neither here, nor in DVC's cache or its remote; `dvc push` where it was made, or `dvc repro` at that commit"
UNREADABLE = "not what its name says"


def _inside(path: str) -> str:
    """A path that stays below the folder that it is taken from, and that a file can have."""
    parts = PurePosixPath(path).parts
    if leads_elsewhere(path) or not parts or "\0" in path or len(path.encode()) > LONGEST_PATH:
        raise ValueError("leads elsewhere")
    if any(len(part.encode()) > LONGEST_NAME for part in parts):
        raise ValueError("is no name of a file")
    return path


def _of_process(tags: dict[str, str]) -> dict[str, str]:
    """The tags that a process may set: by the others the lab knows its runs, and deletes twins."""
    return {name: value for name, value in tags.items() if not OF_THE_LAB.match(name)}


Inside = Annotated[str, AfterValidator(_inside)]
Step = Annotated[int, Field(ge=-(2**63), lt=2**63)]  # what a database holds


class InputData(BaseModel):
    """Data that were read."""

    name: str
    md5: str
    rows: int | None = None


class Artifact(BaseModel):
    """A file of the lab that was logged. A size of 0 is not known."""

    path: Inside
    md5: str
    size: int = 0


class RunData(BaseModel):
    """The content of run.json: what labkit/process/run_file.py writes."""

    name: str = ""
    params: dict[str, str] = Field({})
    metrics: dict[str, list[tuple[Step, float]]] = Field({})
    tags: Annotated[dict[str, str], AfterValidator(_of_process)] = Field({})
    inputs: list[InputData] = Field([])
    artifacts: dict[Inside, Artifact] = Field({})
    nested: list["RunData"] = Field([])
    failed: bool = False

    def all_artifacts(self) -> Iterator[Artifact]:
        """Those that MLflow gets, of the nested runs too."""
        yield from (one for one in self.artifacts.values() if one.size <= MOST_BYTES)
        for run in self.nested:
            yield from run.all_artifacts()


def read_run_data(result: Result, kept: Kept) -> tuple[RunData, dict[str, str]]:
    """Read what MLflow is told of a result, once `kept.first()` is in the cache; and why files are missing, by path.

    The numbers of a result without a run.json come with `numbers`.
    """
    known = RunData(params=params_of(result.record))
    if not kept.run_file:
        return _of_outputs(result, kept, known), {}
    place = kept.place(kept.run_file, kept.outs[kept.run_file])
    if place is None:
        return known, {kept.run_file: NOWHERE}
    try:
        return RunData.model_validate_json(place.read_bytes()), {}
    except (ValidationError, RecursionError):
        return known, {kept.run_file: UNREADABLE}


def params_of(record: Mapping[str, Any]) -> dict[str, str]:
    """The parameters of a record by their dotted names, but those of the machinery."""
    sections = [values for file, values in record.get("params", {}).items() if not file.startswith("labkit/")]
    return {name: without_credentials(str(value)) for one in sections for name, value in flattened(one).items()}


def numbers(result: Result, kept: Kept) -> tuple[dict[str, list[tuple[int, float]]], dict[str, str]]:
    """The numbers in the metrics of a result without a run.json, by their keys; and the files that are unreadable."""
    found: dict[str, list[tuple[int, float]]] = {}
    unreadable = {}
    files = {file: md5 for path in _paths(_stage(result).get("metrics")) for file, md5 in kept.files(path).items()}
    for file, md5 in files.items():
        if (place := kept.place(file, md5)) is None:
            continue
        try:
            content = place.read_bytes()
            told = parse_yaml(content, file) if file.endswith((".yaml", ".yml")) else json.loads(content)
        except (ValueError, RecursionError, InputError):
            unreadable[file] = UNREADABLE
            continue
        leaves = flattened(told).items() if isinstance(told, dict) else ()
        before = f"{PurePosixPath(file).stem}." if len(files) > 1 else ""
        found |= {f"{before}{name}": [(0, float(value))] for name, value in leaves if is_number(value)}
    return found, unreadable


def _of_outputs(result: Result, kept: Kept, known: RunData) -> RunData:
    """The data that a result is of, and its metrics, plots and small tables as artifacts."""
    shown = {*_paths(_stage(result).get("metrics")), *_paths(_stage(result).get("plots"))}
    outs = [out for out in kept.outs if out in shown or out.endswith(LOOKED_AT)]
    files = {(out, file): md5 for out in outs for file, md5 in kept.files(out).items()}
    return known.model_copy(
        update={
            "inputs": [InputData(name=path, md5=md5) for path, md5 in kept.data().items()],
            "artifacts": {
                str(PurePosixPath(file).relative_to(PurePosixPath(out).parent)): Artifact(path=file, md5=md5)
                for (out, file), md5 in files.items()
            },
        }
    )


def _stage(result: Result) -> dict[str, Any]:
    """What dvc.yaml says of a result's stage: that of its commit, or else today's."""
    name = result.stage.partition("@")[0]  # of one that is made by foreach or matrix
    of_commit = _stages(file_in(result.commits[0].name, str(DVC_YAML)) or b"") if result.commits else {}
    stage = of_commit.get(name) or declared_stages().get(name) or {}
    return dict(stage.get("do", stage))


@cache
def _stages(text: bytes) -> dict[str, Any]:
    try:
        return {name: one for name, one in parse_yaml(text, DVC_YAML)["stages"].items() if isinstance(one, dict)}
    except (InputError, TypeError, LookupError, AttributeError):
        return {}  # today's may tell


def _paths(entries: Any) -> list[str]:
    """The paths of a stage's outputs, each alone or as the key of its options."""
    return [str(name) for one in entries or [] for name in ([one] if isinstance(one, str) else one)]
