"""Whose interval a difference of two commits has."""

from pathlib import Path
from types import SimpleNamespace

import pytest

from labkit.compare.gather import RowTest
from labkit.figures.sources import NotHereError
from labkit.figures.values import paired_intervals
from labkit.pipeline.leaderboard import Leaderboard
from labkit.report.paired import Difference

pytestmark = pytest.mark.unittest


@pytest.fixture(autouse=True)
def compared(monkeypatch: pytest.MonkeyPatch) -> list[RowTest]:
    """What the comparison of two commits finds, of which `forest` is the selected model."""
    tests: list[RowTest] = []
    board = Leaderboard("train", Path("models.csv"), Path("best.json"))
    monkeypatch.setattr("labkit.site.here.take_copies", lambda commits: None)
    monkeypatch.setattr(
        "labkit.site.here.read_commit", lambda commit, folder: SimpleNamespace(read=commit, board=board)
    )
    monkeypatch.setattr("labkit.compare.gather.compared_model", lambda *sides: "forest")
    monkeypatch.setattr(
        "labkit.compare.gather.differences_of", lambda *sides: SimpleNamespace(tests=tests, unknown=["other rows"])
    )
    paired_intervals.cache_clear()
    return tests


def row_test(model: str, low: float, verdict: str) -> RowTest:
    return RowTest(model, 9, Difference("f1", 0.8, 0.9, 0.1, low, 0.2, 0.01, "bootstrap"), 0.01, verdict)


def test_a_difference_has_the_interval_of_the_selected_model_and_of_no_other(compared: list[RowTest]) -> None:
    compared += [row_test("forest", 0.05, "better"), row_test("tree", -0.3, "noise")]
    assert paired_intervals("a", "b") == {("best.json", ("test", "f1")): (0.05, 0.2, "better")}


def test_without_its_predictions_it_is_told_why_there_is_none(compared: list[RowTest]) -> None:
    compared += [row_test("tree", -0.3, "noise")]
    with pytest.raises(NotHereError, match="can't be compared here: other rows"):
        paired_intervals("a", "b")
