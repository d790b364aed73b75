"""The model as it is served: raw rows in; a label and each class's probability out, or the prediction of a number.

packaging.py copies this file into the model, and whoever serves it calls `_load_pyfunc`, MLflow too. So it imports
nothing of the lab but the modules of lib that are copied along.
https://mlflow.org/docs/latest/api_reference/python_api/mlflow.pyfunc.html#pyfunc-filesystem-format
"""

import json
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import joblib
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lib.columns import load_columns, typed

Predict = Callable[[NDArray[np.float32]], NDArray[np.float64]]


def load_model(code: Path, file: Path) -> Predict:
    """A function from prepared rows (rows, features) to probabilities (rows, classes), or to numbers (rows,).

    code: the model.py of the process that trained the model; a module of its own, so that two models can be
    served together.
    """
    module = ModuleType(code.stem)
    exec(compile(code.read_text(encoding="utf-8"), str(code), "exec"), module.__dict__)
    return module.load_model(file)  # type: ignore[no-any-return]


def answer(predictions: NDArray[np.float64], classes: list[str], index: pd.Index) -> pd.DataFrame:
    """What is answered: `label`, and `probability_<class>` for each class; without classes, `prediction`."""
    if not classes:
        return pd.DataFrame({"prediction": predictions}, index=index)
    table = pd.DataFrame(predictions, columns=[f"probability_{name}" for name in classes], index=index)
    table.insert(0, "label", np.array(classes, dtype=object)[predictions.argmax(axis=1)])
    return table


class ServedModel:
    """Preprocessing, model and class names, as one."""

    def __init__(self, data: Path) -> None:
        """Load what packaging.py put into the folder `data`."""
        (trained,) = (data / "trained").iterdir()
        self._preprocessing = joblib.load(data / "preprocessing.joblib")
        self._predict = load_model(data / "model.py", trained)
        self._classes = json.loads((data / "dataset.json").read_text(encoding="utf-8"))["classes"]
        self._columns = load_columns(data / "columns.json")

    def predict(self, model_input: pd.DataFrame, params: dict[str, Any] | None = None) -> pd.DataFrame:
        """One row out for each row in: `label`, and `probability_<class>` for each class; or `prediction`.

        params: MLflow's; there are none. Raises ValueError naming the column with a value that no training row could
        have had.
        """
        raw = pd.DataFrame(model_input)  # a server may give a dictionary or a list
        if raw.empty:
            raise ValueError("no rows; give at least one")
        rows = np.asarray(self._preprocessing.transform(typed(raw, self._columns)), dtype=np.float32)
        return answer(self._predict(rows).astype(np.float64), self._classes, raw.index)


def _load_pyfunc(data_path: str) -> ServedModel:
    return ServedModel(Path(data_path))
