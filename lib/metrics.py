"""How good a classifier's probabilities are: the same six numbers for every model.

scikit-learn is imported on use, so that checking a metric's name costs nothing.
"""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from labkit.process.errors import InputError

BASELINE = "baseline"  # what knows no feature: a row of every table, and never selected
HIGHER_IS_BETTER = {
    "accuracy": True,
    "balanced_accuracy": True,
    "f1": True,
    "log_loss": False,
    "pr_auc": True,
    "roc_auc": True,
}


def class_frequencies(y_train: NDArray[np.integer], rows: int) -> NDArray[np.float64]:
    """The baseline's probabilities, (rows, classes): of each class its share of the training rows."""
    return np.tile(np.bincount(y_train) / len(y_train), (rows, 1))


def classification_metrics(y_true: NDArray[np.integer], probabilities: NDArray[np.floating]) -> dict[str, float]:
    """The metrics of HIGHER_IS_BETTER, for two or more classes.

    y_true: (rows,) class indices; probabilities: (rows, classes), each row summing to 1.
    The predicted class is the likeliest one, the first of equals. Every class counts alike in balanced_accuracy
    (mean recall), f1 (mean of the classes' F1), pr_auc (average precision) and roc_auc (means of each class against the
    rest); a class that `y_true` lacks has no recall and no curve, and is left out of those means. log_loss is in nats.
    Raises InputError when `y_true` holds fewer than two classes, where roc_auc is undefined.
    """
    from sklearn.metrics import accuracy_score, average_precision_score, f1_score, log_loss, recall_score, roc_auc_score

    present = np.unique(y_true)
    if len(present) < 2:
        raise InputError(f"classification_metrics: the rows hold {len(present)} class(es); give rows of at least two")
    # In float64 every model's zeros are clipped alike, and single precision's rows sum to 1 again.
    exact = probabilities.astype(np.float64)
    exact /= exact.sum(axis=1, keepdims=True)
    predicted = exact.argmax(axis=1)
    in_class, scores = y_true[:, None] == present, exact[:, present]
    return {
        "accuracy": float(accuracy_score(y_true, predicted)),
        "balanced_accuracy": float(recall_score(y_true, predicted, labels=present, average="macro")),
        "f1": float(f1_score(y_true, predicted, average="macro")),
        "log_loss": float(log_loss(y_true, exact, labels=np.arange(exact.shape[1]))),
        "pr_auc": float(average_precision_score(in_class, scores, average="macro")),
        "roc_auc": float(roc_auc_score(in_class, scores, average="macro")),
    }


def better(one: float, other: float, metric: str) -> bool:
    """Whether `one` is a better value of `metric` than `other`."""
    return one > other if HIGHER_IS_BETTER[metric] else one < other


def best_first(metrics: Mapping[str, Mapping[str, float]], metric: str) -> list[str]:
    """The models of `metrics` (model -> metrics) from best to worst by `metric`; equals in alphabetical order."""
    sign = -1 if HIGHER_IS_BETTER[metric] else 1
    return sorted(metrics, key=lambda model: (sign * metrics[model][metric], model))
