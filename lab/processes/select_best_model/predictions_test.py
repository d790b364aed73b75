"""A candidate that can't be loaded with its process's packages, or is not what its metrics say, is told so."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lab.processes.select_best_model.predictions import ask, check
from labkit.paths import PROCESSES
from labkit.process.errors import InputError
from lib.data_splits import Dataset
from lib.metrics import classification_metrics, regression_metrics

Y = np.arange(30) % 3
GOOD = np.eye(3)[Y] * 0.7 + 0.1
DATASET = Dataset("t", ["a"], ["x", "y", "z"])
TOLD = classification_metrics(Y, GOOD)


@pytest.mark.unittest
def test_predictions_as_good_as_told_pass() -> None:
    check("tree", TOLD, GOOD, Y, DATASET, "log_loss")


@pytest.mark.unittest
@pytest.mark.parametrize(
    ("predictions", "told"),
    [
        (Y, r"tree: its model gives predictions of shape \(30,\), not \(30, 3\)"),
        (GOOD[:, :2], r"shape \(30, 2\), not \(30, 3\)"),
        (GOOD * np.nan, "values that are no probabilities"),
        (GOOD - 0.2, "values that are no probabilities"),
        (np.roll(GOOD, 1, axis=1), r"a log_loss of 2.* and its metrics say 0\.2"),
    ],
)
def test_others_are_refused(predictions: Any, told: str) -> None:
    with pytest.raises(InputError, match=told):
        check("tree", TOLD, predictions, Y, DATASET, "log_loss")


@pytest.mark.unittest
@pytest.mark.parametrize("unit", [1.0, 1e-6, 1e6])
def test_numbers_are_held_to_their_metrics_whatever_their_unit(unit: float) -> None:
    y = (np.arange(30) * unit).astype(np.float64)
    dataset = Dataset("t", ["a"], [], "regression")
    shifted: Any = y + unit
    told = regression_metrics(y, shifted)
    check("tree", told, shifted, y, dataset, "rmse")
    wrong: Any
    for wrong, message in (
        (y + 1.1 * unit, "a rmse of"),
        (y * np.nan, "values that are no numbers"),
        (y[:, None], r"shape \(30, 1\), not \(30,\)"),
    ):
        with pytest.raises(InputError, match=message):
            check("tree", told, wrong, y, dataset, "rmse")


@pytest.mark.skipif(not (PROCESSES / "train_dnn_pytorch").exists(), reason="the process that trains networks is gone")
@pytest.mark.integration
def test_a_damaged_network_is_told_by_its_file(tmp_path: Path) -> None:
    (tmp_path / "net.pt").write_bytes(b"none")
    np.save(tmp_path / "rows.npy", np.zeros((2, 3), np.float32))
    with pytest.raises(InputError, match=r"net\.pt is no network of this lab"):
        ask("train_dnn_pytorch", {"net": tmp_path / "net.pt"}, tmp_path / "rows.npy")
