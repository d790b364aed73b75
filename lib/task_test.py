from pathlib import Path
from typing import get_args

import numpy as np
import pytest

from labkit.process.errors import InputError
from lib.data_splits import Dataset
from lib.metrics import METRICS
from lib.task import TASKS, in_short, selection_metric, task_of

pytestmark = pytest.mark.unittest

SPECIES = Dataset("species", ["length"], ["iris", "rose"])
WEIGHT = Dataset("weight", ["length"], [], "regression")
EXAMPLES = [
    (SPECIES, np.array([0, 1, 1]), np.array([[0.9, 0.1], [0.2, 0.8], [0.6, 0.4]]), ["iris", "rose", "iris"]),
    (WEIGHT, np.array([1.5, 2.0, 4.0]), np.array([1.0, 2.0, 3.0]), [1.0, 2.0, 3.0]),
]


@pytest.mark.parametrize(("dataset", "y", "predictions", "answers"), EXAMPLES)
def test_a_task_measures_tells_and_draws(
    dataset: Dataset, y: np.ndarray, predictions: np.ndarray, answers: list[object], tmp_path: Path
) -> None:
    task = task_of(dataset)
    metrics = task.metrics(y, predictions)
    assert tuple(metrics) == METRICS[dataset.task]
    assert task.default in metrics
    assert all(name.replace("_", " ") in in_short(task, metrics) for name in task.told)
    assert task.baseline(y, 2).shape == (2, *predictions.shape[1:])
    assert task.answers(predictions, dataset.classes).tolist() == answers
    told = ("iris", "rose", "rose") if dataset.classes else ("1: below 1.7", "3: 1.9 to 2.4", "5: 3.2 or more")
    guessed = answers if dataset.classes else ["1: below 1.7", "3: 1.9 to 2.4", "4: 2.4 to 3.2"]
    assert [part.tolist() for part in task.grouped(y, predictions, dataset.classes)] == [[*told], guessed]
    task.plot(y, predictions, dataset.classes, tmp_path / "plot.png", "")
    assert (tmp_path / "plot.png").exists()


def test_numbers_are_told_by_the_fifth_of_the_actual_ones_that_they_are_in() -> None:
    y = np.arange(11.0)
    actual, predicted = task_of(WEIGHT).grouped(y, y[::-1] * 10, [])
    fifths = ["1: below 2", "2: 2 to 4", "3: 4 to 6", "4: 6 to 8", "5: 8 or more"]
    assert actual.tolist() == [fifths[min(int(value) // 2, 4)] for value in y]
    assert predicted.tolist() == [fifths[4]] * 10 + [fifths[0]]
    assert {*task_of(WEIGHT).grouped(np.ones(9), np.zeros(9), [])[1]} == {"1: below 1"}


def test_every_task_that_data_may_have_is_known() -> None:
    assert set(TASKS) == set(METRICS) == set(get_args(Dataset.__annotations__["task"]))


def test_the_metric_to_select_by_is_the_task_s_own() -> None:
    assert selection_metric("auto", "classification") == "log_loss"
    assert selection_metric("auto", "regression") == "rmse"
    assert selection_metric("r2", "regression") == "r2"
    with pytest.raises(InputError, match=r"selection\.metric is log_loss, which a regression does not have"):
        selection_metric("log_loss", "regression")
