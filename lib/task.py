"""What differs between a classification and a regression, in one place: each process asks for the task of its data."""

from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from labkit.process.errors import InputError
from lib.data_splits import Dataset
from lib.metrics import METRICS, class_frequencies, classification_metrics, mean_of_training, regression_metrics
from lib.viz import plot_confusion_matrix, plot_predictions


class Task(NamedTuple):
    """What is done with the predictions of a task.

    Predictions are (rows, classes) probabilities in a classification, and (rows,) numbers in a regression.

    metrics: what models are compared by, of y and predictions, or only the one that is named. default: the one to
    select by, unless another is asked for. told: those that a line has room for. baseline: what to predict of so many
    rows by the training rows' y alone. answers: what is said in the end, of what y or predictions hold and the names of
    the classes: names, or numbers. grouped: y and predictions as classes, or as intervals of numbers, in words. plot:
    predictions against y, with a title, to a PNG file.
    """

    metrics: Callable[..., dict[str, float]]
    default: str
    told: tuple[str, ...]
    baseline: Callable[[NDArray[Any], int], NDArray[np.float64]]
    answers: Callable[[NDArray[Any], Sequence[str]], NDArray[Any]]
    grouped: Callable[[NDArray[Any], NDArray[Any], Sequence[str]], tuple[NDArray[Any], NDArray[Any]]]
    plot: Callable[[NDArray[Any], NDArray[Any], Sequence[str], Path, str], None]


def task_of(dataset: Dataset) -> Task:
    """The task that prepare_data found in the data."""
    return TASKS[dataset.task]


def selection_metric(asked: str, task: str) -> str:
    """The metric to select models of a task by. Raises InputError when the one that is asked for is another task's."""
    if asked == "auto":
        return TASKS[task].default
    if asked not in (names := METRICS[task]):
        raise InputError(
            f"params.yaml: selection.metric is {asked}, which a {task} does not have; "
            f"set it to auto, or one of {', '.join(names)} (or data.task, if this is none)"
        )
    return asked


def in_short(task: Task, metrics: Mapping[str, float]) -> str:
    """The metrics that a line has room for."""
    return "   ".join(f"{name.replace('_', ' ')} {metrics[name]:.4f}" for name in task.told)


def _labels(found: NDArray[Any], classes: Sequence[str]) -> NDArray[Any]:
    names: NDArray[Any] = np.array(classes)
    return names[found.argmax(axis=1) if found.ndim == 2 else found]  # type: ignore[no-any-return]


def _in_intervals(y: NDArray[Any], predicted: NDArray[Any], _: Sequence[str]) -> tuple[NDArray[Any], NDArray[Any]]:
    """The fifth of the actual numbers that each is in; in words that sort as the numbers do."""
    edges = np.unique(np.quantile(y.astype(np.float64), (0.2, 0.4, 0.6, 0.8)))
    told = [f"{edge:.4g}" for edge in edges]
    between = [f"{low} to {high}" for low, high in pairwise(told)]
    words = [f"below {told[0]}", *between, f"{told[-1]} or more"]
    names = np.array([f"{number}: {word}" for number, word in enumerate(words, 1)])
    actual, expected = (names[np.searchsorted(edges, found, side="right")] for found in (y, predicted))
    return actual, expected


def _confusion(y: NDArray[Any], probabilities: NDArray[Any], classes: Sequence[str], path: Path, title: str) -> None:
    from sklearn.metrics import confusion_matrix

    counts = confusion_matrix(y, probabilities.argmax(axis=1), labels=range(len(classes)))
    plot_confusion_matrix(counts, classes, path, title)


TASKS = {
    "classification": Task(
        classification_metrics,
        "log_loss",
        ("accuracy", "log_loss"),
        class_frequencies,
        _labels,
        lambda y, probabilities, classes: (_labels(y, classes), _labels(probabilities, classes)),
        _confusion,
    ),
    "regression": Task(
        regression_metrics,
        "rmse",
        ("r2", "rmse"),
        mean_of_training,
        lambda found, _: found,
        _in_intervals,
        lambda y, predicted, _, path, title: plot_predictions(y, predicted, path, title),
    ),
}
