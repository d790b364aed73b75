"""A packaged model that answers: loaded from its folder, and tried on its own example before it is let out."""

import re
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import pandas as pd
import yaml

from labkit.process.errors import InputError
from labkit.process.files import read_json


class Served(NamedTuple):
    """A model that can be asked. columns: the raw ones that it reads; answers: those that it gives."""

    name: str
    version: str
    model: Any
    columns: Sequence[dict[str, Any]]
    answers: list[str]

    @property
    def names(self) -> list[str]:
        """The columns by their names."""
        return [column["name"] for column in self.columns]

    @property
    def words(self) -> list[str]:
        """The columns that are read as they are written: 01067 is no number there."""
        return [column["name"] for column in self.columns if column["kind"] != "number"]

    def predict(self, rows: pd.DataFrame) -> pd.DataFrame:
        """An answer for each row. Raises ValueError, without a value of the rows, for what the model can't read."""
        try:
            answered: pd.DataFrame = self.model.predict(rows)
        except ValueError as error:
            raise ValueError(without_values(str(error), self.names)) from None
        return answered


def load(folder: Path, name: str, version: str) -> Served:
    """Load a packaged model, and have it answer its own example. Raises InputError where there is none, or it can't."""
    if not (folder / "MLmodel").is_file():
        raise InputError(f"{folder} holds no model; `make run` (or `dvc pull`) brings it, or name one by --model")
    try:
        told = yaml.load((folder / "MLmodel").read_text(encoding="utf-8"), yaml.CSafeLoader)
        columns, flavor = told["metadata"]["columns"], told["flavors"]["python_function"]
        with _own_code(folder.resolve() / flavor["code"]):
            model = _load_pyfunc(folder.resolve(), flavor)
            example = pd.DataFrame(**read_json(folder / "input_example.json"))
            answers = [*model.predict(example)]
    except Exception as error:  # whatever its own code raises
        raise InputError(f"{folder} can't be served: {type(error).__name__}: {error}") from error
    return Served(name, version, model, columns, answers)


def _load_pyfunc(folder: Path, flavor: dict[str, Any]) -> Any:
    """Load a model as MLflow does, without MLflow, whose import takes longer than the model's own.

    https://mlflow.org/docs/latest/api_reference/python_api/mlflow.pyfunc.html#pyfunc-filesystem-format
    """
    return import_module(flavor["loader_module"])._load_pyfunc(str(folder / flavor.get("data", "")))


@contextmanager
def _own_code(folder: Path) -> Iterator[None]:
    """Let a model run the code that it brings: a module of another model's that has the same name is forgotten.

    Where it fails, the modules are again those of the model before it, which goes on.
    """
    own, path = {file.stem for file in folder.iterdir()}, [*sys.path]
    before = _taken_out(own)
    written, sys.dont_write_bytecode = sys.dont_write_bytecode, True  # the folder's bytes are DVC's
    sys.path.insert(0, str(folder))
    try:
        yield
    except BaseException:
        _taken_out(own)
        sys.modules.update(before)
        sys.path[:] = path
        raise
    finally:
        sys.dont_write_bytecode = written


def _taken_out(packages: set[str]) -> dict[str, ModuleType]:
    """The modules of packages, which the next import loads again."""
    names = [name for name in sys.modules if name.partition(".")[0] in packages]
    return {name: sys.modules.pop(name) for name in names}


def takes_the_same(one: Served, other: Served) -> bool:
    """Whether two models read the same columns and answer with the same."""
    return (one.columns, one.answers) == (other.columns, other.answers)


def without_values(message: str, columns: list[str]) -> str:
    """What a model says of rows that it can't read, without the value that it may name after the column."""
    for name in sorted(columns, key=lambda name: (message.find(f" in {name}"), -len(name))):  # a value may name another
        before, found, after = message.partition(f" in {name}")
        if found and after.startswith((":", " that are ", ";")):
            wanted = re.split("[:;]", after)[0]  # the value comes later
            return f"{before}{found}{wanted}; mend these rows"
    return message if message.startswith(("missing inputs ", "no rows;")) else "the model can't read these rows"
