"""Loads a classifier for whoever has this process's packages: select_best_model, and the packaged model."""

from collections.abc import Callable
from pathlib import Path

import joblib
import numpy as np
from numpy.typing import NDArray


def load_model(file: Path) -> Callable[[NDArray[np.float32]], NDArray[np.float64]]:
    """A function from prepared rows (rows, features) to probabilities (rows, classes)."""
    return joblib.load(file).predict_proba  # type: ignore[no-any-return]
