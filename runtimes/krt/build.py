"""From a registered version of the model to its .krt and its KAI product."""

import json
import re
from importlib.resources import files
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import yaml
from jinja2 import Environment, StrictUndefined

from labkit.process.errors import InputError
from labkit.process.files import replacing
from labkit.registry.models import RegisteredModel, copy_model
from runtimes.krt.archive import folder_files, write_archive
from runtimes.krt.check import problems
from runtimes.krt.manifest import SOURCE, Release, kai_yaml, krt_yml, project_name
from runtimes.krt.messages import FILE, MODULE, Field, describe, proto_text, python_module
from runtimes.krt.rules_kre import MANIFEST

HERE = files("runtimes.krt")


def build_krt(model: RegisteredModel, to: Path, image: str = "") -> tuple[Path, Path]:
    """Write the .krt and the KAI product of a registered version to a folder; their paths.

    The same version is always the same bytes. `image` is the one that the node runs in; by default, its name is the
    model's, and its tag the version's. Raises InputError where the model is none that MLflow packaged.
    """
    number = model.version.number
    description = f"{model.name} {model.version}, commit {model.version.tag.commit}"
    release = Release(model.name, number, description, image or f"{project_name(model.name)}:v{number}")
    with TemporaryDirectory() as folder:
        packaged = Path(folder, "model")
        copy_model(model, packaged)
        content = krt_files(packaged, release)
    krt, product = to / f"{release.name}.krt", to / f"{release.name}.kai.yaml"
    write_archive(krt, content)
    with replacing(product) as beside:
        beside.write_text(kai_yaml(release), encoding="utf-8")
    if found := problems(krt) + problems(product):
        raise InputError("\n".join(found))
    return krt, product


def krt_files(model: Path, release: Release) -> dict[str, bytes]:
    """The files of the archive for a model in MLflow's format."""
    told = _mlmodel(model)
    inputs, outputs = input_fields(told), output_fields(told)
    file = describe(inputs, outputs)
    folder = SOURCE.rpartition("/")[0]
    return {
        MANIFEST: krt_yml(release).encode(),
        FILE: proto_text(file, inputs, outputs).encode(),
        SOURCE: HERE.joinpath("node", "main.py").read_bytes(),
        f"{folder}/{MODULE}": python_module(file).encode(),
        "image/Dockerfile": dockerfile(told).encode(),
        "image/requirements.txt": (model / "requirements.txt").read_bytes(),
        **folder_files(model, "models/model"),
    }


def input_fields(told: dict[str, Any]) -> list[Field]:
    """The model's input columns, in order: raw columns, so categories and dates are text."""
    return [Field(column["name"], column["kind"] == "number") for column in told["metadata"]["columns"]]


def output_fields(told: dict[str, Any]) -> list[Field]:
    """The columns of the model's answer, in order."""
    return [Field(column["name"], column["type"] == "double") for column in json.loads(told["signature"]["outputs"])]


def dockerfile(told: dict[str, Any]) -> str:
    """The image that the node runs in: the model's Python and packages, and the runner of the engine's own image."""
    python = re.match(r"\d+\.\d+", told["flavors"]["python_function"]["python_version"])
    template = HERE.joinpath("Dockerfile.jinja").read_text(encoding="utf-8")
    return (
        Environment(undefined=StrictUndefined, keep_trailing_newline=True)
        .from_string(template)
        .render(python=python[0] if python else "3")
    )


def _mlmodel(model: Path) -> dict[str, Any]:
    try:
        told = yaml.safe_load((model / "MLmodel").read_text(encoding="utf-8"))
        told["metadata"]["columns"], told["signature"]["outputs"]
    except (OSError, KeyError, TypeError, yaml.YAMLError):
        raise InputError(
            f"{model.name}/MLmodel does not tell the columns of the model's input and output; register a model that "
            "select_best_model packaged"
        ) from None
    return told  # type: ignore[no-any-return]
