"""The model as it is served: raw rows in, a label and each class's probability out.

MLflow copies this file into the model (its "models from code"), so it imports nothing of the lab but what is
copied along. https://mlflow.org/docs/latest/ml/model/models-from-code/
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

Predict = Callable[[NDArray[np.float32]], NDArray[np.float64]]


def load_model(code: Path, file: Path) -> Predict:
    """A function from prepared rows (rows, features) to probabilities (rows, classes).

    code: the model.py of the process that trained the model; a module of its own, so that two models can be
    served together.
    """
    module = ModuleType(code.stem)
    exec(compile(code.read_text(encoding="utf-8"), str(code), "exec"), module.__dict__)
    return module.load_model(file)  # type: ignore[no-any-return]


def answer(probabilities: NDArray[np.float64], classes: list[str], index: pd.Index) -> pd.DataFrame:
    """What is answered: `label`, and `probability_<class>` for each class."""
    table = pd.DataFrame(probabilities, columns=[f"probability_{name}" for name in classes], index=index)
    table.insert(0, "label", np.array(classes, dtype=object)[probabilities.argmax(axis=1)])
    return table


def _as_numbers(column: "pd.Series[Any]") -> "pd.Series[float]":
    """The column as floats; what is missing is NaN. Raises ValueError for a value that is no number."""
    present = column.notna()
    numbers = np.full(len(column), np.nan)
    try:
        numbers[present] = column[present].astype(np.float64)
    except (OverflowError, TypeError, ValueError) as error:
        raise ValueError(f"values that are no numbers in {column.name}: {error}; mend these rows") from None
    return pd.Series(numbers, column.index)


class ServedModel(PythonModel):
    """Preprocessing, model and class names, as one."""

    def load_context(self, context: PythonModelContext) -> None:
        """Load what the model's folder holds."""
        self._preprocessing = joblib.load(context.artifacts["preprocessing"])
        self._predict = load_model(Path(context.artifacts["code"]), Path(context.artifacts["model"]))
        self._classes = json.loads(Path(context.artifacts["dataset"]).read_text(encoding="utf-8"))["classes"]

    def predict(
        self, context: PythonModelContext, model_input: pd.DataFrame, params: dict[str, Any] | None = None
    ) -> pd.DataFrame:
        """One row out for each row in: `label`, and `probability_<class>` for each class.

        Raises ValueError naming the columns with values that no training row could have had.
        """
        if model_input.empty:
            raise ValueError("no rows; give at least one")
        raw = model_input[self._preprocessing.feature_names_in_].apply(_as_numbers)
        if broken := [str(name) for name in raw if not (raw[name].abs() <= np.finfo(np.float32).max).all()]:
            raise ValueError(f"missing, infinite or far too large values in {', '.join(broken)}; mend these rows")
        rows = np.asarray(self._preprocessing.transform(raw), dtype=np.float32)
        return answer(self._predict(rows).astype(np.float64), self._classes, model_input.index)


set_model(ServedModel())
