"""Which raw columns the selected model needs: how much worse it is when a column's values are shuffled.

Permutation importance (Breiman, Random Forests, 2001), as scikit-learn's `permutation_importance` has it, on validation
rows: the test rows are not for choosing columns. The features that one raw column makes are shuffled together, and the
model is asked where its packages are. Of columns that tell the same, each alone may look needless.
"""

from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lib.data_splits import Dataset
from lib.metrics import HIGHER_IS_BETTER
from lib.task import Task

REPEATS = 5
# A million rows cost no more than a few thousand, and many columns share the rows that are asked for.
MOST_ROWS, LEAST_ROWS, PREDICTIONS = 2_000, 50, 200_000


class Shuffles(NamedTuple):
    """What a model is to be asked: for each raw column, its features; and which of the rows, each as often as told."""

    columns: dict[str, list[int]]
    rows: NDArray[np.int64]
    repeats: int = REPEATS

    def request(self) -> dict[str, Any]:
        """As load_and_predict.shuffled takes it."""
        return {"groups": [*self.columns.values()], "rows": self.rows.tolist(), "repeats": self.repeats}


def shuffles(dataset: Dataset, y: NDArray[Any]) -> Shuffles:
    """What to ask of the validation rows; y: their (rows,) targets."""
    columns: dict[str, list[int]] = {}
    for feature, name in enumerate(dataset.columns or dataset.features):
        columns.setdefault(name, []).append(feature)
    share = PREDICTIONS // (REPEATS * len(columns))
    return Shuffles(columns, rows_of_all_kinds(y, min(MOST_ROWS, max(LEAST_ROWS, share))))


def rows_of_all_kinds(y: NDArray[Any], most: int) -> NDArray[np.int64]:
    """The numbers of `most` rows at equal distances in the order of y, or of all: the first and the last class too."""
    places = np.linspace(0, len(y) - 1, min(most, len(y))).round().astype(np.int64)
    return np.argsort(y, kind="stable")[places]


def importance_of(
    asked: Shuffles,
    shuffled: NDArray[np.float64],
    y: NDArray[Any],
    predictions: NDArray[np.float64],
    task: Task,
    metric: str,
) -> pd.DataFrame:
    """For each raw column how much worse the metric gets, and the standard deviation over the repeats; most first.

    shuffled: (columns, repeats x rows) predictions of the rows that were asked for; y and predictions: of all rows.
    """
    y = y[asked.rows]
    sign = -1 if HIGHER_IS_BETTER[metric] else 1
    before = task.metrics(y, predictions[asked.rows], metric)[metric]
    lost = [
        [sign * (task.metrics(y, part, metric)[metric] - before) for part in np.split(of_column, asked.repeats)]
        for of_column in shuffled
    ]
    table = pd.DataFrame({"column": [*asked.columns], "importance": np.mean(lost, axis=1), "std": np.std(lost, axis=1)})
    return table.sort_values("importance", ascending=False, kind="stable")
