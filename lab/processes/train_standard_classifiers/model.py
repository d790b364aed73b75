"""Loads a model for whoever has this process's packages: select_best_model, and the packaged model."""

from collections.abc import Callable
from pathlib import Path

import joblib
import numpy as np
from numpy.typing import NDArray


def load_model(file: Path) -> Callable[[NDArray[np.float32]], NDArray[np.float64]]:
    """A function from prepared rows (rows, features) to probabilities (rows, classes), or to numbers (rows,)."""
    model = joblib.load(file)
    return model.predict_proba if hasattr(model, "predict_proba") else model.predict  # type: ignore[no-any-return]
