"""The folds of a cross-validation: each row is held out once, apart from its class, group and time."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lab.processes.prepare_data.folding import fold_rows
from lab.processes.prepare_data.params import Data, Split
from lab.processes.prepare_data.preparation import prepare
from labkit.process.errors import InputError

pytestmark = pytest.mark.unittest

DATA = Data(source="table", target="target")


def split(folds: int = 4, **columns: str) -> Split:
    return Split(validation=0.2, test=0.2, seed=3, folds=folds, **columns)


@settings(max_examples=40, deadline=None)
@given(st.integers(40, 90), st.integers(3, 6), st.booleans(), st.booleans(), st.integers(0, 5))
def test_each_row_is_held_out_once_and_never_trained_on_then(
    size: int, folds: int, grouped: bool, classes: bool, seed: int
) -> None:
    random = np.random.default_rng(seed)
    table = pd.DataFrame({"patient": random.integers(0, 20, size)})
    y = np.arange(size) % 2 if classes else np.zeros(size, dtype=np.int64)
    rows = np.sort(random.permutation(size)[: size - 5])
    asked = split(folds, group="patient") if grouped else split(folds)
    found = fold_rows(table, y, ["a", "b"] if classes else [], rows, DATA, asked)
    assert len(found) == folds
    assert sorted(np.concatenate([fold.held_out for fold in found])) == rows.tolist()
    for fold in found:
        assert sorted([*fold.training, *fold.held_out]) == rows.tolist()
        assert 0 < fold.stops.sum() < len(fold.stops)
        if grouped:
            trained, stopped, held = (
                {*table["patient"].iloc[part]}
                for part in (fold.training[~fold.stops], fold.training[fold.stops], fold.held_out)
            )
            assert not trained & held
            assert not trained & stopped
            assert not stopped & held
        elif classes:
            counts = np.bincount(y[fold.held_out], minlength=2)
            assert (abs(counts - np.bincount(y[rows], minlength=2) / folds) <= 1).all()


def test_by_time_a_fold_trains_on_what_came_before_and_equal_times_stay_together() -> None:
    days = np.random.default_rng(0).integers(1, 25, 120)
    table = pd.DataFrame({"day": days, "target": 1.0})
    found = fold_rows(table, np.zeros(120, dtype=np.int64), [], np.arange(120), DATA, split(time="day"))
    assert len(found) == 4
    for fold in found:
        training, stops, held_out = (
            days[fold.training[~fold.stops]],
            days[fold.training[fold.stops]],
            days[fold.held_out],
        )
        assert training.max() < stops.min()
        assert stops.max() < held_out.min()


@pytest.mark.parametrize(
    ("table", "asked", "told"),
    [
        ({"target": ["a"] * 60 + ["b"] * 3}, split(), "least populated"),
        ({"patient": [1, 2, 3] * 20, "target": ["a", "b"] * 30}, split(group="patient"), "folds|groups"),
        ({"day": [1, 2, 3] * 20, "target": ["a", "b"] * 30}, split(time="day"), "folds"),
    ],
)
def test_too_few_rows_are_refused(table: dict[str, list[object]], asked: Split, told: str) -> None:
    frame = pd.DataFrame(table)
    y = pd.factorize(frame["target"])[0].astype(np.int64)
    with pytest.raises(InputError, match=rf"^table: split\.folds is 4.*({told})"):
        fold_rows(frame, y, ["a", "b"], np.arange(len(frame)), DATA, asked)


def test_a_fold_is_prepared_by_its_own_training_rows_alone() -> None:
    table = pd.DataFrame({"a": np.random.default_rng(0).normal(5, 2, 100), "target": ["x", "y"] * 50})
    prepared = prepare(table, DATA, split())
    assert prepare(table, DATA, Split(validation=0.2, test=0.2, seed=3)).folds == []
    assert len(prepared.folds) == 4
    for fold in prepared.folds:
        assert fold.X_train.mean() == pytest.approx(0, abs=1e-5)
        assert fold.X_train.std() == pytest.approx(1, abs=1e-5)
        assert abs(fold.X_val.mean()) > 1e-3
    held_out = sum(len(fold.y_val) for fold in prepared.folds)
    assert held_out + len(prepared.splits.y_test) == len(table)
