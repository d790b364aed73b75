"""Which model a lab registers: a stage of dvc.yaml says so in its `meta`, which DVC leaves to people.

    meta:
      registry:
        name: breast-cancer                                      what its versions are called: breast-cancer@v3.0.0
        model: artifacts/best_model/model                        the file or folder that is registered
        predictions: artifacts/best_model/test_predictions.csv   optional: `actual` and `predicted` of each test row
        each_run: true                                           optional: the runner registers each complete run

It is read from the commit that is asked for, so that an old version is found where it lay then. A lab needs none.
"""

import re
from functools import cache
from typing import Any, NamedTuple

from labkit.git_cli import file_in
from labkit.paths import lies_in
from labkit.pipeline.dependencies import DVC_YAML, metas, stage_outputs
from labkit.pipeline.records import read_records, records_of
from labkit.process.errors import InputError
from labkit.process.params import Strict, validate
from labkit.process.strict_yaml import parse_yaml

NAME = re.compile(r"[a-zA-Z0-9]([a-zA-Z0-9_-]*[a-zA-Z0-9])?")  # GTO's, without a path


class Registered(Strict):
    """The keys of `meta.registry`."""

    name: str
    model: str
    predictions: str = ""
    each_run: bool = False


class Source(NamedTuple):
    """A commit's model: its `meta.registry`, the stage that writes it, and DVC's hash of it."""

    told: Registered
    stage: str
    md5: str


def registered_in(commit: str) -> tuple[str, Registered]:
    """The stage that writes a commit's registered model, and its `meta.registry`.

    Raises InputError where dvc.yaml names none, more than one, or a file that the stage does not write.
    """
    stages = stages_of(commit)
    told = metas(stages, "registry")
    if not told:
        raise InputError(
            f"{DVC_YAML} of {commit[:10]} names no model to register; add `meta: registry:` with the keys name, model "
            "and predictions to the stage that writes it: lab/docs/promoting.md"
        )
    if len(told) > 1:
        raise InputError(f"{DVC_YAML}: stages {' and '.join(told)} have a meta.registry each; keep one")
    ((stage, content),) = told.items()
    return stage, _checked(stage, content, stage_outputs(stages[stage]))


@cache  # a commit stays what it is
def source_of(commit: str) -> Source:
    """A commit's model. Raises InputError as `registered_in`, and where dvc.lock has no result of its stage."""
    stage, told = registered_in(commit)
    record = read_records(records_of(commit)).get(stage) or {}
    hashes = {str(out.get("path")): str(out.get("md5", "")) for out in record.get("outs", [])}
    for out, md5 in hashes.items():
        if md5 and lies_in(told.model, [out]):
            return Source(told, stage, md5)
    raise InputError(
        f"{commit[:10]} has no results of {stage} in dvc.lock: run `dvc repro`, commit dvc.lock, and register that"
    )


def stages_of(commit: str) -> dict[str, Any]:
    """The stages of a commit's dvc.yaml, as they are written."""
    content = parse_yaml(file_in(commit, str(DVC_YAML)) or b"", f"{DVC_YAML} of {commit[:10]}")
    stages = content.get("stages") if isinstance(content, dict) else None
    return stages if isinstance(stages, dict) else {}


def _checked(stage: str, content: Any, written: list[Any]) -> Registered:
    place = f"{DVC_YAML}: stages.{stage}.meta.registry"
    if not isinstance(content, dict):
        raise InputError(f"{place} is {content!r}; give it the keys {', '.join(Registered.model_fields)}")
    told = validate(Registered, content, place)
    if not NAME.fullmatch(told.name):
        raise InputError(f"{place}.name is {told.name!r}; use letters, digits, - and _, such as breast-cancer")
    for key, file in (("model", told.model), ("predictions", told.predictions)):
        if file and not lies_in(file, written):
            known = ", ".join(map(str, written)) or "nothing"
            raise InputError(f"{place}.{key} is {file!r}, which {stage} does not write; it writes {known}")
    return told
