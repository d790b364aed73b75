"""The interval of a metric: as wide as it is known to be, whatever the number of rows costs."""

import numpy as np
import pytest

from lab.processes.select_best_model import chance
from lib.task import TASKS

pytestmark = pytest.mark.unittest


@pytest.mark.parametrize("most", [300, 1000])  # all rows drawn, or a third of them
def test_the_interval_of_a_mean_is_as_wide_as_it_is_known_to_be(most: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chance, "RESAMPLES", 1000)
    monkeypatch.setattr(chance, "MOST_DRAWN", most)
    random = np.random.default_rng(0)
    y, errors = np.zeros(1000), random.exponential(size=1000)
    low, high = chance.interval(TASKS["regression"], "mae", y, errors)
    assert low < errors.mean() < high
    expected = 2 * 1.96 * errors.std() / np.sqrt(1000)
    assert high - low == pytest.approx(expected, rel=0.1)


def test_of_classes_the_rarest_is_in_every_draw(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chance, "MOST_DRAWN", 50)
    y = (np.arange(1000) == 0).astype(np.int64)
    likely = np.where(y, 0.8, 0.3)
    low, high = chance.interval(TASKS["classification"], "roc_auc", y, np.column_stack([1 - likely, likely]))
    assert low == high == 1.0  # and it is defined
