"""Warnings are found where dvc.yaml says, and what is wrong with that is told."""

from pathlib import Path

import pytest

from labkit.pipeline.warnings import read_warnings
from labkit.process.errors import InputError

pytestmark = pytest.mark.unittest


@pytest.fixture(autouse=True)
def lab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("dvc.yaml").write_text(
        "stages: {a: {cmd: x, outs: [out], meta: {warnings: out/report.json}}, b: {cmd: y, meta: {mine: 1}}}"
    )
    Path("out").mkdir()


def test_they_are_those_of_the_files_that_are_here_and_wanted() -> None:
    assert read_warnings() == []
    Path("out/report.json").write_text('{"warnings": ["few rows", "a twin"]}')
    assert read_warnings() == ["few rows", "a twin"]
    assert read_warnings(["out"]) == []


@pytest.mark.parametrize("content", ["[]", "{}", '{"warnings": "one"}', "{"])
def test_a_file_without_them_is_refused(content: str) -> None:
    Path("out/report.json").write_text(content)
    with pytest.raises(InputError, match=r"dvc.yaml: stages.a.meta.warnings: out/report.json"):
        read_warnings()


def test_a_file_that_the_stage_does_not_write_is_refused() -> None:
    Path("dvc.yaml").write_text("stages: {a: {cmd: x, outs: [out], meta: {warnings: other.json}}}")
    with pytest.raises(InputError, match=r"stages.a.meta.warnings is 'other.json', which a does not write"):
        read_warnings()
