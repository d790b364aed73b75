"""What the selected model needs: columns that tell the target matter, others do not, and rows are bounded."""

import numpy as np
import pandas as pd
import pytest

from lab.processes.select_best_model.importance import (
    MOST_ROWS,
    PREDICTIONS,
    REPEATS,
    Shuffles,
    importance_of,
    shuffles,
)
from lab.processes.select_best_model.load_and_predict import shuffled
from lib.data_splits import Dataset
from lib.task import Task, task_of

pytestmark = pytest.mark.unittest

# `word` makes the features 1 and 2.
CLASSES = Dataset("t", ["area", "word=a", "word=b", "noise"], ["x", "y"], columns=["area", "word", "word", "noise"])
NUMBER = Dataset("t", ["area", "noise"], [], "regression")
RANDOM = np.random.default_rng(0)


def measured(dataset: Dataset, X: np.ndarray, y: np.ndarray, predict: object, metric: str) -> pd.DataFrame:
    task: Task = task_of(dataset)
    asked = shuffles(dataset, y)
    found = np.array([predict(part) for part in shuffled(X, **asked.request())])  # type: ignore[operator]
    return importance_of(asked, found, y, predict(X), task, metric).set_index("column")  # type: ignore[operator]


@pytest.mark.parametrize("metric", ["log_loss", "roc_auc"])
def test_a_column_matters_as_a_whole_and_one_that_is_not_read_not_at_all(metric: str) -> None:
    word = RANDOM.integers(2, size=400)
    X = np.column_stack([RANDOM.normal(size=400), word, 1 - word, RANDOM.normal(size=400)]).astype(np.float32)
    y = (X[:, 0] + 4 * word > 2).astype(np.int64)

    def predict(rows: np.ndarray) -> np.ndarray:  # wrong where the two features of `word` do not fit together
        likely = 1 / (1 + np.exp(-3 * (rows[:, 0] + 2 * rows[:, 1] - 2 * rows[:, 2])))
        return np.column_stack([1 - likely, likely])

    table = measured(CLASSES, X, y, predict, metric)
    assert [*table.index] == ["word", "area", "noise"]
    assert table["importance"].is_monotonic_decreasing
    assert table["importance"]["area"] > 0.01
    assert (table.loc["noise"] == 0).all()
    assert (table["std"][:2] > 0).all()


def test_of_a_number_the_loss_is_as_scikit_learn_has_it() -> None:
    inspection = pytest.importorskip("sklearn.inspection")
    linear = pytest.importorskip("sklearn.linear_model")
    X = RANDOM.normal(size=(500, 2)).astype(np.float32)
    y = (3 * X[:, 0] + RANDOM.normal(size=500)).astype(np.float32)
    model = linear.LinearRegression().fit(X, y)
    table = measured(NUMBER, X, y, model.predict, "rmse")
    theirs = inspection.permutation_importance(model, X, y, scoring="neg_root_mean_squared_error", random_state=1)
    assert table["importance"]["area"] == pytest.approx(theirs.importances_mean[0], rel=0.1)
    assert abs(table["importance"]["noise"]) < 0.1


@pytest.mark.parametrize("columns", [1, 30, 5000])
def test_many_rows_and_columns_cost_what_fewer_do(columns: int) -> None:
    dataset = Dataset("t", [f"c{number}" for number in range(columns)], ["x", "y"])
    y = (np.arange(200_000) == 7).astype(np.int64)  # one row of the rare class
    asked = shuffles(dataset, y)
    assert len(asked.rows) <= MOST_ROWS
    assert len(asked.rows) * columns * REPEATS <= max(PREDICTIONS, 50 * columns * REPEATS)
    assert y[asked.rows].sum() == 1
    assert len({*asked.rows.tolist()}) == len(asked.rows)
    assert [*shuffles(dataset, y[:9]).rows] == [0, 1, 2, 3, 4, 5, 6, 8, 7]  # few: all of them


def test_values_are_shuffled_among_the_rows_and_put_back() -> None:
    X = np.arange(40, dtype=np.float32).reshape(10, 4)
    asked = Shuffles({"a": [0], "b": [1, 3]}, np.array([1, 4, 7, 9]), 2)
    first, second = (part.copy() for part in shuffled(X, **asked.request()))
    taken = np.tile(X[asked.rows], (2, 1))
    for given, group in ((first, [0]), (second, [1, 3])):
        others = [number for number in range(4) if number not in group]
        np.testing.assert_array_equal(given[:, others], taken[:, others])
        for half in (slice(0, 4), slice(4, 8)):
            assert sorted(given[half, group].tolist()) == taken[half][:, group].tolist()
    assert not np.array_equal(first, taken)
    assert not np.array_equal(second[:4], second[4:])  # each time another order
