from pathlib import Path

import pandas as pd
import pytest
from pyarrow import parquet

from labkit.process.errors import InputError
from runtimes.serving import predict
from runtimes.serving.predict import predict_file
from runtimes.serving.served import Served, without_values

pytestmark = pytest.mark.unittest

ROWS = pd.DataFrame({"id": range(7), "age": [10, 20, 30, 40, 50, 60, 70], "city": ["Bonn", None, *"abcde"]})


@pytest.fixture(autouse=True)
def three_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(predict, "ROWS", 3)
    monkeypatch.chdir(tmp_path)


def written(rows: pd.DataFrame, name: str) -> Path:
    (rows.to_csv if name.endswith("csv") else rows.to_parquet)(name, index=False)
    return Path(name)


def read(name: str) -> pd.DataFrame:
    return pd.read_csv(name) if name.endswith("csv") else pd.read_parquet(name)


@pytest.mark.parametrize("source", ["rows.csv", "rows.parquet"])
@pytest.mark.parametrize("to", ["answers.csv", "answers.parquet"])
def test_every_row_has_its_answer_beside_it(
    source: str, to: str, small: Served, capsys: pytest.CaptureFixture[str]
) -> None:
    assert predict_file(written(ROWS, source), small, Path(to)) == 7
    assert capsys.readouterr().out == ""
    answered = read(to)
    assert [*answered] == ["id", "age", "city", "label", "probability_old"]
    assert answered["id"].astype(int).tolist() == [*range(7)]
    assert answered["age"].tolist() == ROWS["age"].tolist()
    assert answered["label"].tolist() == ["young"] * 5 + ["old"] * 2


def test_csv_is_read_as_the_lab_reads_its_own(small: Served) -> None:
    Path("params.yaml").write_text("data: {separator: ;, decimal: ',', missing_values: [k.A.]}\n", encoding="utf-8")
    Path("rows.csv").write_text("age;city\n60,5;k.A.\n", encoding="utf-8")
    predict_file(Path("rows.csv"), small, Path("answers.csv"))
    (row,) = read("answers.csv").to_dict("records")
    assert (row["age"], row["label"], pd.isna(row["city"])) == (60.5, "old", True)


def test_words_are_read_as_they_are_written(small: Served) -> None:
    Path("rows.csv").write_text("age,city\n40,01067\n60,1\n", encoding="utf-8")
    predict_file(Path("rows.csv"), small, Path("answers.csv"))
    assert Path("answers.csv").read_text().splitlines()[1].split(",")[1].strip('"') == "01067"


def test_columns_that_the_model_does_not_read_stay_as_they_are(small: Served) -> None:
    ids = ["007", "12345678901234567890123", "1.10", "", "x", "6", "7"]  # a type of its own in each part of three
    Path("rows.csv").write_text("id,age\n" + "".join(f"{one},60\n" for one in ids), encoding="utf-8")
    for to in ("answers.csv", "answers.parquet"):
        predict_file(Path("rows.csv"), small, Path(to))
    assert pd.read_csv("answers.csv", dtype="str", keep_default_na=False)["id"].tolist() == ids
    assert read("answers.parquet")["id"].fillna("").tolist() == ids


def test_a_comma_at_the_end_of_each_row_moves_no_value(small: Served) -> None:
    Path("rows.csv").write_text("age,city\n99,60,\n98,10,\n", encoding="utf-8")  # pandas would make 60 the age
    predict_file(Path("rows.csv"), small, Path("answers.csv"))
    assert read("answers.csv")["age"].tolist() == [99, 98]


def test_an_index_and_whole_numbers_beside_missing_ones_stay_as_they_are(small: Served) -> None:
    long = 2**53 + 1  # no float is this number
    rows = pd.DataFrame({"age": [1, 2, 3], "long": pd.array([long, None, long], "Int64")}, index=["a", "b", "c"])
    rows.rename_axis("name").to_parquet("rows.parquet")
    predict_file(Path("rows.parquet"), small, Path("answers.parquet"))
    answered = parquet.read_table("answers.parquet").to_pydict()
    assert (answered["name"], answered["long"]) == (["a", "b", "c"], [long, None, long])


