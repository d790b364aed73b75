"""What a process tells as an output of its stage: the same bytes each time."""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from labkit.launch.stage import tell_run_file
from labkit.process import run_file
from labkit.process.run_file import RUN_FILE_VARIABLE, write_run_file
from labkit.process.tracking import Run, md5_of

pytestmark = pytest.mark.unittest

STAGES = """
stages:
  train:
    cmd: train
    outs: [out/model, {out/run.json: {cache: true}}]
  each:
    foreach: [a, b]
    do:
      cmd: each
      wdir: below
      outs: ["${item}/run.json"]
  silent:
    cmd: silent
    outs: [out/a.json]
"""


def content(run: Run) -> dict[str, Any]:
    return dict(json.loads(json.dumps(run.told.content())))


def test_what_is_told_is_kept_but_for_what_is_another_each_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_file, "ROOT", tmp_path)
    monkeypatch.chdir(tmp_path)
    Path("models").mkdir()
    Path("models/a.bin").write_bytes(b"a")
    run = Run(None)
    run.log_params({"lr": 0.1, "tree": {"depth": 2}})
    run.log_params({"url": "https://me:word@host/x"})  # pragma: allowlist secret
    for step in (1, 2, 2):
        run.log_metrics({"loss": 1 / step}, step)
        run.log_timings({"seconds": os.times().elapsed}, step)
    run.set_tags({"purpose": "test"})
    run.log_input("table", "0" * 32, 3)
    run.log_artifact("models")
    with run.nested("a") as child, child.nested("b") as grandchild:
        grandchild.log_metrics({"f1": 1})
    with pytest.raises(ValueError, match="broken"), run.nested("c"):
        raise ValueError("broken")
    assert content(run) == {
        "params": {"lr": "0.1", "tree.depth": "2", "url": "https://host/x"},
        "metrics": {"loss": [[1, 1.0], [2, 0.5], [2, 0.5]]},
        "tags": {"purpose": "test"},
        "inputs": [{"name": "table", "md5": "0" * 32, "rows": 3}],
        "artifacts": {"models/a.bin": {"path": "models/a.bin", "md5": md5_of(Path("models/a.bin")), "size": 1}},
        "nested": [
            {"name": "a", "nested": [{"name": "b", "metrics": {"f1": [[0, 1.0]]}}]},
            {"name": "c", "failed": True},
        ],
    }


def test_a_file_from_elsewhere_or_to_elsewhere_is_kept_by_nobody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "lab").mkdir()
    monkeypatch.setattr(run_file, "ROOT", tmp_path / "lab")
    monkeypatch.chdir(tmp_path / "lab")
    for place in ("a", "lab/b"):
        (tmp_path / place).write_text("a")
    run = Run(None)
    run.log_artifact(tmp_path / "a")
    run.log_artifact("../a")
    run.log_artifact("b", "../elsewhere")
    run.log_artifact("b", "/elsewhere")
    assert content(run) == {}
    run.log_artifact("../lab/b")
    assert content(run)["artifacts"]["b"]["path"] == "b"


@pytest.mark.parametrize(
    ("stage", "place"),
    [("train", "out/run.json"), ("each@a", "below/a/run.json"), ("silent", None), ("another", None), ("", None)],
)
def test_it_is_written_where_the_stage_has_it_among_its_outputs(
    stage: str, place: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "dvc.yaml").write_text(STAGES)
    monkeypatch.setenv("DVC_STAGE", stage)
    monkeypatch.delenv(RUN_FILE_VARIABLE, raising=False)
    told = tell_run_file(tmp_path)
    assert told == ({RUN_FILE_VARIABLE: str(tmp_path / place)} if place else {})
    for name, value in told.items():
        monkeypatch.setenv(name, value)
    write_run_file(Run(None).told)
    assert [path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("run.json")] == ([place] if place else [])
