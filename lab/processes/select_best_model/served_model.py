"""The model as it is served: raw rows in, a label and each class's probability out.

MLflow copies this file into the model (its "models from code"), so it imports nothing of the lab but the modules of
lib that packaging.py copies along. https://mlflow.org/docs/latest/ml/model/models-from-code/
"""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pandas as pd
from mlflow.models import set_model
from mlflow.pyfunc import PythonModel, PythonModelContext
from numpy.typing import NDArray

from lib.columns import load_columns, typed

Classifier = Callable[[NDArray[np.float32]], NDArray[np.float64]]


def load_classifier(file: Path) -> Classifier:
    """A function from prepared rows (rows, features) to probabilities (rows, classes), whatever trained the model."""
    if file.suffix == ".joblib":
        return joblib.load(file).predict_proba  # type: ignore[no-any-return]
    from lib.pytorch import load_network, predict_probabilities  # only here: most models need no torch

    network = load_network(file)
    return lambda rows: predict_probabilities(network, rows)


class ServedModel(PythonModel):
    """Preprocessing, classifier and class names, as one."""

    def load_context(self, context: PythonModelContext) -> None:
        """Load what the model's folder holds."""
        self._preprocessing = joblib.load(context.artifacts["preprocessing"])
        self._classifier = load_classifier(Path(context.artifacts["classifier"]))
        dataset = json.loads(Path(context.artifacts["dataset"]).read_text(encoding="utf-8"))
        self._classes = dataset["classes"]
        self._columns = load_columns(context.artifacts["columns"])

    def predict(
        self, context: PythonModelContext, model_input: pd.DataFrame, params: dict[str, Any] | None = None
    ) -> pd.DataFrame:
        """One row out for each row in: `label`, and `probability_<class>` for each class.

        Raises ValueError naming the column with a value that no training row could have had.
        """
        raw = pd.DataFrame(model_input)  # a server may give a dictionary or a list
        if raw.empty:
            raise ValueError("no rows; give at least one")
        rows = np.asarray(self._preprocessing.transform(typed(raw, self._columns)), dtype=np.float32)
        probabilities = self._classifier(rows).astype(np.float64)
        answer = pd.DataFrame(probabilities, columns=[f"probability_{name}" for name in self._classes], index=raw.index)
        answer.insert(0, "label", np.array(self._classes, dtype=object)[probabilities.argmax(axis=1)])
        return answer


set_model(ServedModel())
