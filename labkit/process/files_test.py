from pathlib import Path

import pytest

from labkit.process.files import read_json, replacing, write_json

pytestmark = pytest.mark.unittest


def test_a_new_file_takes_the_place_of_the_old_one(tmp_path: Path) -> None:
    (tmp_path / "result.txt").write_text("old")
    with replacing(tmp_path / "result.txt") as beside:
        beside.write_text("new")
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {"result.txt": "new"}


@pytest.mark.parametrize("old", [["results/old.txt"], []])
def test_a_new_folder_takes_the_place_of_the_old_one_if_any(old: list[str], tmp_path: Path) -> None:
    for name in old:
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).touch()
    with replacing(tmp_path / "results") as beside:
        beside.mkdir()
        (beside / "new.txt").touch()
    assert [path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*")] == ["results", "results/new.txt"]


@pytest.mark.parametrize("as_folder", [False, True])
def test_what_was_there_stays_when_writing_fails(as_folder: bool, tmp_path: Path) -> None:
    (tmp_path / "result").write_text("old")

    def write_and_fail() -> None:
        with replacing(tmp_path / "result") as beside:
            if as_folder:
                beside.mkdir()
                beside /= "part.txt"
            beside.write_text("half")
            raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        write_and_fail()
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {"result": "old"}


def test_the_folder_of_a_file_is_made(tmp_path: Path) -> None:
    with replacing(tmp_path / "new" / "folder" / "result.txt") as beside:
        beside.write_text("whole")
    assert (tmp_path / "new" / "folder" / "result.txt").read_text() == "whole"


def test_the_file_beside_has_the_suffix_that_writers_read_the_format_from(tmp_path: Path) -> None:
    with replacing(tmp_path / "plot.png") as beside:
        beside.touch()
        assert beside.suffix == ".png"


def test_the_order_of_keys_is_no_part_of_a_json_file(tmp_path: Path) -> None:
    write_json(tmp_path / "one.json", {"a": 1, "b": [1.5, "ü"]})
    write_json(tmp_path / "other.json", {"b": [1.5, "ü"], "a": 1})
    assert (tmp_path / "one.json").read_bytes() == (tmp_path / "other.json").read_bytes()
    assert (tmp_path / "one.json").read_text() == '{\n  "a": 1,\n  "b": [\n    1.5,\n    "\\u00fc"\n  ]\n}\n'


def test_json_is_read_as_it_was_written(tmp_path: Path) -> None:
    value = {"a": None, "b": [1, 2.5, "ü"], "c": {"d": True}}
    write_json(tmp_path / "value.json", value)
    assert read_json(tmp_path / "value.json") == value
