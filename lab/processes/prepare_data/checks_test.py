import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml

from lab.processes.prepare_data.checks import check_table, columns_of
from lab.processes.prepare_data.params import Data, Split
from lab.processes.prepare_data.preparation import prepare
from lab.processes.prepare_data.target import encode_labels
from labkit.process.errors import InputError
from lib.columns import Column

pytestmark = pytest.mark.unittest

SPLIT = Split(validation=0.2, test=0.25, seed=3)
HALF = pd.Series(["hill", None] * 30, dtype=object)


def data(**settings: Any) -> Data:
    return Data(source="flowers.csv", target="species", **settings)


@pytest.fixture
def table() -> pd.DataFrame:
    values = np.random.default_rng(0).normal(loc=100, scale=20, size=(60, 3))
    species = np.repeat(["rose", "lily", "iris"], [30, 20, 10])
    return pd.DataFrame(values, columns=["length", "width", "height"]).assign(species=species)


def refusal(table: pd.DataFrame, settings: dict[str, Any] | None = None, split: Split = SPLIT) -> str:
    """The words in which a table is refused."""
    with pytest.raises(InputError) as refused:
        check_table(table, data(**(settings or {})), split, {})
    return str(refused.value)


def advised(told: str) -> dict[str, Any]:
    """The section data that a refusal advises."""
    lines = told.split("your-data.md:\n")[1]
    assert all(re.match(r"  \w+: .+  # \w+", line) for line in lines.splitlines())
    advice: dict[str, Any] = yaml.safe_load(f"data:\n{lines}")["data"]
    return advice


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


