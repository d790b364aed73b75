"""What a process tells as an output of its stage: the same bytes each time."""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from labkit.process import run_file
from labkit.process.files import read_json
from labkit.process.run_file import RUN_FILE_VARIABLE
from labkit.process.tracking import Run, md5_of, run_process

pytestmark = pytest.mark.unittest


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
    run.set_tags({"purpose": "https://me:word@host/x"})  # pragma: allowlist secret
    run.log_input("table", "0" * 32, 3)
    run.log_artifact("models")
    with run.nested("a") as child, child.nested("b") as grandchild:
        grandchild.log_metrics({"f1": 1})
    with pytest.raises(ValueError, match="broken"), run.nested("c"):
        raise ValueError("broken")
    assert content(run) == {
        "params": {"lr": "0.1", "tree.depth": "2", "url": "https://host/x"},
        "metrics": {"loss": [[1, 1.0], [2, 0.5], [2, 0.5]]},
        "tags": {"purpose": "https://host/x"},
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


def test_the_order_is_of_no_thread() -> None:
    """Both ways to come first, of two threads that tell the same run."""

    def told(order: list[str]) -> dict[str, Any]:
        run = Run(None)
        for name in order:
            with run.nested("fold") as fold, run.nested(name):
                fold.log_params({"left out": name})
            run.log_input("table", name * 32, 3)
            run.log_metrics({"loss": float(name)}, step=int(name))
        return content(run)

    assert told(["2", "1"]) == told(["1", "2"])
    assert [one["name"] for one in told(["2", "1"])["nested"]] == ["1", "2", "fold", "fold"]


@pytest.mark.parametrize("place", ["out/run.json", ""])
def test_it_is_written_where_it_belongs_once_the_process_has_ended_well(
    place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    inherited: list[str | None] = []

    def tell(run: Run) -> None:
        inherited.append(os.environ.get(RUN_FILE_VARIABLE))
        run.set_tags({"a": "b"})

    def break_off(run: Run) -> None:
        tell(run)
        raise ValueError("broken")

    monkeypatch.setenv(RUN_FILE_VARIABLE, place)
    with pytest.raises(SystemExit):
        run_process(break_off)
    assert not Path("out").exists()
    monkeypatch.setenv(RUN_FILE_VARIABLE, place)
    run_process(tell)
    assert [read_json(file) for file in tmp_path.rglob("*.json")] == ([{"tags": {"a": "b"}}] if place else [])
    assert inherited == [None, None]  # else a process that this one starts would write there too
