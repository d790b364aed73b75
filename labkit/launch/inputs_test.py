"""What a stage reads must be at its end what it was when its process began."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from labkit.launch.inputs import note_inputs
from labkit.process.errors import InputError
from labkit.process.inputs import INPUTS_VARIABLE, refuse_edits

pytestmark = pytest.mark.integration

DVC_YAML = """
stages:
  train:
    cmd: python -m labkit.launch train
    deps: [code, data, one.csv, {absent: {}}]
    params: [training, data.source, labkit.unknown, {kernels.yaml: }, {other.yaml: [a, b.c]}]
"""
PARAMS = "training:\n  lr: 0.1\n  epochs: 3\ndata:\n  source: here\n  target: y\n"


@pytest.fixture
def begin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Begin a stage in a small DVC repository."""
    (tmp_path / ".dvc").mkdir()
    (tmp_path / ".dvc" / "config").write_text("[core]\n    no_scm = true\n")
    (tmp_path / ".dvcignore").write_text("*_test.py\n")
    for folder in ("code/inner", "code/__pycache__", "data"):
        (tmp_path / folder).mkdir(parents=True)
    for file in ("code/main.py", "code/main_test.py", "code/inner/topic.py", "data/rows.csv", "one.csv"):
        (tmp_path / file).write_text("as it was\n")
    (tmp_path / "dvc.yaml").write_text(DVC_YAML)
    (tmp_path / "params.yaml").write_text(PARAMS)
    (tmp_path / "kernels.yaml").write_text("format: 1\n")
    (tmp_path / "other.yaml").write_text("a: 1\nb: {c: 2, d: 3}\n")
    monkeypatch.chdir(tmp_path)

    def begin() -> None:
        monkeypatch.setenv("DVC_STAGE", "train")
        for name, value in note_inputs(tmp_path / "note", tmp_path).items():
            monkeypatch.setenv(name, value)

    return begin


@pytest.mark.parametrize(
    ("file", "text", "told"),
    [
        ("code/main.py", "edited\n", "code/main.py"),
        ("code/new.py", "print()\n", "code/new.py"),
        ("code/inner/topic.py", None, "code/inner/topic.py"),
        ("data/rows.csv", "other\n", "data/rows.csv"),
        ("one.csv", None, "one.csv"),
        ("absent", "now\n", "absent"),
        ("params.yaml", PARAMS.replace("0.1", "0.2"), "params.yaml: training"),
        ("params.yaml", PARAMS.replace("here", "there"), "params.yaml: data.source"),
        ("params.yaml", "training: [\n", "params.yaml"),
        ("kernels.yaml", "format: 2\n", "kernels.yaml"),
        ("other.yaml", "a: 1\nb: {c: 4, d: 3}\n", "other.yaml: b.c"),
    ],
)
def test_what_was_edited_meanwhile_is_named(begin: Callable[[], None], file: str, text: str | None, told: str) -> None:
    begin()
    Path(file).write_text(text) if text else Path(file).unlink()
    with pytest.raises(InputError, match=f"edited while it ran: .*{told}.*dvc commit --force train") as refused:
        refuse_edits()
    assert "there" not in str(refused.value).replace(told, "")  # no value, which may be a secret


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("code/main_test.py", "edited, and left out by .dvcignore\n"),
        ("code/new_test.py", "new, and left out\n"),
        ("code/__pycache__/main.pyc", "compiled"),
        ("params.yaml", "# a reason\n" + PARAMS.replace("target: y", "target: z")),
        ("other.yaml", "b: {c: 2, d: 4}\na: 1\n"),
        ("else.txt", "what the stage does not read"),
    ],
)
def test_what_the_stage_does_not_read_may_be_edited(begin: Callable[[], None], file: str, text: str) -> None:
    begin()
    Path(file).write_text(text)
    refuse_edits()


def test_code_that_is_the_same_again_was_not_edited(begin: Callable[[], None]) -> None:
    begin()
    shutil.copy("code/main.py", "main.py.other")
    Path("code/main.py").write_text("of another branch\n")
    Path("main.py.other").replace("code/main.py")
    os.utime("code/main.py", (1, 1))
    refuse_edits()


def test_many_edits_are_counted(begin: Callable[[], None]) -> None:
    begin()
    for number in range(8):
        Path(f"data/{number}.csv").write_text("new\n")
    with pytest.raises(InputError, match=r"data/4\.csv and 3 more"):
        refuse_edits()


def test_a_process_that_dvc_did_not_start_is_not_compared(
    begin: Callable[[], None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for stage in ("", "of_another_dvc_yaml"):
        monkeypatch.setenv("DVC_STAGE", stage)
        assert note_inputs(tmp_path / "note", tmp_path) == {}
    assert not (tmp_path / "note").exists()
    monkeypatch.delenv(INPUTS_VARIABLE, raising=False)
    refuse_edits()
