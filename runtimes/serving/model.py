"""A packaged model that answers: loaded from its folder, and tried on its own example before it is let out."""

import re
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import pandas as pd

from labkit.paths import HOME
from labkit.pipeline.records import commit_of
from labkit.process.errors import InputError
from labkit.process.tracking import md5_of
from labkit.registry.models import copy_model, find_model
from labkit.registry.results import fetch_files
from labkit.registry.settings import registered_in
from labkit.registry.tags import STAGE

COPIES = HOME / ".lab" / "models"


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


def find(wanted: str | None, offline: bool = False) -> Served:
    """The model to serve: a registered one (`champion`, `v3`), one in a folder, a revision's; else the last run's.

    Raises InputError where there is none, and GitError where `origin` is to be asked and can't be.
    """
    _, told = registered_in(commit_of("HEAD"))
    if wanted is None:
        return load(Path(told.model), told.name, md5_of(Path(told.model))[:10] if Path(told.model).is_dir() else "")
    if (Path(wanted) / "MLmodel").is_file():
        return load(Path(wanted), told.name, md5_of(Path(wanted))[:10])
    if wanted.rpartition("@")[2] == STAGE or re.fullmatch(r"(.*@)?v\d+(\.0\.0)?", wanted):
        registered = find_model(wanted, offline)
        version = registered.version
        folder = _kept(
            f"{registered.name}-{version}-{version.tag.commit[:10]}", lambda place: copy_model(registered, place)
        )
        return load(folder, registered.name, str(version))
    try:
        commit = commit_of(wanted)
    except InputError:
        raise InputError(f"--model {wanted}: no version, no folder with an MLmodel, and no revision of Git") from None
    return load(_kept(commit[:10], lambda place: _fetch(commit, told.model, place)), told.name, commit[:10])


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
    for name in sorted(columns, key=len, reverse=True):
        before, found, after = message.partition(f" in {name}")
        if found and after.startswith((":", " that are ", ";")):
            return f"{before}{found}; mend these rows"
    return message if message.startswith(("missing inputs ", "no rows;")) else "the model can't read these rows"


def _kept(name: str, copy: Callable[[Path], None]) -> Path:
    """The folder of a model that was copied before, or is now: whole, or not there."""
    folder = COPIES / name
    if not folder.exists():
        COPIES.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(dir=COPIES) as beside:
            copy(Path(beside) / "model")
            (Path(beside) / "model").rename(folder)
    return folder


def _fetch(commit: str, path: str, to: Path) -> None:
    """Copy a commit's model. Raises InputError where neither DVC's cache nor its remote has it."""
    fetch_files(commit, [path], to.parent)
    if not (to.parent / path).exists():
        raise InputError(f"{path} of {commit[:10]} is neither in DVC's cache nor in its remote")
    (to.parent / path).rename(to)
