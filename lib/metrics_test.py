import numpy as np
import pytest
from sklearn.metrics import log_loss

from labkit.process.errors import InputError
from lib.metrics import (
    HIGHER_IS_BETTER,
    METRICS,
    best_first,
    better,
    class_frequencies,
    classification_metrics,
    mean_of_training,
    regression_metrics,
)

pytestmark = pytest.mark.unittest


def test_two_classes_by_hand() -> None:
    # Predicted 0, 1, 1, 1: class 0 has recall 1/2 and F1 2/3, class 1 recall 1 and F1 4/5.
    probabilities = np.array([[0.8, 0.2], [0.4, 0.6], [0.5 - 1e-9, 0.5 + 1e-9], [0.1, 0.9]])

    metrics = classification_metrics(np.array([0, 0, 1, 1]), probabilities)

    assert metrics == pytest.approx(
        {
            "accuracy": 3 / 4,
            "balanced_accuracy": (1 / 2 + 1) / 2,
            "f1": (2 / 3 + 4 / 5) / 2,
            "log_loss": -np.log([0.8, 0.4, 0.5, 0.9]).mean(),
            "pr_auc": (1 + 2 / 3) / 2,  # of either class: its rows come first and third
            "roc_auc": 3 / 4,  # of the four pairs, only (0.6, 0.5) is in the wrong order
        }
    )


def test_the_log_loss_is_scikit_learns() -> None:
    random = np.random.default_rng(0)
    y, probabilities = random.integers(3, size=500), random.dirichlet([0.2, 0.2, 0.2], size=500)
    probabilities[:3] = np.eye(3)  # certain ones, right and wrong
    theirs = log_loss(y, probabilities, labels=[0, 1, 2])
    assert classification_metrics(y, probabilities)["log_loss"] == pytest.approx(theirs, rel=1e-12)
    assert classification_metrics(y, probabilities, "log_loss") == {"log_loss": pytest.approx(theirs, rel=1e-12)}


def test_three_classes_by_hand() -> None:
    # Predicted 0, 1, 1: the row of class 2 is taken for class 1.
    probabilities = np.array([[0.6, 0.3, 0.1], [0.2, 0.7, 0.1], [0.3, 0.4, 0.3]])

    metrics = classification_metrics(np.array([0, 1, 2]), probabilities)

    assert metrics == pytest.approx(
        {
            "accuracy": 2 / 3,
            "balanced_accuracy": 2 / 3,
            "f1": (1 + 2 / 3 + 0) / 3,
            "log_loss": -np.log([0.6, 0.7, 0.3]).mean(),
            "pr_auc": 1.0,
            "roc_auc": 1.0,
        }
    )


def test_class_without_rows_is_left_out_of_the_means() -> None:
    two = np.array([[0.9, 0.1], [0.6, 0.4], [0.3, 0.7]])
    three = np.insert(two, 1, 0.0, axis=1)  # a class in between that no row has and no model expects

    assert classification_metrics(np.array([0, 0, 2]), three) == classification_metrics(np.array([0, 0, 1]), two)


def test_single_precision_changes_next_to_nothing() -> None:
    y_true = np.arange(30) % 3
    probabilities = np.random.default_rng(0).dirichlet(np.ones(3), size=30)

    single = classification_metrics(y_true, probabilities.astype(np.float32))

    assert single == pytest.approx(classification_metrics(y_true, probabilities), rel=1e-5)


def test_rows_of_one_class_are_refused() -> None:
    with pytest.raises(InputError, match="at least two"):
        classification_metrics(np.zeros(3, dtype=np.int64), np.full((3, 2), 0.5))


@pytest.mark.parametrize("metric", METRICS["classification"])
def test_certain_and_right_beats_certain_and_wrong_by_every_metric(metric: str) -> None:
    y_true = np.array([0, 1, 0, 1])
    sure = np.eye(2)[y_true] * 0.8 + 0.1
    models = {"wrong": classification_metrics(y_true, sure[:, ::-1]), "right": classification_metrics(y_true, sure)}

    assert best_first(models, metric) == ["right", "wrong"]


@pytest.mark.parametrize("metric", METRICS["classification"])
def test_the_baseline_expects_the_shares_of_the_training_rows_and_beats_no_model(metric: str) -> None:
    y_true = np.array([0, 1, 0, 1])
    frequencies = class_frequencies(np.array([1, 1, 1, 0]), 4)
    assert frequencies.tolist() == [[0.25, 0.75]] * 4
    baseline, model = (classification_metrics(y_true, told) for told in (frequencies, np.eye(2)[y_true]))

    assert better(model[metric], baseline[metric], metric)
    assert not better(baseline[metric], model[metric], metric)
    assert not better(model[metric], model[metric], metric)


def test_a_number_by_hand() -> None:
    # Errors 0, 1, 1, 4 of targets with a variance of 5.
    metrics = regression_metrics(np.array([0.0, 2.0, 4.0, 6.0]), np.array([0.0, 3.0, 3.0, 10.0]))

    assert metrics == pytest.approx({"mae": 1.5, "median_absolute_error": 1.0, "r2": 1 - 4.5 / 5, "rmse": 4.5**0.5})


@pytest.mark.parametrize("metric", METRICS["regression"])
def test_a_number_that_is_known_beats_the_mean(metric: str) -> None:
    y_true = np.array([1.0, 2.0, 6.0], dtype=np.float32)
    mean = mean_of_training(y_true, 3)
    assert mean.tolist() == [3.0] * 3
    models = {"baseline": regression_metrics(y_true, mean), "known": regression_metrics(y_true, y_true)}

    assert best_first(models, metric) == ["known", "baseline"]


def test_every_metric_is_one_of_a_task() -> None:
    assert sorted(HIGHER_IS_BETTER) == sorted(name for names in METRICS.values() for name in names)


def test_equals_are_ranked_by_name() -> None:
    assert best_first({"b": {"f1": 0.5}, "a": {"f1": 0.5}, "c": {"f1": 0.6}}, "f1") == ["c", "a", "b"]
