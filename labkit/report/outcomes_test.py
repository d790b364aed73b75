"""What became of each stage, in small DVC projects with the journals that their processes would have left."""

import re
from pathlib import Path

import pytest
from dvc.exceptions import ReproductionError
from dvc.repo import Repo

from labkit.process.errors import InputError
from labkit.report.outcomes import StageReport, newest_execution, stage_reports
from labkit.tracking.journal import TrackedRun, remember

pytestmark = pytest.mark.integration

# The names are against the alphabet, and the last stage comes first: the order is the pipeline's, then the file's.
DVC_YAML = """
stages:
  say:
    cmd: cp a said
    deps: [a]
    outs: [said]
  x_prepare:
    cmd: true labkit.launch x_prepare && cp raw x
    deps: [raw]
    outs: [x]
  train_b:
    cmd: true labkit.launch train_b && cp x b
    deps: [x]
    params: [b]
    outs: [b]
  train_a:
    cmd: true labkit.launch train_a && cp x a
    deps: [x]
    outs: [a]
"""
ORDER = ["x_prepare", "train_b", "train_a", "say"]


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A project that has run, in the working folder."""
    monkeypatch.chdir(tmp_path)
    Repo.init(".", no_scm=True).close()
    Path("dvc.yaml").write_text(DVC_YAML)
    Path("params.yaml").write_text("b: 1")
    Path("raw").write_text("raw")
    Path("journals").mkdir()
    reproduce()


def reproduce() -> None:
    with Repo() as repo:
        repo.reproduce(on_error="keep-going")


def ran(stage: str, execution: str = "c1", status: str = "FINISHED", seconds: float = 1.0) -> None:
    remember(
        Path("journals"),
        TrackedRun(stage, execution, f"{stage}-{execution}-{status}", f"http://{stage}", status, seconds),
    )


def outcomes(execution: str = "c1") -> dict[str, str]:
    return {report.stage: report.outcome for report in stage_reports(execution, Path("journals"))}


def test_reports_come_in_the_order_of_the_pipeline_with_seconds_and_page() -> None:
    ran("train_a", seconds=840.0)
    ran("train_b", execution="another")
    reports = stage_reports("c1", Path("journals"))
    assert [report.stage for report in reports] == ORDER
    assert reports[2] == StageReport("train_a", "ran", 840.0, "http://train_a")
    assert reports[1] == StageReport("train_b", "from cache", None, "")


def test_a_stage_that_failed_and_those_after_it_are_not_done() -> None:
    Path("dvc.yaml").write_text(DVC_YAML.replace("cp x a", "false"))
    with pytest.raises(ReproductionError):
        reproduce()
    run = TrackedRun("train_a", "c1", "r", "http://u", "FAILED", 1.0, reason="ValueError: boom")
    remember(Path("journals"), run)
    assert outcomes() == {"x_prepare": "from cache", "train_b": "from cache", "train_a": "failed", "say": "not run"}
    assert [report.reason for report in stage_reports("c1", Path("journals"))] == ["", "", "ValueError: boom", ""]


def test_a_process_that_finished_though_dvc_kept_nothing_of_it_is_told_with_the_room_there_is() -> None:
    Path("dvc.yaml").write_text(DVC_YAML.replace("cp x a", "cp x a; echo 1 >> a"))
    ran("train_a")
    reason = next(report.reason for report in stage_reports("c1", Path("journals")) if report.stage == "train_a")
    assert re.fullmatch(r"its process finished, but DVC did not record .* \(\d+\.\d GiB free for its cache\)", reason)


def test_what_stands_on_a_failed_stage_is_not_current_though_its_own_record_is() -> None:
    Path("dvc.yaml").write_text(DVC_YAML.replace("cp raw x", "false"))
    with pytest.raises(ReproductionError):
        reproduce()
    ran("x_prepare", status="FAILED")
    assert outcomes() == {"x_prepare": "failed", "train_b": "not run", "train_a": "not run", "say": "not run"}


def test_a_process_that_failed_first_and_then_ran_is_told_by_its_good_run() -> None:
    ran("train_a", status="FAILED", seconds=5.0)
    ran("train_a", status="FINISHED", seconds=8.0)
    ran("train_b", status="FINISHED", seconds=9.0)
    ran("train_b", status="KILLED", seconds=4.0)
    reports = {report.stage: report for report in stage_reports("c1", Path("journals"))}
    assert [(reports[name].outcome, reports[name].seconds) for name in ("train_a", "train_b")] == [
        ("ran", 8.0),
        ("ran", 9.0),
    ]


def test_without_dvc_lock_nothing_is_current() -> None:
    Path("dvc.lock").unlink()
    assert set(outcomes().values()) == {"not run"}
    ran("x_prepare")
    assert outcomes()["x_prepare"] == "failed"


def test_outputs_that_are_not_here_are_not_current_and_none_is_fetched() -> None:
    Path("b").unlink()
    assert outcomes()["train_b"] == "not run"
    assert not Path("b").exists()


def test_a_stage_that_always_runs_is_done_when_its_outputs_are_here() -> None:
    Path("dvc.yaml").write_text(DVC_YAML.replace("outs: [x]", "outs: [x]\n    always_changed: true"))
    reproduce()
    ran("x_prepare")
    assert outcomes()["x_prepare"] == "ran"


def test_the_newest_execution_is_that_of_the_last_run() -> None:
    assert newest_execution(Path("journals")) == ""
    ran("train_a", execution="c1")
    ran("train_a", execution="c2")
    assert newest_execution(Path("journals")) == "c2"


def test_a_broken_dvc_yaml_is_bad_input() -> None:
    Path("dvc.yaml").write_text("stages: {a: {cmd: x, out: [y]}}")
    with pytest.raises(InputError, match=r"dvc\.yaml.*out"):
        stage_reports("c1")


def test_a_folder_that_is_no_dvc_project_is_bad_input() -> None:
    Path(".dvc").rename("dvc")
    with pytest.raises(InputError, match="not inside of a DVC repository"):
        stage_reports("c1")
