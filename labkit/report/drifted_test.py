"""How far data have moved, as numbers that a goal can judge."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from labkit.process.errors import InputError
from labkit.report.drifted import show_drift, summary

pytestmark = pytest.mark.unittest

ROWS = 400


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("before.json").write_text(json.dumps(report(table())))


def table(age: float = 40.0, bern: float = 0.5, year: int = 2020, missing: int = 0) -> pd.DataFrame:
    random = np.random.default_rng(round(age) + year)
    ages = random.normal(age, 10, ROWS)
    ages[:missing] = np.nan
    cities = np.where(random.random(ROWS) < bern, "Bern", "Basel")
    days = pd.to_datetime(f"{year}-01-01") + pd.to_timedelta(random.integers(0, 365, ROWS), unit="D")
    return pd.DataFrame({"age": ages, "city": cities, "day": days.strftime("%Y-%m-%d")})


def report(rows: pd.DataFrame) -> dict[str, Any]:
    kinds = {"age": "number", "city": "category", "day": "date"}
    like = {"columns": [{"name": name, "kind": kind} for name, kind in kinds.items()]}
    like["columns"][1]["levels"] = {}  # type: ignore[assignment]
    return summary(rows, like)


@pytest.mark.parametrize("form", ["csv", "parquet", "json"])
@pytest.mark.parametrize(
    ("now", "drifted"),
    [
        (table(age=41), []),
        (table(age=60), ["age"]),
        (table(age=41, bern=0.9), ["city"]),
        (table(age=41, year=2022), ["day"]),
    ],
    ids=["nothing", "age", "city", "day"],
)
def test_what_moved_is_told_and_counted(
    now: pd.DataFrame, drifted: list[str], form: str, capsys: pytest.CaptureFixture[str]
) -> None:
    file = Path(f"now.{form}")
    if form == "json":
        file.write_text(json.dumps(report(now)))
    else:
        now.to_csv(file, index=False) if form == "csv" else now.to_parquet(file)
    show_drift(Path("before.json"), file, Path("drift.json"))
    told = json.loads(Path("drift.json").read_text())
    assert told["drifted"] == len(drifted)
    assert (told["largest_distance"] > 0.3) == bool(drifted)
    shown = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in shown if line.rstrip().endswith("drifted")] == drifted


def test_missing_values_are_counted(capsys: pytest.CaptureFixture[str]) -> None:
    table(missing=100).to_csv("now.csv", index=False)
    show_drift(Path("before.json"), Path("now.csv"), Path("drift.json"))
    assert json.loads(Path("drift.json").read_text())["largest_change_of_missing"] == 0.25
    assert "25.0%" in capsys.readouterr().out


def test_codes_are_words_as_they_are_written() -> None:
    before = {"columns": [{"name": "zip", "kind": "category", "missing": 0, "levels": {"01067": 200, "10115": 200}}]}
    Path("codes.json").write_text(json.dumps(before))
    pd.DataFrame({"zip": ["01067", "10115"] * 200}).to_csv("codes.csv", index=False)
    show_drift(Path("codes.json"), Path("codes.csv"), Path("drift.json"))
    assert json.loads(Path("drift.json").read_text())["largest_distance"] == 0


def test_a_column_that_has_no_values_any_more_has_drifted() -> None:
    now = table(age=41)
    now["age"] = np.nan
    now.to_csv("now.csv", index=False)
    show_drift(Path("before.json"), Path("now.csv"), Path("drift.json"))
    assert json.loads(Path("drift.json").read_text())["drifted"] == 1


def test_levels_that_the_report_leaves_out_are_no_drift() -> None:
    like = {"columns": [{"name": "city", "kind": "category", "levels": {"Bern": 5}, "distinct": 9}]}
    (city,) = summary(pd.DataFrame({"city": ["Bern", "Chur", None]}), like)["columns"]
    assert (city["levels"], city["missing"]) == ({"Bern": 1}, 1)


@pytest.mark.parametrize(
    ("before", "now", "words"),
    [
        ("nowhere.json", "now.csv", "nowhere.json can't be read: No such file"),
        ("list.json", "now.csv", "list.json is not a report of data"),
        ("before.json", "nowhere.csv", "nowhere.csv can't be read"),
        ("before.json", "now.txt", "now.txt is neither"),
        ("before.json", "broken.parquet", "broken.parquet is not a table"),
        ("before.json", "wide.csv", "wide.csv is not a table: its rows have more fields than its header"),
        ("before.json", "other.csv", "other.csv lacks columns of before.json: age, city, day"),
    ],
)
def test_what_is_no_report_and_no_table_is_refused(before: str, now: str, words: str) -> None:
    Path("list.json").write_text("[1]")
    Path("broken.parquet").write_text("x")
    Path("wide.csv").write_text("age,city,day\n1,40,Bern,2026-01-01\n2,50,Bern,2026-01-02\n")
    Path("other.csv").write_text("x\n1\n")
    with pytest.raises(InputError, match=words):
        show_drift(Path(before), Path(now), None)
