"""params.yaml, validated as a whole. Each process declares the sections it reads in its own params.py.

    python -m lab.params      checks params.yaml and prints what is wrong with it
"""

import sys
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, create_model

from lib.errors import InputError

PARAMS_FILE = Path("params.yaml")
PROCESSES = Path(__file__).parent / "processes"


class Strict(BaseModel):
    """A section of params.yaml: unknown keys and mistyped values are refused."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)


class Project(Strict):
    """What the lab is called."""

    name: str = Field(min_length=1)


class CommonParams(Strict):
    """The sections that no process reads."""

    project: Project


ParamsType = TypeVar("ParamsType", bound=Strict)


def read_params(of: type[ParamsType], path: Path = PARAMS_FILE) -> ParamsType:
    """Validate the whole of params.yaml and return the sections that `of` declares.

    Raises InputError naming each wrong key, its value and what is allowed.
    """
    everything = _read_yaml(path)
    try:
        whole_schema().model_validate(everything)
        return of.model_validate({name: everything[name] for name in of.model_fields})
    except ValidationError as error:
        raise InputError("\n".join(_explain(path, problem) for problem in error.errors())) from None


@cache
def whole_schema() -> type[Strict]:
    """The union of the sections that the processes declare."""
    fields: dict[str, Any] = {}
    for name, declared in [("lab", CommonParams), *process_params().items()]:
        for section, info in declared.model_fields.items():
            if fields.setdefault(section, (info.annotation, info))[0] is not info.annotation:
                raise InputError(f"{name}: section {section!r} is declared differently by another process")
    return create_model("Params", __base__=Strict, **fields)


def process_params() -> dict[str, type[Strict]]:
    """Each process's declaration: the class `Params` of its params.py, where it has one."""
    return {
        folder.parent.name: import_module(f"lab.processes.{folder.parent.name}.params").Params
        for folder in sorted(PROCESSES.glob("*/params.py"))
    }


def _read_yaml(path: Path) -> dict[str, Any]:
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InputError(f"{path} is missing; restore it with `git checkout {path}`") from None
    except yaml.YAMLError as error:
        raise InputError(f"{path} is no YAML: {' '.join(str(error).split())}") from None
    if not isinstance(content, dict):
        raise InputError(f"{path} holds {type(content).__name__}, not sections; restore it with `git checkout {path}`")
    return content


def _explain(path: Path, problem: Any) -> str:
    key = ".".join(str(part) for part in problem["loc"])
    if problem["type"] == "extra_forbidden":
        parent = problem["loc"][:-1]
        return f"{path}: {key} is unknown; allowed here: {', '.join(_allowed(parent))}"
    if problem["type"] == "missing":
        return f"{path}: {key} is missing; add it"
    return f"{path}: {key} is {problem['input']!r}: {problem['msg'][0].lower()}{problem['msg'][1:]}"


def _allowed(location: tuple[Any, ...]) -> list[str]:
    model: Any = whole_schema()
    for part in location:
        model = model.model_fields[part].annotation
    return sorted(model.model_fields)


if __name__ == "__main__":
    try:
        read_params(CommonParams)
    except InputError as error:
        sys.exit(f"error: {error}")
