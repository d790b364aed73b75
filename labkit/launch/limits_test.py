"""Limits as they stand in dvc.yaml; launcher_test.py has one strike."""

from pathlib import Path

import pytest

from labkit.launch import limits
from labkit.process.errors import InputError

pytestmark = pytest.mark.unittest


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(limits, "ROOT", tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("text", "seconds"), [("90s", 90), ("1.5m", 90), ("6h", 6 * 3600), ("2d", 2 * 86400), ("0.5s", 0.5)]
)
def test_a_limit_is_a_number_and_a_unit(text: str, seconds: float) -> None:
    assert limits.parse_limit("train", text) == ("train", text, seconds)


@pytest.mark.parametrize("text", ["", "6", "0h", "-6h", "6 h", "6 hours", "1e9h", "nan", "infs", "${limit}", "[6h]"])
def test_what_is_no_time_is_refused_by_its_place(text: str) -> None:
    with pytest.raises(InputError) as refused:
        limits.parse_limit("train", text)
    assert str(refused.value).startswith(f"dvc.yaml: stages.train.meta.limit: {text!r} is not a time; write a number")


def test_each_stage_has_its_own(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert limits.read_limits() == {}
    (folder / "dvc.yaml").write_text(
        "stages:\n"
        "  a: {cmd: a, meta: {limit: 6h, other: 1}}\n"
        "  b: {cmd: b}\n"
        "  c: {foreach: [1, 2], do: {cmd: c, meta: {limit: 9m}}}\n"
        "  d: {cmd: d, meta: {limit: }}\n"
        "  e: \n"
    )
    assert {name: limit.text for name, limit in limits.read_limits().items()} == {"a": "6h", "c": "9m"}
    for variable, text in {"a": "6h", "b": None, "c@1": "9m", "": None}.items():
        monkeypatch.setenv("DVC_STAGE", variable)
        limit = limits.limit_here()
        assert (limit and limit.text) == text


@pytest.mark.parametrize("wrong", ["a: {meta: {limit: 0}}", "a: {meta: {limit: 6}}", "a: {meta: {limit: {h: 6}}}"])
def test_a_wrong_limit_is_told_before_anything_runs(folder: Path, wrong: str) -> None:
    (folder / "dvc.yaml").write_text(f"stages:\n  {wrong}\n")
    with pytest.raises(InputError, match=r"stages\.a\.meta\.limit"):
        limits.read_limits()


@pytest.mark.parametrize("content", ["limit", "stages: limit", "stages: {a: limit}", "stages: {a: {meta: limit}}"])
def test_what_else_is_wrong_in_dvc_yaml_is_left_to_dvc(folder: Path, content: str) -> None:
    (folder / "dvc.yaml").write_text(content)
    assert limits.read_limits() == {}
