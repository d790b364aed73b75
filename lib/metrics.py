"""How good predictions are: the same numbers for every model of a classification, and of a regression.

scikit-learn is imported on use, so that checking a metric's name costs nothing.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from labkit.process.errors import InputError

CROSS_VALIDATION = "cross_validation"  # what a model's metrics call those over folds
BASELINE = "baseline"  # what knows no feature: a row of every table, and never selected
HIGHER_IS_BETTER = {
    "accuracy": True,
    "balanced_accuracy": True,
    "f1": True,
    "log_loss": False,
    "mae": False,
    "median_absolute_error": False,
    "pr_auc": True,
    "r2": True,
    "rmse": False,
    "roc_auc": True,
}


METRICS = {
    "classification": ("accuracy", "balanced_accuracy", "f1", "log_loss", "pr_auc", "roc_auc"),
    "regression": ("mae", "median_absolute_error", "r2", "rmse"),
}
HAVE_THE_TARGETS_UNIT = {"mae", "median_absolute_error", "rmse"}


def over_folds(measured: Sequence[Mapping[str, float]]) -> dict[str, dict[str, Any]]:
    """Each metric's mean over the folds of a cross-validation, its standard deviation there, and its values."""
    values = {name: [float(of_fold[name]) for of_fold in measured] for name in measured[0]}
    return {
        name: {"mean": float(np.mean(found)), "std": float(np.std(found, ddof=1)), "folds": found}
        for name, found in values.items()
    }


def class_frequencies(y_train: NDArray[np.integer], rows: int) -> NDArray[np.float64]:
    """The baseline's probabilities, (rows, classes): of each class its share of the training rows."""
    return np.tile(np.bincount(y_train) / len(y_train), (rows, 1))


def classification_metrics(
    y_true: NDArray[np.integer], probabilities: NDArray[np.floating], only: str = ""
) -> dict[str, float]:
    """The metrics of METRICS for two or more classes, or only one of them.

    y_true: (rows,) class indices; probabilities: (rows, classes), each row summing to 1.
    The predicted class is the likeliest one, the first of equals. Every class counts alike in balanced_accuracy
    (mean recall), f1 (mean of the classes' F1), pr_auc (average precision) and roc_auc (means of each class against the
    rest); a class that `y_true` lacks has no recall and no curve, and is left out of those means. log_loss is in nats.
    Raises InputError when `y_true` holds fewer than two classes, where roc_auc is undefined.
    """
    from sklearn.metrics import accuracy_score, average_precision_score, f1_score, recall_score, roc_auc_score

    present = np.unique(y_true)
    if len(present) < 2:
        raise InputError(f"classification_metrics: the rows hold {len(present)} class(es); give rows of at least two")
    # In float64 every model's zeros are clipped alike, and single precision's rows sum to 1 again.
    exact = probabilities.astype(np.float64)
    exact /= exact.sum(axis=1, keepdims=True)
    predicted = exact.argmax(axis=1)
    in_class, scores = y_true[:, None] == present, exact[:, present]
    return _measured(
        {
            "accuracy": lambda: accuracy_score(y_true, predicted),
            "balanced_accuracy": lambda: recall_score(y_true, predicted, labels=present, average="macro"),
            "f1": lambda: f1_score(y_true, predicted, average="macro"),
            "log_loss": lambda: _log_loss(y_true, exact),
            "pr_auc": lambda: average_precision_score(in_class, scores, average="macro"),
            "roc_auc": lambda: roc_auc_score(in_class, scores, average="macro"),
        },
        only,
    )


def _log_loss(y_true: NDArray[np.integer], probabilities: NDArray[np.float64]) -> float:
    """As scikit-learn's, whose checks take 30 times as long: of shuffled and of drawn rows it is asked thousandfold."""
    smallest = np.finfo(np.float64).eps
    likely = np.clip(probabilities[np.arange(len(y_true)), y_true], smallest, 1 - smallest)
    return float(-np.log(likely).mean())


def _measured(measures: Mapping[str, Callable[[], float]], only: str) -> dict[str, float]:
    return {name: float(measure()) for name, measure in measures.items() if only in ("", name)}


def mean_of_training(y_train: NDArray[np.floating], rows: int) -> NDArray[np.float64]:
    """The baseline's predictions of a number, (rows,): the mean of the training rows."""
    return np.full(rows, y_train.mean(dtype=np.float64))


def regression_metrics(
    y_true: NDArray[np.floating], predicted: NDArray[np.floating], only: str = ""
) -> dict[str, float]:
    """The metrics of METRICS for a number, or only one of them.

    All but r2 (the share of the variance that is explained) are in its unit.
    y_true, predicted: (rows,), two or more.
    """
    from sklearn.metrics import mean_absolute_error, median_absolute_error, r2_score, root_mean_squared_error

    y_true, predicted = y_true.astype(np.float64), predicted.astype(np.float64)
    return _measured(
        {
            "mae": lambda: mean_absolute_error(y_true, predicted),
            "median_absolute_error": lambda: median_absolute_error(y_true, predicted),
            "r2": lambda: r2_score(y_true, predicted),
            "rmse": lambda: root_mean_squared_error(y_true, predicted),
        },
        only,
    )


def better(one: float, other: float, metric: str) -> bool:
    """Whether `one` is a better value of `metric` than `other`."""
    return one > other if HIGHER_IS_BETTER[metric] else one < other


def best_first(metrics: Mapping[str, Mapping[str, float]], metric: str) -> list[str]:
    """The models of `metrics` (model -> metrics) from best to worst by `metric`; equals in alphabetical order."""
    sign = -1 if HIGHER_IS_BETTER[metric] else 1
    return sorted(metrics, key=lambda model: (sign * metrics[model][metric], model))
