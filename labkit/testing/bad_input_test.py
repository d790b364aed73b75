"""Nearly right params.yaml, goals.yaml, dvc.yaml and dvc.lock are read, or refused in few words, and never changed."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from labkit import setup
from labkit.goals import read_goals, verdicts
from labkit.launch import kernels
from labkit.paths import ROOT
from labkit.pipeline.changes import changed_records
from labkit.pipeline.dependencies import declared_stages, stage_faults, stage_inputs, stage_outputs
from labkit.pipeline.forged import is_of_lines
from labkit.pipeline.leaderboard import read_leaderboard
from labkit.pipeline.records import merge_records, read_records, write_records
from labkit.process.params import CommonParams, read_params
from labkit.testing.damage import damaged_values, damaged_yaml, for_all, refusal, snapshot

pytestmark = pytest.mark.unittest

# How many examples: the same ones each time, and at night other ones each time.
counts = pytest.mark.parametrize("count", [100, pytest.param(2000, marks=pytest.mark.nightly)])


@pytest.fixture(autouse=True)
def lab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with this lab's four files, which is the working folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(kernels, "ROOT", tmp_path)
    Path("goals").mkdir()
    for name in ("params.yaml", "goals/goals.yaml", "dvc.yaml", "dvc.lock"):
        Path(name).write_bytes((ROOT / name).read_bytes())
    return tmp_path


def check_all(path: Path, count: int, read: Callable[[], object]) -> None:
    """Read damaged versions of a file: some are taken, most are refused, and none is changed."""
    told: list[str] = []

    def check(content: bytes) -> None:
        path.write_bytes(content)
        before = snapshot(Path())
        told.append(refusal(read, names=str(path)))
        assert snapshot(Path()) == before

    for_all(damaged_yaml(path.read_text(encoding="utf-8")), count, check, explore=count > 1000)
    assert len(told) / 10 < sum(map(bool, told)) < len(told)


@counts
def test_damaged_parameters_are_read_or_refused(count: int) -> None:
    check_all(Path("params.yaml"), count, lambda: read_params(CommonParams))


@counts
def test_a_name_is_written_into_damaged_parameters_or_refused(count: int) -> None:
    path = Path("params.yaml")

    def write() -> None:
        text = setup.named_params(path, "another")
        assert yaml.safe_load(text)["project"]["name"] == "another"

    check_all(path, count, write)


@counts
def test_damaged_goals_are_judged_or_refused(count: int) -> None:
    check_all(Path("goals/goals.yaml"), count, lambda: (read_goals(), verdicts()))


@counts
def test_goals_are_judged_by_damaged_metrics_or_not_at_all(count: int) -> None:
    metrics = Path("artifacts/best_model/metrics.json")
    metrics.parent.mkdir(parents=True)
    names = [goal.metric.removeprefix("test.") for goal in read_goals()]

    def check(content: object) -> None:
        metrics.write_text(json.dumps(content, default=str, skipkeys=True), encoding="utf-8")
        assert not refusal(verdicts, names="")

    for_all(damaged_values({"selected": "a", "test": dict.fromkeys(names, 0.9)}), count, check)


@counts
def test_a_damaged_pipeline_is_read_or_refused(count: int) -> None:
    def read() -> None:
        for name, stage in declared_stages().items():
            assert all(isinstance(path, str) for path in stage_inputs(stage))
            assert all(isinstance(path, Path) for path in stage_outputs(stage))
            assert all(isinstance(fault, str) for fault in stage_faults(Path(), "none", name, stage))
        read_leaderboard()

    check_all(Path("dvc.yaml"), count, read)


@counts
def test_a_damaged_record_is_merged_or_refused(count: int) -> None:
    stage, record = next(iter(read_records(Path("dvc.lock").read_bytes()).items()))
    good = {stage: record}
    Path("dvc.lock").write_text(write_records(good), encoding="utf-8")

    def read() -> None:
        found = read_records(Path("dvc.lock").read_bytes())
        assert read_records(write_records(merge_records({}, found, good))).keys() >= found.keys()
        changed_records(good, found)
        changed_records(found, good)
        for stage in good.keys() & found.keys():
            is_of_lines(found[stage], [good[stage]])

    check_all(Path("dvc.lock"), count, read)
