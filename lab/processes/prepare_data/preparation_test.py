from collections.abc import Callable
from pathlib import Path
from pickle import PicklingError

import numpy as np
import pandas as pd
import pytest

from lab.processes.prepare_data.params import Data, Split
from lab.processes.prepare_data.preparation import encode_labels, prepare, save_prepared, split_by_class
from labkit.process.errors import InputError

pytestmark = pytest.mark.unittest

DATA = Data(source="flowers.csv", target="species", query=None)
SPLIT = Split(validation=0.2, test=0.25, seed=3)


@pytest.fixture
def table() -> pd.DataFrame:
    values = np.random.default_rng(0).normal(loc=100, scale=20, size=(60, 3))
    species = np.repeat(["rose", "lily", "iris"], [30, 20, 10])
    return pd.DataFrame(values, columns=["length", "width", "height"]).assign(species=species)


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


@pytest.mark.parametrize(
    ("labels", "classes"),
    [
        (["b", "a", "c", "a"], ["a", "b", "c"]),
        ([10, 9, 10, -1], ["-1", "9", "10"]),
        ([True, False], ["False", "True"]),
        ([2, "b", "a"], ["2", "a", "b"]),
        (pd.Categorical(["low", "high"], categories=["low", "high"]), ["high", "low"]),
    ],
)
def test_labels_of_any_kind_become_ordered_classes(labels: list[object], classes: list[str]) -> None:
    y, found = encode_labels(pd.Series(labels))
    assert found == classes
    assert [found[index] for index in y] == [str(label) for label in labels]


def test_training_rows_are_scaled_to_zero_mean_and_unit_variance(table: pd.DataFrame) -> None:
    X_train = prepare(table, DATA, SPLIT).splits.X_train
    np.testing.assert_allclose(X_train.mean(axis=0), 0, atol=1e-6)
    np.testing.assert_allclose(X_train.std(axis=0), 1, rtol=1e-5)


def test_scaling_knows_nothing_of_other_rows(table: pd.DataFrame) -> None:
    held_out = np.concatenate(split_by_class(encode_labels(table["species"])[0], SPLIT)[1:])
    changed = table.copy()
    changed.loc[held_out, ["length", "width", "height"]] *= 1000
    before, after = (prepare(rows, DATA, SPLIT).splits.X_train for rows in (table, changed))
    np.testing.assert_array_equal(before, after)


def test_preprocessing_takes_raw_rows_by_name(table: pd.DataFrame) -> None:
    prepared = prepare(table, DATA, SPLIT)
    assert list(prepared.preprocessing.feature_names_in_) == prepared.dataset.features == ["length", "width", "height"]
    scaled = prepared.preprocessing.transform(prepared.example_rows)
    np.testing.assert_allclose(scaled, prepared.splits.X_train[: len(scaled)], rtol=1e-6)


def test_whole_numbers_and_booleans_are_features(table: pd.DataFrame) -> None:
    table = table.assign(length=range(60), width=[True, False] * 30)
    prepared = prepare(table, DATA, SPLIT)
    # The examples keep their types: they show what the raw table looks like.
    assert [str(dtype) for dtype in prepared.example_rows.dtypes] == ["int64", "bool", "float64"]
    assert np.isfinite(prepared.splits.X_train).all()


def test_numbered_columns_get_names(table: pd.DataFrame) -> None:
    numbered = table.set_axis([0, 1, 2, 3], axis=1)
    assert prepare(numbered, DATA.model_copy(update={"target": "3"}), SPLIT).dataset.features == ["0", "1", "2"]


