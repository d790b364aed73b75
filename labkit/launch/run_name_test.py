"""A run's name tells it from the last one."""

from pathlib import Path
from typing import Any

import pytest

from labkit.launch import run_name as module
from labkit.launch.run_name import changes, name_of_run, recorded_params
from labkit.process.errors import InputError

pytestmark = pytest.mark.unittest

BEFORE = {"training": {"lr": 0.1, "layers": [4], "tree": {"depth": 3, "kind": "a"}}}
ADDRESS = "postgresql://ada:hidden@host/birds"  # pragma: allowlist secret
LOCK = """\
schema: '2.0'
stages:
  other:
    cmd: python -m labkit.launch train_more
    params: {params.yaml: {training: {lr: 7}}}
  training_stage:
    cmd: python -m labkit.launch train
    params:
      params.yaml:
        training: {lr: 0.1, epochs: 3}
      labkit/launch/kernels.yaml: {format: 1}
"""


@pytest.mark.parametrize(
    ("before", "section", "told"),
    [
        (BEFORE, {}, []),
        (BEFORE, {"lr": 0.2}, ["lr=0.2"]),
        (BEFORE, {"tree": {"depth": 4, "kind": "a"}, "layers": [4, 2]}, ["layers=[4, 2]", "tree.depth=4"]),
        (BEFORE, {"new": None}, ["new=None"]),
        (BEFORE, {"lr": ADDRESS}, ["lr=postgresql://host/birds"]),
        (BEFORE, {"lr": 1, "layers": 1, "a": 1, "b": 1}, ["lr=1", "layers=1", "a=1", "..."]),
        ({}, {"lr": 0.2}, []),
        ({"training": BEFORE["training"] | {"lr": "1e-09"}}, {"lr": 1e-09}, []),
    ],
)
def test_what_differs_from_the_last_result_is_told(before: Any, section: Any, told: list[str]) -> None:
    assert changes(before, {"training": BEFORE["training"] | section}) == told


def test_the_last_result_is_that_of_dvc_lock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "ROOT", tmp_path)
    monkeypatch.setattr(module, "PROCESSES", tmp_path)
    (tmp_path / "train").mkdir()
    (tmp_path / "train/params.py").write_text("class Params(Strict):\n    training: Training\n", encoding="utf-8")
    params = tmp_path / "params.yaml"
    params.write_text("training: {lr: 0.1, epochs: 4}\nother: 1\n", encoding="utf-8")
    assert name_of_run("train") == "train"
    (tmp_path / "dvc.lock").write_text(LOCK, encoding="utf-8")
    assert name_of_run("train") == "train epochs=4"
    (tmp_path / "dvc.lock").write_text(LOCK.replace("epochs: 3", "epochs: 7:30"), encoding="utf-8")
    params.write_text("training: {lr: 0.1, epochs: '7:30'}", encoding="utf-8")
    assert name_of_run("train") == "train"
    params.write_text("training: 3: 4", encoding="utf-8")
    assert name_of_run("train") == "train"


def test_a_dvc_lock_that_would_hang_its_loader_is_not_loaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "ROOT", tmp_path)
    (tmp_path / "dvc.lock").write_text(f"{LOCK}  deep: {'[' * 200}{']' * 200}\n", encoding="utf-8")
    with pytest.raises(InputError, match=r"dvc\.lock is nested deeper"):
        recorded_params("train")
