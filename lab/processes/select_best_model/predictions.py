"""What trained models answer, each with the packages of the process that trained it."""

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from lab.processes.select_best_model import load_and_predict
from labkit.process.errors import InputError
from labkit.process.files import read_json, write_json
from labkit.process.trainers import run_in
from lib.data_splits import Dataset
from lib.metrics import HAVE_THE_TARGETS_UNIT
from lib.task import task_of

# How far a metric may be from the one that was written, in parts of it where it has a unit: another device adds in
# another order.
TOLERANCE = 0.02


class Answers(NamedTuple):
    """What the models of one process predict, and what loading them takes.

    predictions: (rows, classes) probabilities or (rows,) numbers by model, for each file of rows; packages: versions by
    package; modules: files of lib; shuffled: predictions of shuffled rows, with a dimension more before, of groups.
    """

    predictions: dict[str, list[NDArray[np.float64]]]
    packages: dict[str, str]
    modules: list[Path]
    shuffled: dict[str, NDArray[np.float64]]


def ask(process: str, models: Mapping[str, Path], *rows: Path, shuffle: Mapping[str, Any] | None = None) -> Answers:
    """Let models of one process predict the prepared rows of .npy files, in that process's environment.

    shuffle: what load_and_predict.shuffled takes, to have shuffled rows of the first file predicted too.
    Raises InputError when a model can't be loaded there: its file is damaged, or a package is missing.
    """
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        files = {model: str(file.absolute()) for model, file in models.items()}
        request = {
            "process": process,
            "models": files,
            "rows": [str(file.absolute()) for file in rows],
            "shuffle": shuffle,
        }
        write_json(folder / "request.json", request)
        run_in(process, load_and_predict.__name__, name)
        loaded = read_json(folder / "loaded.json")
        predictions = {
            model: [np.load(folder / f"{model}.{number}.npy", allow_pickle=False) for number in range(len(rows))]
            for model in models
        }
        shuffled = {model: np.load(folder / f"{model}.shuffled.npy", allow_pickle=False) for model in models if shuffle}
    return Answers(predictions, loaded["packages"], [Path(file) for file in loaded["modules"]], shuffled)


def check(
    name: str,
    told: Mapping[str, float],
    predictions: NDArray[np.float64],
    y: NDArray[Any],
    dataset: Dataset,
    metric: str,
) -> None:
    """Raise InputError unless these are predictions of the validation rows, and as good as the process has `told`.

    predictions: (rows, classes) probabilities or (rows,) numbers, as the model gave them; y: (rows,).
    """
    given = f"{name}: its model gives"
    shape = (len(y), len(dataset.classes)) if dataset.classes else (len(y),)
    if predictions.shape != shape:
        raise InputError(f"{given} predictions of shape {predictions.shape}, not {shape}; correct its model.py")
    if dataset.classes and not (np.isfinite(predictions).all() and (predictions >= 0).all()):
        raise InputError(f"{given} values that are no probabilities; give each class's, from 0 to 1")
    if not np.isfinite(predictions).all():
        raise InputError(f"{given} values that are no numbers; correct its model.py")
    found = task_of(dataset).metrics(y, predictions)[metric]
    allowed = TOLERANCE * (abs(found) if metric in HAVE_THE_TARGETS_UNIT else 1)
    if not abs(found - told[metric]) <= allowed:
        raise InputError(
            f"{given} a {metric} of {found:.3f} on the validation rows, and its metrics say {told[metric]}; "
            "correct its model.py, or what its process writes"
        )
