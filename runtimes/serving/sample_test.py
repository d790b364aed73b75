"""The last rows that a server answered, in a file."""

from pathlib import Path

import pandas as pd
import pytest

from labkit.process.errors import InputError
from runtimes.serving import sample
from runtimes.serving.sample import Sample

pytestmark = pytest.mark.unittest


def test_it_has_the_last_rows_of_the_model_s_columns_and_goes_on_after_a_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sample, "MOST_ROWS", 5)
    file = tmp_path / "served.csv"
    kept = Sample(file, ["age", "city"])
    for age in range(8):
        kept.keep(pd.DataFrame({"age": [age], "secret": ["x"]}))
    assert not file.exists()  # not yet due
    kept.write()
    assert [*pd.read_csv(file)["age"]] == [3, 4, 5, 6, 7]
    assert [*pd.read_csv(file).columns] == ["age", "city"]
    assert file.stat().st_mode & 0o777 == 0o600
    again = Sample(file, ["age", "city"], seconds=0)
    again.keep(pd.DataFrame({"age": [8, 9]}))
    assert [*pd.read_csv(file)["age"]] == [5, 6, 7, 8, 9]
    assert [path.name for path in tmp_path.iterdir()] == ["served.csv"]


@pytest.mark.parametrize(
    "content", [b"", b"\xff", b"age,city,target\n1,Bonn,x\n", b"age,city\n" + b"1,Bonn\n" * 10_001]
)
def test_a_file_of_something_else_is_not_replaced(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "mine.csv"
    file.write_bytes(content)
    with pytest.raises(InputError, match="is no sample of this model's rows, and would be replaced"):
        Sample(file, ["age", "city"])
    assert file.read_bytes() == content


def test_a_file_that_can_not_be_written_holds_no_answer_back(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").touch()
    Sample(tmp_path / "file" / "served.csv", ["age"], seconds=0).keep(pd.DataFrame({"age": [1]}))
    assert "served.csv is not written: " in capsys.readouterr().err
