"""What trained models answer, each with the packages of the process that trained it."""

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from lab.processes.select_best_model import load_and_predict
from labkit.process.errors import InputError
from labkit.process.files import read_json, write_json
from labkit.process.trainers import run_in
from lib.metrics import classification_metrics

# How far a metric may be from the one that was written: another device adds in another order.
TOLERANCE = 0.02


class Answers(NamedTuple):
    """What the models of one process predict, and what loading them takes.

    predictions: (rows, classes) probabilities by model; packages: versions by package; modules: files of lib.
    """

    predictions: dict[str, NDArray[np.float64]]
    packages: dict[str, str]
    modules: list[Path]


def ask(process: str, models: Mapping[str, Path], rows: Path) -> Answers:
    """Let models of one process predict the prepared rows of an .npy file, in that process's environment.

    Raises InputError when a model can't be loaded there: its file is damaged, or a package is missing.
    """
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        files = {model: str(file.absolute()) for model, file in models.items()}
        request = {"process": process, "models": files, "rows": str(rows.absolute())}
        write_json(folder / "request.json", request)
        run_in(process, load_and_predict.__name__, name)
        loaded = read_json(folder / "loaded.json")
        predictions = {model: np.load(folder / f"{model}.npy", allow_pickle=False) for model in models}
    return Answers(predictions, loaded["packages"], [Path(file) for file in loaded["modules"]])


def check(
    name: str, told: Mapping[str, float], probabilities: NDArray[np.float64], y: NDArray[np.int64], metric: str
) -> None:
    """Raise InputError unless these are probabilities of the validation rows, and as good as the process has `told`.

    probabilities: (rows, classes), as the model gave them; y: (rows,) class indices.
    """
    given = f"{name}: its model gives"
    shape = (len(y), int(y.max()) + 1)
    if probabilities.shape != shape:
        raise InputError(f"{given} predictions of shape {probabilities.shape}, not {shape}; correct its model.py")
    if not (np.isfinite(probabilities).all() and (probabilities >= 0).all()):
        raise InputError(f"{given} values that are no probabilities; give each class's, from 0 to 1")
    found = classification_metrics(y, probabilities)[metric]
    if metric not in told or not abs(found - told[metric]) <= TOLERANCE:
        raise InputError(
            f"{given} a {metric} of {found:.3f} on the validation rows, and its metrics say {told.get(metric)}; "
            "correct its model.py, or what its process writes"
        )
