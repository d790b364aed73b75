from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

from lab.processes.prepare_data.params import Data, Split
from lab.processes.prepare_data.splitting import as_groups, split_by_class, split_by_group, split_by_time, split_rows
from labkit.process.errors import InputError

pytestmark = pytest.mark.unittest

SPLIT = Split(validation=0.2, test=0.25, seed=3)


def test_every_row_is_in_one_part() -> None:
    parts = split_by_class(np.repeat([0, 1], [37, 20]), SPLIT)
    assert sorted(np.concatenate(parts)) == list(range(57))


def test_each_part_has_its_share_of_each_class() -> None:
    y = np.repeat([0, 1, 2], [200, 40, 20])
    _, validation, test = split_by_class(y, SPLIT)
    assert list(np.bincount(y[validation])) == [40, 8, 4]
    assert list(np.bincount(y[test])) == [50, 10, 5]


def test_the_smallest_class_allowed_is_in_each_part() -> None:
    for percent in range(1, 50):
        split = Split(validation=percent / 100, test=0.3, seed=0)
        y = np.repeat([0, 1], [-(-100 // min(percent, 30)), 300])
        assert all(len(set(y[part])) == 2 for part in split_by_class(y, split))


def test_the_seed_decides_the_split() -> None:
    y = np.repeat([0, 1], 50)
    train, again = (split_by_class(y, SPLIT)[0] for _ in range(2))
    other = split_by_class(y, SPLIT.model_copy(update={"seed": 4}))[0]
    assert list(train) == list(again)
    assert list(train) != list(other)


def test_a_group_is_in_one_part_and_the_parts_have_their_shares_of_each_class() -> None:
    random = np.random.default_rng(0)
    groups = pd.Series(random.integers(0, 80, 1000)).map("patient {}".format)
    y = (random.random(1000) < 0.2).astype(np.int64)
    parts = split_by_group(y, groups, SPLIT)
    assert sorted(np.concatenate(parts)) == list(range(1000))
    assert sum(len(set(groups[part])) for part in parts) == groups.nunique()
    for part, share in zip(parts, (0.55, 0.2, 0.25), strict=True):
        assert len(part) == pytest.approx(1000 * share, abs=40)
        assert y[part].mean() == pytest.approx(y.mean(), abs=0.03)


def test_the_seed_decides_the_groups() -> None:
    y, groups = np.repeat([0, 1], 50), pd.Series(np.arange(100) // 4)
    first, again = (split_by_group(y, groups, SPLIT)[0].tolist() for _ in range(2))
    assert first == again
    assert first != split_by_group(y, groups, SPLIT.model_copy(update={"seed": 4}))[0].tolist()


@pytest.mark.parametrize(
    "spellings",
    [
        (str, "0{}".format),
        (int, "0{}".format),
        (float, str),
        ("P{}".format, "P{} ".format),
        ("ä{}".format, "Ä{}".format),
        ("ä{}".format, "a\u0308{}".format),
        ("P{}".format, "\uff30{}\u200b".format),
    ],
)
def test_the_spellings_of_a_group_are_one_group(spellings: tuple[Callable[[int], object], ...]) -> None:
    numbers = np.repeat(np.arange(60), 2)
    groups = pd.Series([spellings[row % 2](int(number)) for row, number in enumerate(numbers)], dtype=object)
    parts = split_by_group(np.arange(120) // 2 % 2, groups, SPLIT)
    assert sum(len({*numbers[part]}) for part in parts) == 60


def test_groups_that_are_near_are_not_one() -> None:
    names = ["1", "10", "1.5", "0", "-1", "", str(2**60), str(2**60 + 1)]
    assert as_groups(pd.Series(names)).nunique() == len(names)


@pytest.mark.parametrize("written", ["{}", " {}", "{}.0"])
def test_numbers_in_text_are_numbers_in_time(written: str) -> None:
    times = np.random.default_rng(0).permutation(np.arange(950, 1100))
    parts = split_by_time(pd.Series([written.format(time) for time in times]), "%d.%m.%Y", SPLIT)
    assert list(times[np.concatenate(parts)]) == list(range(950, 1100))


def test_a_date_of_digits_alone_is_read_by_its_format() -> None:
    days = pd.Series(pd.date_range("2026-01-01", periods=90)).sample(frac=1, random_state=0).reset_index(drop=True)
    parts = split_by_time(days.dt.strftime("%d%m%Y"), "%d%m%Y", SPLIT)
    assert days[np.concatenate(parts)].is_monotonic_increasing


@pytest.mark.parametrize("written", [lambda day: day, "2026-01-{:02}".format, lambda day: pd.Timestamp(2026, 1, day)])
def test_the_last_rows_are_for_test_and_equal_times_stay_together(written: Callable[[int], object]) -> None:
    days = np.random.default_rng(0).permutation(np.repeat(np.arange(1, 26), 4))
    train, validation, test = split_by_time(pd.Series([written(int(day)) for day in days]), None, SPLIT)
    assert days[train].max() < days[validation].min() <= days[validation].max() < days[test].min()
    assert [len(train), len(validation), len(test)] == [52, 20, 28]


def test_a_part_without_the_classes_it_needs_is_refused() -> None:
    table = pd.DataFrame({"day": range(100)})
    data, split = Data(source="x.csv", target="y"), SPLIT.model_copy(update={"time": "day"})
    with pytest.raises(InputError, match=r"split.time leaves validation with 20 rows, of a, where 2 classes"):
        split_rows(table, np.repeat([0, 1, 0, 1], [10, 10, 55, 25]), ["a", "b"], data, split)
