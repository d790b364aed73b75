"""The model as it is served: raw rows in; a label and each class's probability out, or the prediction of a number.

MLflow copies this file into the model (its "models from code"), so it imports nothing of the lab but the modules of
lib that packaging.py copies along. https://mlflow.org/docs/latest/ml/model/models-from-code/
"""

import json
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import joblib
import numpy as np
import pandas as pd
from mlflow.models import set_model
from mlflow.pyfunc import PythonModel, PythonModelContext
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


class ServedModel(PythonModel):
    """Preprocessing, model and class names, as one."""

    def load_context(self, context: PythonModelContext) -> None:
        """Load what the model's folder holds."""
        self._preprocessing = joblib.load(context.artifacts["preprocessing"])
        self._predict = load_model(Path(context.artifacts["code"]), Path(context.artifacts["model"]))
        self._classes = json.loads(Path(context.artifacts["dataset"]).read_text(encoding="utf-8"))["classes"]
        self._columns = load_columns(context.artifacts["columns"])

    def predict(
        self, context: PythonModelContext, model_input: pd.DataFrame, params: dict[str, Any] | None = None
    ) -> pd.DataFrame:
        """One row out for each row in: `label`, and `probability_<class>` for each class; or `prediction`.

        Raises ValueError naming the column with a value that no training row could have had.
        """
        raw = pd.DataFrame(model_input)  # a server may give a dictionary or a list
        if raw.empty:
            raise ValueError("no rows; give at least one")
        rows = np.asarray(self._preprocessing.transform(typed(raw, self._columns)), dtype=np.float32)
        return answer(self._predict(rows).astype(np.float64), self._classes, raw.index)


set_model(ServedModel())
