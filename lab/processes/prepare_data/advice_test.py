from typing import Any

import numpy as np
import pandas as pd
import pytest

from lab.processes.prepare_data.advice import warnings_of
from lab.processes.prepare_data.params import Data, Split
from lab.processes.prepare_data.preparation import prepare
from lab.processes.prepare_data.report import describe

pytestmark = pytest.mark.unittest

ROWS = 1000
DATA = Data(source="flowers.csv", target="species", categories="one_hot", max_levels=10)
SPLIT = Split(validation=0.2, test=0.2, seed=3)


@pytest.fixture
def table() -> pd.DataFrame:
    """Rows of which there is nothing to say."""
    random = np.random.default_rng(0)
    species = random.choice(["rose", "lily"], ROWS)
    length = random.normal(size=ROWS) + (species == "rose")
    return pd.DataFrame({"length": length, "place": random.choice(["hill", "wood"], ROWS), "species": species})


@pytest.mark.parametrize("name", ["grid", "piano", "monkey", "humid", "know"])
def test_a_word_that_ends_like_an_identifier_is_none(table: pd.DataFrame, name: str) -> None:
    assert said(table.assign(**{name: [row % 9 for row in range(ROWS)]})) == []


def said(table: pd.DataFrame) -> list[str]:
    return warnings_of(prepare(table, DATA, SPLIT), DATA)


def test_of_sound_data_there_is_nothing_to_say(table: pd.DataFrame) -> None:
    assert said(table) == []


@pytest.mark.parametrize(
    ("columns", "told"),
    [
        ({"width": 7}, "1 column(s) with one value in all training rows (width): add them to data.drop"),
        ({"number": range(ROWS)}, "1 column(s) that seem to name the rows (number): add them to data.drop"),
        ({"name": [f"n{row}" for row in range(ROWS)]}, "1 column(s) that seem to name the rows (name): add them"),
        (
            {"patient_id": [row // 4 for row in range(ROWS)]},
            "patient_id seems to tell which rows belong together (250 values in 1000 rows): set split.group: ",
        ),
        ({"wardNo": [row % 9 for row in range(ROWS)]}, "wardNo seems to tell which rows belong together (9 values"),
        ({"city": [f"c{row % 40}" for row in range(ROWS)]}, "city has 40 levels, of which all but the 9 most frequent"),
    ],
)
def test_a_column_that_is_of_no_use_is_told(table: pd.DataFrame, columns: dict[str, Any], told: str) -> None:
    assert any(warning.startswith(told) for warning in said(table.assign(**columns)))


def test_levels_and_classes_of_several_spellings_are_told(table: pd.DataFrame) -> None:
    place = table["place"].where(table.index % 5 > 0, " Hill").where(table.index % 7 > 0, None)
    species = table["species"].where(table.index % 3 > 0, "Rose")
    data = DATA.model_copy(update={"missing": "most_frequent"})
    told = warnings_of(prepare(table.assign(place=place, species=species), data, SPLIT), data)
    assert [warning.split(", which")[0] for warning in told] == [
        "place has ' Hill', 'hill'",
        "species has 'Rose', 'rose'",
    ]


@pytest.mark.parametrize("kind", ["words", "numbers"])
def test_a_column_that_predicts_the_target_alone_is_told(table: pd.DataFrame, kind: str) -> None:
    noise = np.random.default_rng(0).choice(["a", "b", "c"], ROWS)
    known = table["species"] + noise if kind == "words" else (table["species"] == "rose") + 0.001 * len(table)
    (warning,) = said(table.assign(diagnosis=known))
    assert warning.startswith("diagnosis alone predicts the target (balanced accuracy 1.000 on the validation rows)")


def test_rows_that_are_in_two_parts_are_told(table: pd.DataFrame) -> None:
    warnings = said(pd.concat([table, table], ignore_index=True))
    assert [warning[-12:] for warning in warnings[:2]] == ["ong together"] * 2
    counts = [int(warning.split()[0]) for warning in warnings[:2]]
    assert all(150 < count < 300 for count in counts)  # six of ten twins are in training
    assert "of the 399 validation rows" in warnings[0]


def test_few_rows_and_rare_classes_are_told(table: pd.DataFrame) -> None:
    table.loc[:19, "species"] = "orchid"
    warnings = said(table.head(200))
    assert warnings[0].startswith("validation has 39 rows and test has 39 rows: an accuracy of 0.90 is uncertain")
    assert "there by 0.09" in warnings[0]
    assert warnings[1].startswith("2 class(es) with less than 10 rows in a part (orchid has 4 in validation, orchid")


def test_the_report_tells_what_is_in_the_table(table: pd.DataFrame) -> None:
    day = pd.Timestamp(2026, 1, 1) + pd.to_timedelta(np.arange(ROWS), unit="D")
    place = table["place"].where(table.index > 3)
    data = DATA.model_copy(update={"missing": "most_frequent", "dates": {"day": "days_since"}, "drop": ["number"]})
    rows = table.assign(day=day, number=1, place=place)
    report = describe(rows, prepare(rows, data, SPLIT), data, SPLIT, ["a warning"])
    assert report["rows"] == {"read": ROWS, "training": 602, "validation": 199, "test": 199}
    length, where, when = report["columns"]
    assert [length["min"], length["max"]] == [table["length"].min(), table["length"].max()]
    assert sum(length["histogram"]) == ROWS
    assert where["missing"] == 4
    assert where["levels"] == place.value_counts().to_dict()
    assert [when["min"], when["max"]] == ["2026-01-01T00:00:00", "2028-09-26T00:00:00"]
    assert report["left_out"] == {"number": "data.drop"}
    assert {name: sum(parts.values()) for name, parts in report["target"]["classes"].items()} == (
        table["species"].value_counts().to_dict()
    )
    assert report["warnings"] == ["a warning"]