@pytest.mark.parametrize(
    ("spoil", "message", "advice"),
    [
        (lambda t: t.assign(width=["wide", "thin"] * 30), "words, 2 different ones: width is 'wide' in data row 1",
         {"categories": {"width": "one_hot"}}),
        (lambda t: t.assign(width=[f"w{row}" for row in range(60)]),
         "words, other ones in every row: width is 'w0' in data row 1", {"drop": ["width"]}),
        (lambda t: t.assign(width=t["width"].where(t.index != 7)),
         "missing values: width has none in 1 of 60 rows, first in data row 8", {"missing": {"width": "median"}}),
        (lambda t: t.set_axis(["a", "a", "height", "species"], axis=1), "more than one column is called 'a'",
         {"drop": ["a"]}),
        (lambda t: t.set_axis(["", "width", "height", "species"], axis=1), "a column has no name", {"drop": [""]}),
        (lambda t: t.assign(width=np.nan), "width has no values", {"drop": ["width"]}),
        (lambda t: t.assign(species=t["species"].where(t.index > 0)),
         "rows without a label: species is empty in data row 1", {"drop_unlabelled": True}),
        (lambda t: t.assign(height=t["height"].astype(object).where(t.index != 2, "1,5")),
         "numbers with other marks: height is '1,5' in data row 3", {"decimal": ","}),
        (lambda t: t.assign(height=["?", *(f"{row},5" for row in range(59))]),
         "numbers with other marks: height is '0,5' in data row 2",
         {"missing_values": ["?"], "decimal": ",", "missing": {"height": "median"}}),
        (lambda t: t.assign(height=t["height"].astype(object).where(t.index != 2, "<5")),
         "a limit in the place of a value: height is '<5' in data row 3; a missing value tells nothing of the limit, "
         "but data.missing: {height: {constant: ...}} can",
         {"missing_values": ["<5"], "missing": {"height": "median"}}),
        (lambda t: t.assign(width=[f"w{row}" if row else None for row in range(60)]),
         "missing values: width has none in 1 of 60 rows, first in data row 1", {"drop": ["width"]}),
        (lambda t: t.assign(height=t["height"].astype(object).where(t.index != 2, "?")),
         "words between the values: height is '?' in data row 3",
         {"missing_values": ["?"], "missing": {"height": "median"}}),
        (lambda t: t.assign(height=[f"1.{row:03},5" for row in range(60)]),
         "numbers with other marks: height is '1.000,5' in data row 1", {"decimal": ",", "thousands": "."}),
        (lambda t: t.assign(height=[f"1,{row:03}" for row in range(60)]),
         "numbers with other marks: height is '1,000' in data row 1", {"thousands": ","}),
        (lambda t: t.assign(width=pd.Timestamp("2026-01-01")),
         "dates: width is 2026-01-01 00:00:00 in data row 1", {"dates": {"width": ["year", "month", "weekday"]}}),
        (lambda t: t.assign(width=[f"{row % 28 + 1}.2.2026" for row in range(60)]),
         "dates: width is '1.2.2026' in data row 1",
         {"dates": {"width": ["year", "month", "weekday"]}, "date_format": "%d.%m.%Y"}),
        (lambda t: t.assign(width=t["width"].where(t.index > 0, -np.inf)),
         "infinite or far too large values: width is -inf in data row 1; correct", {"drop": ["width"]}),
    ],
)  # fmt: skip
def test_what_cannot_be_learned_from_is_refused_with_what_would_clear_it(
    table: pd.DataFrame, spoil: Callable[[pd.DataFrame], pd.DataFrame], message: str, advice: dict[str, Any]
) -> None:
    spoilt = spoil(table)
    told = refusal(spoilt)
    assert told.startswith("flowers.csv cannot be used as it is:\n")
    assert message in told
    assert advised(told) == advice
    if not advice.keys() & {"decimal", "thousands", "missing_values"}:  # which are for reading
        check_table(spoilt, data(**advice), SPLIT, {})


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda t: t.drop(columns="species"), "no column 'species'; set data.target to one of length, width, height"),
        (lambda t: t[["species"]], "no column beside 'species' (data.target) to learn from; add the features"),
        (lambda t: t.iloc[:0], "no rows"),
        (
            lambda t: t.set_axis(["length", "species", "height", "species"], axis=1),
            "than one column is called 'species'",
        ),
        (lambda t: t[t["species"] == "rose"], "'species' is 'rose' in all rows; add rows of another class"),
        (
            lambda t: t.iloc[:53],
            "less than 5 rows, one for each part of the split: 'iris' has 3; add rows, or name these classes in "
            "data.missing_values and set data.drop_unlabelled: true to leave out their rows, or enlarge",
        ),
    ],
)
def test_what_no_setting_clears_is_refused(
    table: pd.DataFrame, spoil: Callable[[pd.DataFrame], pd.DataFrame], message: str
) -> None:
    assert message in refusal(spoil(table))


def test_the_lines_to_paste_hold_any_name(table: pd.DataFrame) -> None:
    names = ["a: b", "#1", "x" * 200, "a, b", "'q\"", "on", "é\n"]
    told = refusal(table.assign(**dict.fromkeys(names, np.nan)))
    assert advised(told) == {"drop": names}


def test_everything_is_told_at_once_and_beside_what_is_set_already(table: pd.DataFrame) -> None:
    table = table.assign(place=HALF, width=table["width"].where(table.index > 3), number=range(60))
    told = refusal(table, {"missing": {"height": "median"}, "drop": ["number"]})
    assert told.count("\n  ") >= 3
    assert advised(told) == {
        "missing": {"height": "median", "width": "median", "place": "most_frequent"},
        "categories": {"place": "one_hot"},
    }


def test_without_the_target_the_rest_is_told_as_if_it_were_the_last_column(table: pd.DataFrame) -> None:
    spoilt = table.assign(place=HALF, kind=table["species"]).drop(columns="species")
    told = refusal(spoilt)
    assert "no column 'species'; set data.target to one of length, width, height, place, kind. The rest is told" in told
    assert "as if it were the last, kind" in told
    assert advised(told) == {"missing": {"place": "most_frequent"}, "categories": {"place": "one_hot"}}