def test_a_constant_column_is_scaled_to_zero(table: pd.DataFrame) -> None:
    assert not prepare(table.assign(width=7.0), DATA, SPLIT).splits.X_train[:, 1].any()


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda t: t.drop(columns="species"), "no column 'species'; set data.target .* length, width, height"),
        (lambda t: t[["species"]], "no column beside 'species' .*; add the features"),
        (lambda t: t.iloc[:0], "no rows"),
        (lambda t: t.assign(width="wide"), r"no numbers in width \(width is 'wide' in data row 1\); encode"),
        (
            lambda t: t.assign(width=t["width"].where(t.index != 7)),
            r"missing values in width \(width is nan in data row 8\); fill",
        ),
        (
            lambda t: t.assign(species=t["species"].where(t.index > 0)),
            r"missing values in species \(species is nan in data row 1\); fill",
        ),
        (
            lambda t: t.assign(height=t["height"].astype(object).where(t.index != 2, "1,5")),
            r"no numbers in height \(height is '1,5' in data row 3\); encode",
        ),
        (
            lambda t: t.assign(width=pd.Timestamp("2026-01-01")),
            r"no numbers in width \(width is 2026-01-01 00:00:00 in data row 1\); encode",
        ),
        (
            lambda t: t.assign(width=t["width"].where(t.index > 0, -np.inf), height=1e308),
            r"infinite or far too large values in width, height \(width is -inf in data row 1\); correct",
        ),
        (lambda t: t.set_axis(["length", "length", "height", "species"], axis=1), "than one column is called length"),
        (lambda t: t.set_axis(["", "width", "height", "species"], axis=1), "a column has no name; name it"),
        (lambda t: t[t["species"] == "rose"], "'species' is 'rose' in all rows; add rows of another class"),
        (lambda t: t.iloc[:53], "less than 5 rows.*'iris' has 3; add rows, merge"),
    ],
)
def test_what_cannot_be_learned_from_is_refused(
    table: pd.DataFrame, spoil: Callable[[pd.DataFrame], pd.DataFrame], message: str
) -> None:
    with pytest.raises(InputError, match=rf"^flowers\.csv: .*{message}"):
        prepare(spoil(table), DATA, SPLIT)


@pytest.mark.parametrize("part", [1, 2])
def test_a_held_out_row_that_cannot_be_scaled_is_refused(table: pd.DataFrame, part: int) -> None:
    row = split_by_class(encode_labels(table["species"])[0], SPLIT)[part][0]
    table["width"] = np.where(np.arange(len(table)) == row, 1e38, 1e-30 * table["width"])
    with pytest.raises(InputError, match=r"^flowers\.csv: values in width that differ too much to be scaled"):
        prepare(table, DATA, SPLIT)


def test_the_largest_values_of_the_models_numbers_are_taken(table: pd.DataFrame) -> None:
    largest = float(np.finfo(np.float32).max)
    splits = prepare(table.assign(width=table.index % 2 * largest), DATA, SPLIT).splits
    assert np.isfinite(np.concatenate(splits[:3])).all()


def test_a_long_list_of_columns_is_cut() -> None:
    wide = pd.DataFrame({f"f{number}": ["word"] for number in range(40)}).assign(species="rose")
    with pytest.raises(InputError, match=r"in f0, f1, f2, f3, f4 and 35 more .*; encode"):
        prepare(wide, DATA, SPLIT)


def test_a_saved_directory_holds_nothing_of_the_one_before(table: pd.DataFrame, tmp_path: Path) -> None:
    (tmp_path / "processed").mkdir()
    (tmp_path / "processed" / "old.npy").touch()
    save_prepared(prepare(table, DATA, SPLIT), tmp_path / "processed")
    assert sorted(path.name for path in tmp_path.rglob("*")) == [
        "X_test.npy",
        "X_train.npy",
        "X_val.npy",
        "dataset.json",
        "example_rows.csv",
        "preprocessing.joblib",
        "processed",
        "y_test.npy",
        "y_train.npy",
        "y_val.npy",
    ]


def test_a_directory_that_cannot_be_saved_stays_as_it_was(table: pd.DataFrame, tmp_path: Path) -> None:
    (tmp_path / "processed").mkdir()
    (tmp_path / "processed" / "old.npy").touch()
    unwritable = prepare(table, DATA, SPLIT)._replace(preprocessing=lambda rows: rows)
    with pytest.raises(PicklingError):
        save_prepared(unwritable, tmp_path / "processed")
    assert [path.name for path in tmp_path.rglob("*")] == ["processed", "old.npy"]
