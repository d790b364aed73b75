"""params.yaml, validated as a whole. Each process declares the sections it reads in its own params.py.

    python -m labkit.process.params      checks params.yaml and prints all that is wrong with it

Every process checks every section, so a mistake is refused by the first process, not by the last.
"""

import sys
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any, TypeVar, get_args

from pydantic import BaseModel, ConfigDict, Field, ValidationError, create_model

from labkit.paths import PROCESSES
from labkit.process.credentials import shown
from labkit.process.errors import InputError, SecretError
from labkit.process.strict_yaml import load_yaml

PARAMS_FILE = Path("params.yaml")
MOST_PROBLEMS = 20  # of a file, told at once
LONGEST_KEY = 100


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

    Raises InputError with a line for each wrong key: the file, the key, its value and what is allowed.
    """
    whole = validate(whole_schema(), read_yaml(path), path)
    return of(**{section: getattr(whole, section) for section in of.model_fields})


def look_ahead(section: str, key: str, path: Path = PARAMS_FILE) -> Any:
    """A value that a later process reads, or None: to refuse now what it would refuse, and for nothing else.

    DVC does not know of it, so no result may depend on it.
    """
    found = read_yaml(path).get(section)
    return found.get(key) if isinstance(found, dict) else None


def validate(schema: type[ParamsType], content: dict[str, Any], path: Path | str) -> ParamsType:
    """Return `content` as an instance of `schema`; `path` is the file to name. Raises InputError as `read_params`."""
    try:
        return schema.model_validate(content)
    except ValidationError as error:
        told = [_explain(schema, problem, path) for problem in error.errors()[:MOST_PROBLEMS]]
        more = [f"and {error.error_count() - MOST_PROBLEMS} more"] if error.error_count() > MOST_PROBLEMS else []
        raise InputError("\n".join(told + more)) from None


@cache
def whole_schema() -> type[Strict]:
    """The union of the sections that the processes declare. Raises InputError where two processes differ."""
    fields: dict[str, Any] = {}
    declarations: dict[str, type[Strict]] = {"lab": CommonParams, **process_params()}
    for name, declared in declarations.items():
        for section, info in declared.model_fields.items():
            if fields.setdefault(section, (info.annotation, info))[0] != info.annotation:
                raise InputError(
                    f"lab/processes/{name}/params.py: section {section} is declared by another process too; "
                    "declare its class once, in labkit/process/params.py, and use it in both"
                )
    return create_model("Params", __base__=Strict, **fields)


def process_params() -> dict[str, type[Strict]]:
    """Each process's declaration: the class `Params` of its params.py, where it has one."""
    return {
        path.parent.name: import_module(f"lab.processes.{path.parent.name}.params").Params
        for path in sorted(PROCESSES.glob("*/params.py"))
    }


def read_yaml(path: Path) -> dict[str, Any]:
    """Read a YAML file of sections. Raises InputError when it is something else, and as `load_yaml`."""
    content = load_yaml(path)
    if not isinstance(content, dict):
        raise InputError(f"{path} holds {shown(content)}, not sections; restore it with `git checkout {path}`")
    return content


def _explain(schema: type[BaseModel], problem: Any, path: Path | str) -> str:
    *parent, name = problem["loc"]
    key = ".".join(map(str, problem["loc"]))[:LONGEST_KEY]
    if problem["type"] == "extra_forbidden":
        return f"{path}: {key} (= {shown(problem['input'], key)}) is unknown; allowed here: {_allowed(schema, parent)}"
    if problem["type"] == "missing":
        return f"{path}: {key} is missing; add {name} back, with its reason"
    if isinstance(refused := problem.get("ctx", {}).get("error"), SecretError):
        return f"{path}: {key} {refused}"
    why = problem["msg"].removeprefix("Value error, ")
    return f"{path}: {key} is {shown(problem['input'], key)}: {why[0].lower()}{why[1:]}"


def _allowed(schema: type[BaseModel], location: list[Any]) -> str:
    for part in location:
        if part in schema.model_fields:  # else it is a list's index
            schema = _model_in(schema.model_fields[part].annotation) or schema
    return ", ".join(sorted(schema.model_fields))


def _model_in(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((model for part in get_args(annotation) if (model := _model_in(part))), None)


def main() -> None:
    """Check params.yaml."""
    from labkit.process import params  # the module that the processes import, which `__main__` is not

    try:
        params.read_params(params.CommonParams)
    except InputError as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    main()