def test_a_file_among_several_is_named(table: pd.DataFrame) -> None:
    spoilt = table.assign(width=table["width"].where(table.index != 7))
    both = pd.concat([table, spoilt], keys=["a.csv", "b.csv"])
    assert "first in data row 8 of b.csv" in refusal(both)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"drop": ["wdith"]}, "no column 'wdith', which data.drop names; correct it to one of length, width"),
        ({"missing": {"wdith": "median"}}, "no column 'wdith', which data.missing names"),
        ({"categories": {"species": "one_hot"}}, "'species' is no feature; take it out of data.categories"),
        ({"missing": {"species": "drop_rows"}}, "'species' is no feature; take it out of data.missing"),
        ({"dates": {"length": "days_since"}}, "no date: length is"),
        (
            {"categories": {"place": ["wood", "sea"]}},
            "no level of data.categories.place: place is 'hill' in data row",
        ),
        ({"categories": "one_hot", "missing": {"place": "median"}}, "words have no median: place"),
        ({"categories": "one_hot", "missing": {"constant": "none"}}, "'none' is no number, as width has them"),
        (
            {"categories": {"place": ["wood", "hill"]}, "missing": {"place": {"constant": "sea"}}},
            "'sea' is no level of data.categories.place",
        ),
        ({"drop": ["species"]}, "'species' is the target; take it out of data.drop"),
        ({"drop": ["length", "width", "height", "place"]}, "no column beside 'species'"),
    ],
)
def test_settings_that_do_not_fit_the_table_are_refused(
    table: pd.DataFrame, settings: dict[str, Any], message: str
) -> None:
    place = pd.Series(["hill", "wood"] * 30).where(table.index != 5)
    assert message in refusal(table.assign(place=place, width=table["width"].where(table.index > 3)), settings)


def test_with_a_decimal_comma_a_point_is_no_fraction(table: pd.DataFrame) -> None:
    told = refusal(table.assign(width=["1.234", "5"] * 30), {"decimal": ","})
    assert advised(told) == {"thousands": "."}


@pytest.mark.parametrize(
    ("values", "settings"),
    [
        (["10.125", "0.5"], {"decimal": ",", "thousands": "."}),
        (["10", "0.5"], {"decimal": ","}),
        (["1,234", "0,5"], {"thousands": ","}),
    ],
)
def test_numbers_that_other_columns_marks_would_change_are_told(
    table: pd.DataFrame, values: list[str], settings: dict[str, Any]
) -> None:
    told = refusal(table.assign(width=values * 30), settings)
    assert f"numbers with other marks than data.decimal and data.thousands say: width is {values[1]!r}" in told
    assert "in data row 2; write" in told
    assert "params.yaml" not in told


def test_numbers_that_were_read_by_the_marks_are_taken(table: pd.DataFrame) -> None:
    check_table(table, data(decimal=",", thousands="."), SPLIT, {})


@pytest.mark.parametrize(
    ("values", "spellings"), [(["0", "0.0", "two"], "'0', '0.0'"), (["rose", "rose ", "lily"], "'rose', 'rose '")]
)
def test_a_class_that_is_written_in_several_ways_is_refused(
    table: pd.DataFrame, values: list[str], spellings: str
) -> None:
    assert f"labels that differ only in how they are written: {spellings}; " in refusal(
        table.assign(species=values * 20)
    )


def test_labels_that_are_numbers_in_one_file_and_text_in_another_are_refused(table: pd.DataFrame) -> None:
    mixed = pd.Series([0.0, 1.0, "0", "1", "two"] * 12, dtype=object)
    assert "labels that are numbers and labels that are text: 1.0 and 'two'; " in refusal(table.assign(species=mixed))


