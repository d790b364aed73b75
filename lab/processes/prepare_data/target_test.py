from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import pytest

from lab.processes.prepare_data.advice import warnings_of
from lab.processes.prepare_data.params import Data, Split
from lab.processes.prepare_data.preparation import Prepared, prepare
from lab.processes.prepare_data.report import describe
from lab.processes.prepare_data.target import MOST_CLASSES, task_of
from labkit.process.errors import InputError

pytestmark = pytest.mark.unittest

SPLIT = Split(validation=0.2, test=0.2, seed=3)
ROWS = 600


def data(**settings: Any) -> Data:
    return Data(source="flats.csv", target="rent", **settings)


@pytest.fixture
def table() -> pd.DataFrame:
    random = np.random.default_rng(0)
    area = random.normal(80, 20, ROWS)
    return pd.DataFrame({"area": area, "floor": random.integers(0, 5, ROWS), "rent": 10 * area}).assign(
        rent=lambda flats: flats["rent"] + random.normal(0, 100, ROWS)
    )


def prepared(table: pd.DataFrame, split: Split = SPLIT, **settings: Any) -> Prepared:
    return prepare(table, data(**settings), split)


@pytest.mark.parametrize(
    ("values", "task"),
    [
        (range(MOST_CLASSES + 1), "regression"),
        (range(MOST_CLASSES), "classification"),
        ([number / 7 for number in range(100)], "regression"),
        ([Decimal(number) for number in range(100)], "regression"),
        ([f"{number},5" for number in range(100)], "regression"),
        ([f"name {number}" for number in range(100)], "classification"),
        ([True, False] * 50, "classification"),
    ],
)
def test_the_task_is_told_from_the_target(values: Any, task: str) -> None:
    assert task_of(pd.Series([*values]), data()) == task


def test_the_task_is_what_is_asked_for() -> None:
    assert task_of(pd.Series(range(3)), data(task="regression")) == "regression"
    assert task_of(pd.Series(range(90)), data(task="classification")) == "classification"


@pytest.mark.parametrize("way", [{}, {"group": "floor"}, {"time": "area"}])
def test_a_number_is_split_and_kept_as_it_is(table: pd.DataFrame, way: dict[str, str]) -> None:
    made = prepared(table, SPLIT.model_copy(update=way))
    assert (made.dataset.task, made.dataset.classes) == ("regression", [])
    assert {y.dtype for y in made.splits[3:]} == {np.dtype(np.float32)}
    numbers = np.concatenate(made.splits[3:])
    labels = np.concatenate([table["rent"].loc[rows.index] for rows in made.rows])
    np.testing.assert_array_equal(numbers, labels.astype(np.float32))
    assert sorted(numbers) == sorted(table["rent"].astype(np.float32))
    if not way:
        assert [len(y) for y in made.splits[3:]] == [360, 120, 120]


def test_the_report_of_a_number_tells_its_range(table: pd.DataFrame) -> None:
    made = prepared(table)
    target = describe(table, made, data(), SPLIT, [])["target"]
    assert (target["name"], target["task"], target["distinct"]) == ("rent", "regression", ROWS)
    assert target["min"] == pytest.approx(table["rent"].min())
    assert sum(target["histogram"]) == ROWS


@pytest.mark.parametrize(
    ("rent", "settings", "told"),
    [
        (lambda rent: rent.map("{:.1f} EUR".format), {"task": "regression"}, "the target is no number: rent is '"),
        (lambda rent: rent.map("{:.2f}".format).str.replace(".", ","), {}, "no plain numbers: rent is '"),
        (lambda rent: rent.where(rent.index != 3, np.inf), {}, "far too large values: rent is inf in data row 4"),
        (lambda rent: rent.where(rent.index != 3), {}, "rows without a label: rent is empty in data row 4"),
        (lambda rent: rent * 0, {"task": "regression"}, "'rent' is 0.0 in all rows; correct data.target"),
        (lambda rent: rent[:9], {"drop_unlabelled": True, "task": "regression"}, "9 rows, and 10 are needed"),
    ],
)
def test_what_keeps_a_number_from_being_learned_is_told(
    table: pd.DataFrame, rent: Any, settings: dict[str, Any], told: str
) -> None:
    with pytest.raises(InputError) as refused:
        prepared(table.assign(rent=rent(table["rent"])), **settings)
    assert told in str(refused.value)


def test_a_split_that_leaves_a_part_without_rows_is_told(table: pd.DataFrame) -> None:
    with pytest.raises(InputError, match=r"split\.group leaves (validation|test) with . rows, where 2 rows are needed"):
        prepared(
            table.assign(floor=np.where(table.index == 0, "attic", "others")),
            SPLIT.model_copy(update={"group": "floor"}),
        )


def test_of_a_number_the_same_is_warned_of_as_of_classes(table: pd.DataFrame) -> None:
    assert warnings_of(prepared(table), data()) == []
    few, giveaway = warnings_of(prepared(table[:300].assign(copy=lambda flats: flats["rent"] // 40)), data())[::-1]
    assert "copy alone predicts the target (R² 0.99" in giveaway
    assert few.startswith("validation has 60 rows and test has 60 rows: an RMSE is uncertain there by 18%")
