from pathlib import Path
from pickle import PicklingError
from typing import Any

import numpy as np
import pandas as pd
import pytest

from lab.processes.prepare_data.params import Data, Split
from lab.processes.prepare_data.preparation import prepare, save_prepared
from lab.processes.prepare_data.splitting import split_by_class
from lab.processes.prepare_data.target import encode_labels
from labkit.process.errors import InputError
from lib.columns import typed

pytestmark = pytest.mark.unittest

DATA = Data(source="flowers.csv", target="species")
SPLIT = Split(validation=0.2, test=0.25, seed=3)


@pytest.fixture
def table() -> pd.DataFrame:
    values = np.random.default_rng(0).normal(loc=100, scale=20, size=(60, 3))
    species = np.repeat(["rose", "lily", "iris"], [30, 20, 10])
    return pd.DataFrame(values, columns=["length", "width", "height"]).assign(species=species)


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


def messy(table: pd.DataFrame) -> pd.DataFrame:
    """The table with a column of words, one of dates, and missing values in each."""
    days = pd.Timestamp("2026-01-01") + pd.to_timedelta(np.arange(60), unit="D")
    place = pd.Series(["hill", "shore", "wood"] * 20).where(table.index % 10 > 0)
    seen = pd.Series(days.strftime("%d.%m.%Y")).where(table.index % 11 > 0)
    return table.assign(width=table["width"].where(table.index % 9 > 0), place=place, seen=seen)


MESSY = Data(
    source="flowers.csv",
    target="species",
    missing={"width": "median", "place": "most_frequent", "seen": "median"},
    missing_indicator=True,
    categories="one_hot",
    dates={"seen": ["month", "weekday"]},
    date_format="%d.%m.%Y",
)


def test_words_dates_and_missing_values_become_numbers(table: pd.DataFrame) -> None:
    prepared = prepare(messy(table), MESSY, SPLIT)
    assert prepared.dataset.features == [
        *("length", "height", "width"),
        *("place=hill", "place=shore", "place=wood"),
        *("seen_month", "seen_weekday"),
        *("width_missing", "place_missing", "seen_missing"),
    ]
    X = np.concatenate(prepared.splits[:3])
    assert X.shape == (60, 11)
    assert np.isfinite(X).all()
    assert set(X[:, 3:6].sum(axis=1)) == {1.0}
    assert X[:, 8:].sum(axis=0).tolist() == [7, 6, 6]


def test_each_feature_is_told_by_the_column_that_it_is_made_of(table: pd.DataFrame) -> None:
    rows = messy(table).assign(size=["small", "large", "large"] * 20, code=[f"c{n % 9}" for n in range(60)])
    words: Any = {"place": "one_hot", "code": "one_hot", "size": ["small", "large"]}
    prepared = prepare(rows, MESSY.model_copy(update={"categories": words, "max_levels": 4}), SPLIT)
    columns = prepared.dataset.columns or []
    assert len(columns) == len(prepared.dataset.features) > len({*columns}) == 7
    assert columns.count("code") == 4  # the rare levels share the last one
    training, before = prepared.rows[0], prepared.splits.X_train
    for name in {*columns}:  # by what changes with it
        changed = training.assign(**{name: training[name].sample(frac=1, random_state=1).to_numpy()})
        after = prepared.preprocessing.transform(changed).astype(np.float32)
        moved = np.flatnonzero((after != before).any(axis=0))
        assert moved.size
        assert {columns[int(feature)] for feature in moved} == {name}


def test_what_is_filled_in_knows_nothing_of_other_rows(table: pd.DataFrame) -> None:
    rows = messy(table)
    held_out = np.concatenate(split_by_class(encode_labels(table["species"])[0], SPLIT)[1:])
    changed = rows.copy()
    changed.loc[held_out, ["length", "width"]] *= 1000
    changed.loc[held_out, "place"] = "sea"
    before, after = (prepare(one, MESSY, SPLIT) for one in (rows, changed))
    np.testing.assert_array_equal(before.splits.X_train, after.splits.X_train)
    assert "place=sea" not in after.dataset.features


@pytest.mark.parametrize("method", ["most_frequent", {"constant": "wood"}])
def test_one_row_without_a_value_is_filled_in_as_in_training(table: pd.DataFrame, method: Any) -> None:
    settings = {"source": "flowers.csv", "target": "species", "missing_values": ["k.A."], "categories": "one_hot"}
    data = Data.model_validate({**settings, "missing": {"place": method}})
    prepared = prepare(table.assign(place=messy(table)["place"]), data, SPLIT)

    def features(value: Any) -> list[float]:
        row = {"length": 1, "width": 1, "height": 1, "place": value}
        found: list[float] = prepared.preprocessing.transform(typed(pd.DataFrame([row]), prepared.columns))[0].tolist()
        return found

    assert features(None) == features(np.nan) == features("k.A.")
    assert sum(features(None)[3:]) == 1.0