@pytest.mark.parametrize(
    ("ages", "label"), [(["1.024,5", "0,5"], ["old", "young"]), (["60", "-1.000", "7,25"], ["old", "young", "young"])]
)
def test_marks_of_thousands_are_read(ages: list[str], label: list[str], small: Served) -> None:
    Path("params.yaml").write_text("data: {separator: ;, decimal: ',', thousands: .}\n", encoding="utf-8")
    rows = "".join(f"{age};24.12.2026\n" for age in ages)
    Path("rows.csv").write_text(f"age;city\n{rows}", encoding="utf-8")
    predict_file(Path("rows.csv"), small, Path("answers.csv"))
    answered = read("answers.csv")
    assert answered["label"].tolist() == label
    assert set(answered["city"]) == {"24.12.2026"}


@pytest.mark.parametrize("age", ["1.2.3", "10.24,5"])
def test_a_mark_that_is_at_another_place_makes_no_number(age: str, small: Served) -> None:
    Path("params.yaml").write_text("data: {separator: ;, decimal: ',', thousands: .}\n", encoding="utf-8")
    Path("rows.csv").write_text(f"age;city\n{age};Bonn\n", encoding="utf-8")
    with pytest.raises(InputError, match="values that are no numbers in age; mend these rows"):
        predict_file(Path("rows.csv"), small, Path("answers.csv"))


@pytest.mark.parametrize(
    ("rows", "told"),
    [
        (
            ROWS.assign(age=ROWS["age"].where(ROWS["id"] != 4)),
            "rows.csv, rows 4 to 6: missing values in age; mend these rows",
        ),
        (ROWS.drop(columns="age"), "rows.csv, rows 1 to 3: missing inputs ['age']; give these columns"),
        (ROWS.assign(label="x"), "rows.csv, rows 1 to 3: the column label is one that the model answers with; rename"),
        (ROWS[:0], "rows.csv has no rows"),
        (ROWS.set_axis(["age", "age", "city"], axis=1), "rows.csv can't be read: the column age is there twice"),
    ],
)
def test_what_is_refused_leaves_what_was_there(rows: pd.DataFrame, told: str, small: Served) -> None:
    Path("answers.csv").write_text("before", encoding="utf-8")
    with pytest.raises(InputError) as refused:
        predict_file(written(rows, "rows.csv"), small, Path("answers.csv"))
    assert str(refused.value).startswith(told)
    assert Path("answers.csv").read_text(encoding="utf-8") == "before"
    assert sorted(path.name for path in Path().iterdir()) == ["answers.csv", "rows.csv"]


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("rows.txt", b"", "rows.txt is neither .csv nor .parquet"),
        ("none.csv", None, "none.csv is not here"),
        ("rows.csv", b"", "rows.csv can't be read: "),
        ("rows.csv", b"age\n\xff\xfe\n", "rows.csv can't be read: "),
        ("rows.csv", b"age,city\n99,60,x\n98,10,x\n", "rows.csv can't be read: its rows have more fields"),
        ("rows.parquet", b"no parquet", "rows.parquet can't be read: "),
    ],
)
def test_what_is_no_table_is_told(name: str, content: bytes | None, told: str, small: Served) -> None:
    if content is not None:
        Path(name).write_bytes(content)
    with pytest.raises(InputError) as refused:
        predict_file(Path(name), small, Path("answers.csv"))
    assert str(refused.value).startswith(told)


def test_what_can_not_be_written_is_told_and_what_is_read_is_not_replaced(small: Served) -> None:
    rows = written(ROWS, "rows.csv")
    before = rows.read_bytes()
    Path("folder.csv").mkdir()
    Path("link.csv").symlink_to(rows)
    for to, told in (("folder.csv", "folder.csv can't be written: "), ("link.csv", "link.csv is the file to read")):
        with pytest.raises(InputError, match=told):
            predict_file(rows, small, Path(to))
    assert rows.read_bytes() == before


@pytest.mark.parametrize(
    ("message", "shown"),
    [
        (
            "values that are no numbers in age: could not convert 'x'; mend these rows",
            "values that are no numbers in age; mend these rows",
        ),
        (
            "values that are no numbers in a: could not convert 'Meyer in age: x'; mend these rows",
            "values that are no numbers in a; mend these rows",
        ),
        ("values in ages: 'x'; mend these rows", "the model can't read these rows"),
        (
            "values in a b that are not a date: 'x'; mend these rows",
            "values in a b that are not a date; mend these rows",
        ),
        (
            "values in age that are not one of s, l: 'x: y'; mend these rows",
            "values in age that are not one of s, l; mend these rows",
        ),
        ("missing values in age; mend these rows", "missing values in age; mend these rows"),
        ("no such level: 'x'", "the model can't read these rows"),
    ],
)
def test_a_refusal_names_the_column_and_not_the_value(message: str, shown: str) -> None:
    assert without_values(message, ["a", "age", "a b"]) == shown
