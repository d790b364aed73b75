"""Tables of test rows are read as they are, and refused where they are others."""

from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import log_loss

from labkit.process.errors import InputError
from labkit.report import predictions
from labkit.report.predictions import Paired, Predictions, read_paired

pytestmark = pytest.mark.unittest


def read(folder: Path, one: str | bytes, other: str | bytes) -> Paired:
    sides = []
    for name, table in (("A", one), ("B", other)):
        (folder / name).write_bytes(table.encode() if isinstance(table, str) else table)
        sides.append(Predictions(folder / name, f"p.csv of {name}", name))
    return read_paired(*sides)


def test_classes_are_right_or_wrong(tmp_path: Path) -> None:
    found = read(tmp_path, "predicted,actual,p\nb,a,1\na,a,1\n", "actual,predicted\na,a\na,a\n")
    assert found.rows == 2
    assert {name: of.tolist() for name, of in found.costs.items()} == {"accuracy": [[0, 1], [1, 1]]}


@pytest.mark.parametrize(
    "table", ["0,1\n1,1\n2,1\n", "01,1\n1,1\n", "1.5,a\n1,1\n", "NaN,1.5\n1,1\n", "inf,1\n1,1.5\n"]
)
def test_what_is_whole_or_no_number_is_a_class(tmp_path: Path, table: str) -> None:
    text = f"actual,predicted\n{table}"
    assert list(read(tmp_path, text, text).costs) == ["accuracy"]


@pytest.mark.parametrize("at_once", [24, 4_000_000])
def test_numbers_have_errors(tmp_path: Path, at_once: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(predictions, "BYTES", at_once)
    found = read(tmp_path, "actual,predicted\n1,2\n2,4\n3,-3\n", "actual,predicted\n1,1\n2,2\n3,2.5\n")
    assert {name: of.tolist() for name, of in found.costs.items()} == {
        "mae": [[1, 2, 6], [0, 0, 0.5]],
        "rmse": [[1, 4, 36], [0, 0, 0.25]],
    }


def test_probabilities_have_the_log_loss_of_scikit_learn(tmp_path: Path) -> None:
    head = "row,actual,predicted,probability_x,probability_y,probability_z\n"
    one = f"{head}1,x,x,0.5,0.25,0.25\n2,z,x,0.9,0.1,0.0\n3,y,y,0.1,0.8,0.1\n"
    other = f"{head}1,x,x,1.0,0.0,0.0\n2,z,z,0.2,0.2,1.6\n3,y,z,0.2,0.2,0.6\n"
    found = read(tmp_path, one, other)
    assert found.costs["accuracy"].tolist() == [[1, 0, 1], [1, 1, 0]]
    told = [[[0.5, 0.25, 0.25], [0.9, 0.1, 0.0], [0.1, 0.8, 0.1]], [[1, 0, 0], [0.1, 0.1, 0.8], [0.2, 0.2, 0.6]]]
    wanted = [log_loss(["x", "z", "y"], np.array(side), labels=["x", "y", "z"]) for side in told]
    assert found.costs["log_loss"].mean(axis=1).tolist() == pytest.approx(wanted)


def test_a_class_without_a_probability_has_no_log_loss(tmp_path: Path) -> None:
    told = "actual,predicted,probability_x\nx,x,1.0\n"
    assert list(read(tmp_path, told, told).costs) == ["accuracy", "log_loss"]
    assert list(read(tmp_path, told, "actual,predicted\nx,x\n").costs) == ["accuracy"]
    assert list(read(tmp_path, told.replace("x", "1.5"), told.replace("x", "1.5")).costs) == ["accuracy", "log_loss"]
    told += "y,x,1.0\n"
    assert list(read(tmp_path, told, told).costs) == ["accuracy"]


@pytest.mark.parametrize(
    ("one", "other", "told"),
    [
        ("actual,predicted\na,a\n", "actual,predicted\na,a\na,b\n", "1 of A, 2 of B"),
        ("actual,predicted\na,a\nb,a\n", "actual,predicted\na,a\na,b\n", "1 of 2 have another actual value"),
        ("row,actual,predicted\n1,a,a\n2,a,a\n", "row,actual,predicted\n1,a,b\n3,a,a\n", "1 of 2 are other rows"),
    ],
)
def test_other_rows_are_no_comparison(tmp_path: Path, one: str, other: str, told: str) -> None:
    with pytest.raises(InputError, match=f"^the test rows differ: {told}"):
        read(tmp_path, one, other)
    assert read(tmp_path, one, one).rows > 0
    assert read(tmp_path, one.replace("row", "number"), one).rows > 0  # of before rows had numbers


@pytest.mark.parametrize(
    ("table", "told"),
    [
        (b"", "is not CSV: Empty"),
        (b"actual,predicted\n", "lacks rows"),
        (b"actual,guess\na,b\n", "lacks rows, or the columns actual and predicted"),
        (b"actual,predicted\na\n", "is not CSV: .* Expected 2 columns, got 1"),
        (b"actual,predicted\na,b,c,d\n", "is not CSV"),
        (b"actual,predicted\na,b\na,b,c\n", "is not CSV"),
        (b"\xff", "is not CSV"),
        (b"actual,predicted,probability_a\na,a,sure\n", "is not CSV"),
        (b'actual,predicted\n"a,c\n', "is not CSV"),
    ],
)
def test_another_table_is_told(tmp_path: Path, table: bytes, told: str) -> None:
    with pytest.raises(InputError, match=f"^p.csv of B .*{told}"):
        read(tmp_path, "actual,predicted\na,a\n", table)