def test_each_column_may_have_its_own_scale_and_dates_and_marks(table: pd.DataFrame) -> None:
    rows = messy(table).assign(other=messy(table)["seen"])
    each = {"scale": {"length": "none"}, "dates": "days_since", "missing_indicator": ["width"]}
    data = MESSY.model_copy(update=each | {"missing": "most_frequent"})
    prepared = prepare(rows, data, SPLIT)
    names, X = prepared.dataset.features, prepared.splits.X_train
    assert [name for name in names if "days_since" in name or "missing" in name] == [
        *("seen_days_since", "other_days_since", "width_missing")
    ]
    means = dict(zip(names, X.mean(axis=0), strict=True))
    assert abs(means["height"]) < 1e-5
    assert means["length"] > 50


def test_an_order_of_words_is_a_number(table: pd.DataFrame) -> None:
    rows = table.assign(size=["small", "medium", "large"] * 20)
    data = DATA.model_copy(update={"categories": {"size": ["small", "medium", "large"]}, "scale": "none"})
    prepared = prepare(rows, data, SPLIT)
    assert prepared.dataset.features == ["length", "width", "height", "size"]
    train = split_by_class(encode_labels(table["species"])[0], SPLIT)[0]
    assert prepared.splits.X_train[:, 3].tolist() == [int(row) % 3 for row in train]


def test_levels_beyond_the_bound_share_one_feature(table: pd.DataFrame) -> None:
    rows = table.assign(place=[f"p{min(number % 12, 9)}" for number in range(60)])
    data = DATA.model_copy(update={"categories": {"place": "one_hot"}, "max_levels": 3})
    features = prepare(rows, data, SPLIT).dataset.features[3:]
    assert len(features) == 3
    assert features[-1] == "place=infrequent_sklearn"


@pytest.mark.parametrize(
    ("scale", "centre"), [("standard", np.mean), ("robust", np.median), ("none", lambda X, axis: np.full(3, 0))]
)
def test_numbers_are_scaled_as_asked(table: pd.DataFrame, scale: str, centre: Any) -> None:
    X = prepare(table, DATA.model_copy(update={"scale": scale}), SPLIT).splits.X_train
    np.testing.assert_allclose(centre(X, axis=0), 0, atol=1e-5)
    assert (scale == "none") == bool(np.isclose(X.mean(), 100, atol=20))


def test_rows_that_are_left_out_are_in_no_part(table: pd.DataFrame) -> None:
    rows = pd.concat([messy(table), messy(table).tail(7)], ignore_index=True)
    update = {"missing": "drop_rows", "drop_duplicates": True, "dates": {}, "drop": ["seen"]}
    prepared = prepare(rows, MESSY.model_copy(update=update), SPLIT)
    kept = [row for row in range(60) if row % 9 and row % 10]
    assert sorted(label for part in prepared.rows for label in part.index) == kept


def test_a_constant_takes_the_place_of_what_is_missing(table: pd.DataFrame) -> None:
    constants = {"width": {"constant": -1}, "place": {"constant": "nowhere"}, "seen": "median"}
    data = Data(**{**MESSY.model_dump(), "missing": constants, "scale": "none"})
    prepared = prepare(messy(table), data, SPLIT)
    width, nowhere = (prepared.dataset.features.index(name) for name in ("width", "place=nowhere"))
    X = np.concatenate(prepared.splits[:3])
    assert [(X[:, width] == -1).sum(), X[:, nowhere].sum()] == [7, 6]


def test_two_features_of_one_name_are_refused(table: pd.DataFrame) -> None:
    rows = table.assign(place=["hill", "wood"] * 30).rename(columns={"width": "place=hill"})
    with pytest.raises(InputError, match=r"two features would have one name: .*place=hill.*; rename a column"):
        prepare(rows, DATA.model_copy(update={"categories": "one_hot"}), SPLIT)


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


def test_a_saved_directory_holds_nothing_of_the_one_before(table: pd.DataFrame, tmp_path: Path) -> None:
    (tmp_path / "processed").mkdir()
    (tmp_path / "processed" / "old.npy").touch()
    save_prepared(prepare(table, DATA, SPLIT), tmp_path / "processed")
    assert sorted(path.name for path in tmp_path.rglob("*")) == [
        "X_test.npy",
        "X_train.npy",
        "X_val.npy",
        "columns.json",
        "dataset.json",
        "example_rows.csv",
        "preprocessing.joblib",
        "processed",
        "test_rows.csv",
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
