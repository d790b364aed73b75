"""YAML that PyYAML by itself would take for something else."""

from pathlib import Path

import pytest

from labkit.process.errors import InputError
from labkit.process.strict_yaml import load_yaml

pytestmark = pytest.mark.unittest


@pytest.mark.parametrize(("text", "value"), [("1e-3", 0.001), ("-2E+5", -2e5), ("1.0e-3", 0.001), ("'1e-3'", "1e-3")])
def test_numbers_are_read_as_dvc_reads_them(tmp_path: Path, text: str, value: float | str) -> None:
    (tmp_path / "file.yaml").write_text(f"- lr: {text}\n", encoding="utf-8")
    assert load_yaml(tmp_path / "file.yaml") == [{"lr": value}]


@pytest.mark.parametrize(
    ("text", "place"),
    [("a: 1\na: 2\n", "line 2, column 1"), ("- b: {a: 1, c: 1, a: 1}\n", "line 1, column 19")],
)
def test_a_key_that_stands_twice_is_refused(tmp_path: Path, text: str, place: str) -> None:
    (tmp_path / "file.yaml").write_text(text, encoding="utf-8")
    words = r"file\.yaml is no YAML: a stands here for the second time; keep one in .*, "
    with pytest.raises(InputError, match=f"{words}{place}$"):
        load_yaml(tmp_path / "file.yaml")


def test_a_missing_file_and_text_that_is_no_utf8_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"file\.yaml is missing; restore it with `git checkout"):
        load_yaml(tmp_path / "file.yaml")
    (tmp_path / "file.yaml").write_bytes(b"name: caf\xe9\n")
    with pytest.raises(InputError, match="is no YAML"):
        load_yaml(tmp_path / "file.yaml")