def test_words_of_far_more_levels_than_features_are_dropped_or_a_group(table: pd.DataFrame) -> None:
    told = refusal(table.assign(patient=[f"p{row % 50}" for row in range(60)]))
    assert "words, 50 different ones in 60 rows: patient is 'p0' in data row 1; if they tell which" in told
    assert "set split.group: patient" in told
    assert advised(told) == {"drop": ["patient"]}


@pytest.mark.parametrize("key", ["group", "time"])
def test_settings_for_a_column_that_rows_are_split_by_may_stay(table: pd.DataFrame, key: str) -> None:
    seen = pd.date_range("2026-01-01", periods=60).strftime("%d.%m.%Y")
    settings = data(
        dates={"seen": ["year"]}, missing={"seen": "median"}, categories={"seen": "one_hot"}, date_format="%d.%m.%Y"
    )
    check_table(table.assign(seen=seen), settings, SPLIT.model_copy(update={key: "seen"}), {})


@pytest.mark.parametrize(
    ("written", "formats"),
    [
        ("0{}/02/2020", "%d/%m/%Y and %m/%d/%Y"),
        ("0{}/02/20", "%d/%m/%y and %m/%d/%y"),
        ("0{}-02-2020", "%d-%m-%Y and %m-%d-%Y"),
    ],
)
def test_dates_that_are_read_in_two_ways_are_told(table: pd.DataFrame, written: str, formats: str) -> None:
    seen = [written.format(row % 9 + 1) for row in range(60)]
    assert f"; {formats} fit all of them: set the one that is meant" in refusal(table.assign(seen=seen))
    split = SPLIT.model_copy(update={"time": "seen"})
    assert f"; {formats} fit all of them" in refusal(table.assign(seen=seen), split=split)
    clear = [*seen[1:], written.replace("0{}", "28")]
    assert "fit all of them" not in refusal(table.assign(seen=clear))


@pytest.mark.parametrize("values", [[[1], [2]], [b"a", b"b"], [{"a": 1}, None], [pd.Timedelta("1s"), None]])
def test_a_column_of_anything_is_refused_in_words(table: pd.DataFrame, values: list[Any]) -> None:
    with pytest.raises(InputError, match="width is "):
        prepare(table.assign(width=pd.Series(values * 30, dtype=object)), data(), SPLIT)


def test_many_problems_are_told_in_part_and_advised_in_full() -> None:
    wide = pd.DataFrame({f"f{number}": ["a", "b"] * 5 for number in range(40)})
    told = refusal(wide.assign(species=["rose"] * 5 + ["lily"] * 4 + ["iris"]))
    assert "classes of 'species' with less than 5 rows" in told  # no line clears it, so it is told first
    assert "and 21 more" in told
    assert len(advised(told)["categories"]) == 40


def test_a_column_that_rows_are_split_by_needs_values_and_an_order(table: pd.DataFrame) -> None:
    visit = pd.Series(["a", "b", None] * 20)
    told = refusal(table.assign(visit=visit), split=SPLIT.model_copy(update={"group": "visit"}))
    assert advised(told) == {"drop_unlabelled": True}
    told = refusal(table.assign(visit=["a", "b"] * 30), split=SPLIT.model_copy(update={"time": "visit"}))
    assert "split.time: visit holds no dates or numbers" in told


def test_columns_are_described_for_training_and_serving(table: pd.DataFrame) -> None:
    table = table.assign(place=HALF, seen="2026-01-01", size=["s", "l"] * 30, number=range(60))
    settings = data(
        missing={"place": "most_frequent", "size": "drop_rows"},
        categories={"place": "one_hot", "size": ["s", "l"]},
        dates={"seen": ["year"]},
        drop=["width"],
        missing_values=["k.A."],
    )
    assert columns_of(table, settings, SPLIT.model_copy(update={"time": "number"})) == [
        Column("length", "number"),
        Column("height", "number"),
        Column("place", "category", optional=True, marks=("k.A.",)),
        Column("seen", "date"),
        Column("size", "category", levels=["s", "l"]),
    ]
