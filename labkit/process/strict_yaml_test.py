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


@pytest.mark.parametrize(("text", "line"), [("a: 1\na: 2\n", 2), ("- b: {a: 1, c: 1, a: 1}\n", 1)])
def test_a_key_that_stands_twice_is_refused(tmp_path: Path, text: str, line: int) -> None:
    (tmp_path / "file.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match=rf"file\.yaml is not YAML: line {line}: a is given twice"):
        load_yaml(tmp_path / "file.yaml")


def test_a_missing_file_and_text_that_is_no_utf8_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"file\.yaml is missing; restore it with `git checkout"):
        load_yaml(tmp_path / "file.yaml")
    (tmp_path / "file.yaml").write_bytes(b"name: caf\xe9\n")
    with pytest.raises(InputError, match="is not YAML: byte 10 is not UTF-8"):
        load_yaml(tmp_path / "file.yaml")
    with pytest.raises(InputError, match="can't be read: Is a directory"):
        load_yaml(tmp_path)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("a: 2024-02-31\n", "line 1: '2024-02-31' is not a valid timestamp"),
        ("a: 1\nb: !!int x\n", "line 2: 'x' is not a valid int"),
        ("a: !!timestamp x\n", "line 1: 'x' is not a valid timestamp"),
        ("a: !!bool x\n", "line 1: 'x' is not a valid bool"),
        ("a: !!float ''\n", "line 1: '' is not a valid float"),
        ("a: 1" + "0" * 4300, "line 1: '1000000000000000000000000000000000000.* is not a valid int"),
        ("a: 0x" + "f" * 5000, "line 1: '0xf.* is not a valid int"),
        ("a: !wine x\n", "could not determine a constructor for the tag '!wine'"),
        ("a: " + "[" * 51 + "]" * 51, "line 1: nested more than 50 deep"),
        ("[" * 50_000, "line 1: nested more than 50 deep"),
        ("a: &a [*a]\n", r"line 1: \*a contains itself"),
        ("a: &a [1]\nb: &b [*a, *c]\n", "found undefined alias 'c'"),
        (
            "\n".join(["a0: &a0 [1]"] + [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 9)]),
            "10000 values",
        ),
        ("".join(f"k{n}: {n}\n" for n in range(6000)), "more than 10000 values"),
        ("a: " + "x" * 100_000, "larger than 100 kB"),
        ("a: \x00\n", "special characters are not allowed"),
        ("data: {source: https://me:S3CRET@host", "line 1: while parsing a flow mapping"),  # pragma: allowlist secret
    ],
    ids=lambda value: value[:20],
)
def test_what_can_not_be_made_is_refused_in_few_words(tmp_path: Path, text: str, told: str) -> None:
    (tmp_path / "file.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match=told) as refused:
        load_yaml(tmp_path / "file.yaml")
    assert len(str(refused.value).replace(str(tmp_path), "")) < 200
    assert "S3CRET" not in str(refused.value)


def test_aliases_within_reason_are_read(tmp_path: Path) -> None:
    (tmp_path / "file.yaml").write_text("a: &a {lr: 1e-3, b: [1]}\nc: {<<: *a, b: *a}\n", encoding="utf-8")
    assert load_yaml(tmp_path / "file.yaml")["c"] == {"lr": 0.001, "b": {"lr": 0.001, "b": [1]}}
