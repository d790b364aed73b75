"""The exact McNemar test, compared with its own formula, and what it is not asked for."""

from math import comb
from pathlib import Path

import pytest

from labkit.process.errors import InputError
from labkit.registry.comparison import Row, Rows, compare, read_predictions

pytestmark = pytest.mark.unittest


def rows(both: int, only_candidate: int, only_champion: int, neither: int = 0) -> tuple[Rows, Rows]:
    """Predictions of a candidate and a champion with so many rows of each kind."""
    right, wrong = Row("", "a", "a"), Row("", "a", "b")
    candidate = [right] * (both + only_candidate) + [wrong] * (only_champion + neither)
    champion = [right] * both + [wrong] * only_candidate + [right] * only_champion + [wrong] * neither
    return candidate, champion


@pytest.mark.parametrize(("better", "worse"), [(0, 0), (3, 3), (0, 5), (0, 6), (2, 12), (12, 2), (1, 1)])
def test_it_is_the_exact_test_of_the_rows_that_only_one_gets_right(better: int, worse: int) -> None:
    found = compare(*rows(20, better, worse, 3))
    tail = sum(comb(better + worse, k) for k in range(min(better, worse) + 1)) / 2 ** (better + worse)
    assert found[:3] == (23 + better + worse, better, worse)
    assert found.p == pytest.approx(min(1, 2 * tail))


@pytest.mark.parametrize(("better", "worse", "refused"), [(0, 5, False), (0, 6, True), (6, 0, False), (30, 30, False)])
def test_only_worse_beyond_noise_is_worse(better: int, worse: int, refused: bool) -> None:
    assert compare(*rows(20, better, worse)).worse is refused


def test_other_rows_are_no_comparison() -> None:
    with pytest.raises(InputError, match=r"^the test rows differ: 3 of the candidate, 4 of the champion$"):
        compare(rows(3, 0, 0)[0], rows(4, 0, 0)[0])
    with pytest.raises(InputError, match=r"^the test rows differ: 1 of 2 have another actual class$"):
        compare([Row("", "a", "a"), Row("", "b", "a")], [Row("", "a", "a"), Row("", "a", "a")])
    with pytest.raises(InputError, match=r"^the test rows differ: 1 of 2 are other rows of the table$"):
        compare([Row("1", "a", "a"), Row("2", "a", "a")], [Row("1", "a", "b"), Row("3", "a", "a")])
    assert compare([Row("1", "a", "a")], [Row("", "a", "a")]).rows == 1  # of before rows had numbers


@pytest.mark.parametrize(
    ("table", "told"),
    [
        (b"", "lacks rows, or the columns actual and predicted"),
        (b"actual,predicted\n", "lacks rows"),
        (b"actual,guess\na,b\n", "or the columns"),
        (b"actual,predicted\na\n", "or the columns"),
        (b"\xff", "is not CSV"),
        (b'actual,predicted\n"a"b,c\n', "is not CSV"),
    ],
)
def test_another_table_is_told(tmp_path: Path, table: bytes, told: str) -> None:
    (tmp_path / "p.csv").write_bytes(table)
    with pytest.raises(InputError, match=f"^p.csv of the candidate .*{told}"):
        read_predictions(tmp_path / "p.csv", "p.csv of the candidate")


def test_a_table_is_read(tmp_path: Path) -> None:
    (tmp_path / "p.csv").write_text("predicted,actual,p\nb,a,1\n")
    assert read_predictions(tmp_path / "p.csv", "p.csv") == [Row("", "a", "b")]
    (tmp_path / "p.csv").write_text("row,actual,predicted\n7,a,b\n")
    assert read_predictions(tmp_path / "p.csv", "p.csv") == [Row("7", "a", "b")]
