"""Loads the network for whoever has this process's packages: select_best_model, and the packaged model."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lib.pytorch import load_network, predict


def load_model(file: Path) -> Callable[[NDArray[np.float32]], NDArray[np.float64]]:
    """A function from prepared rows (rows, features) to probabilities (rows, classes), or to numbers (rows,).

    Raises FileNotFoundError or ValueError, as load_network.
    """
    network = load_network(file)
    return lambda rows: predict(network, rows)
