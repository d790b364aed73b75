"""Tables tell what was found, and no more than that."""

import pytest

from labkit.compare.gather import Data, File, Found, Metric, Param, RowTest
from labkit.compare.run import _table
from labkit.compare.sections import MOST_ROWS, Section, as_sections
from labkit.compare.sides import Side
from labkit.pipeline.drift import Drift
from labkit.report.paired import Difference

pytestmark = pytest.mark.unittest

A, B = (Side(name, name * 40, "", "") for name in "ab")
NOTHING = Found(A, B, [], [], {}, [], [], [], [])


def test_what_is_the_same_is_said_in_a_word() -> None:
    made = {section.title: section for section in as_sections(NOTHING)}
    assert [*made] == ["Code", "Parameters", "Stages", "On the same test rows", "Metrics"]
    assert [made[title].note for title in ("Code", "Parameters", "Stages")] == ["The same."] * 3
    assert made["On the same test rows"].note == "Nothing could be compared row by row."
    assert [section.rows for section in made.values()] == [[]] * 5


def test_every_row_has_its_columns_and_values() -> None:
    moved = Drift("age", ("number", "number"), (0.0, 0.25), "Kolmogorov-Smirnov distance", 0.4, 0.0001)
    still = Drift("size", ("number", "number"), (0.0, 0.0), "Kolmogorov-Smirnov distance", 0.0, 1.0)
    other = Drift("city", ("words", "number"), (0.1, 0.0), "", 0.0, 1.0)
    found = NOTHING._replace(
        code=[File("a.py", 3, 1), File("b.png", None, None)],
        params=[Param("lr", "0.1", None)],
        stages={"train": ["lr 0.1 -> 0.2", "rows"], "test": []},
        data=[Data("report.json", (500, 501), (4, 3), ["street"], [], [moved, still, other], ["age"])],
        metrics=[Metric("tree", "f1", 0.5, 0.75), Metric("tree", "rows", 9, 9), Metric("bayes", "f1", None, 0.5)],
        tests=[
            RowTest("tree", 90, Difference("log_loss", 0.5, 0.25, -0.25, -0.5, -0.125, 0.0002, "x"), 0.0004, "better"),
            RowTest("tree", 90, Difference("accuracy", 0.5, 0.5, 0.0, 0.0, 0.0, 1.0, "x"), 1.0, "noise"),
        ],
    )
    made = {section.title: section for section in as_sections(found)}
    for section in made.values():
        assert {len(row) for row in section.rows} == {len(section.columns)}
    assert made["Code"].note == "Files: 2; lines added: 3, removed: 1."
    assert made["Code"].rows == [["a.py", "3", "1"], ["b.png", "binary", "binary"]]
    assert made["Parameters"].rows == [["lr", "0.1", "-"]]
    assert made["Stages"].rows == [["train", "lr 0.1 -> 0.2, rows"], ["test", "nothing: its outputs alone differ"]]
    data = made["Data: report.json"]
    assert (
        data.note == "rows 500 → 501; columns 4 → 3; gone: street; 1 of 3 columns drifted, beyond chance (5% over all)."
    )
    assert data.rows == [
        ["age", "number", "0.0%", "25.0%", "0.400 (Kolmogorov-Smirnov distance)", "< 0.001", "drifted"],
        ["city", "words → number", "10.0%", "0.0%", "-", "-", ""],
    ]
    assert made["Metrics"].rows == [["tree", "f1", "0.5", "0.75", "+0.25"], ["bayes", "f1", "-", "0.5", "-"]]
    assert made["Metrics"].note.endswith("1 of 3 are the same.")
    assert "for the 2 tests" in made["On the same test rows"].note
    assert made["On the same test rows"].rows == [
        ["tree", "90", "log_loss", "0.5", "0.25", "-0.25 [-0.5, -0.125]", "< 0.001", "better"],
        ["tree", "90", "accuracy", "0.5", "0.5", "0", "1.000", "the same"],
    ]


@pytest.mark.parametrize(("rows", "shown"), [(MOST_ROWS, MOST_ROWS), (MOST_ROWS + 2, MOST_ROWS + 1)])
def test_a_long_table_says_how_much_more_there_is(rows: int, shown: int) -> None:
    table = _table(Section("Code", "", ["file"], [["[a]"]] * rows))
    cells = list(table.columns[0].cells)
    assert len(cells) == shown
    assert cells[0] == "\\[a]"
    assert (cells[-1] == "and 2 more: `--json` has all") is (rows > MOST_ROWS)
