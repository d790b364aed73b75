"""A packaged model that answers: loaded from its folder, and tried on its own example before it is let out."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd

from labkit.process.errors import InputError


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
    import mlflow.pyfunc  # takes seconds

    written, sys.dont_write_bytecode = sys.dont_write_bytecode, True  # the folder's bytes are DVC's
    try:
        model = mlflow.pyfunc.load_model(str(folder))
        columns = model.metadata.metadata["columns"]
        example = pd.read_json(folder / "input_example.json", orient="split", dtype=False, convert_dates=False)
        answers = [*model.predict(example)]
    except Exception as error:  # whatever its own code raises
        raise InputError(f"{folder} can't be served: {type(error).__name__}: {error}") from error
    finally:
        sys.dont_write_bytecode = written
    return Served(name, version, model, columns, answers)


def takes_the_same(one: Served, other: Served) -> bool:
    """Whether two models read the same columns and answer with the same."""
    return (one.columns, one.answers) == (other.columns, other.answers)


def without_values(message: str, columns: list[str]) -> str:
    """What a model says of rows that it can't read, without the value that it may name after the column."""
    for name in sorted(columns, key=lambda name: (message.find(f" in {name}"), -len(name))):  # a value may name another
        before, found, after = message.partition(f" in {name}")
        if found and after.startswith((":", " that are ", ";")):
            return f"{before}{found}; mend these rows"
    return message if message.startswith(("missing inputs ", "no rows;")) else "the model can't read these rows"
