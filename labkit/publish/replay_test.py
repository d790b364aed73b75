"""What a run that is made again from files has of its execution and its environment."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from labkit.process.tracking import md5_of
from labkit.publish import replay
from labkit.publish.kept import Kept
from labkit.publish.occurrences import Commit, Result
from labkit.publish.run_data import RunData

pytestmark = pytest.mark.unittest
NOTHING: Any = SimpleNamespace(deps={}, outs={})


def result(params: dict[str, Any], commits: list[Commit]) -> Result:
    record = {"cmd": "python -m labkit.launch train", "params": {"params.yaml": params}}
    return Result("key", "train", record, {}, commits)


@pytest.mark.parametrize(("device", "lock"), [("cpu", "Pipfile.lock"), ("cuda", "Pipfile.cuda.lock")])
def test_its_lock_is_that_of_the_device_it_ran_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, device: str, lock: str
) -> None:
    monkeypatch.setattr(replay, "PROCESSES", tmp_path)
    (tmp_path / "train").mkdir()
    for name in ("Pipfile.lock", "Pipfile.cuda.lock"):
        (tmp_path / "train" / name).write_text(name)
    tags = replay.result_tags(result({"training": {"device": device}, "seed": 1}, []), NOTHING, "")
    assert tags["lab.lock"] == md5_of(tmp_path / "train" / lock)


@pytest.mark.parametrize(("ran", "execution"), [("prepare (1 s)\ntrain (2 s)", "run-7.1"), ("prepare (1 s)", None)])
def test_its_execution_is_that_of_the_commit_if_that_ran_it(ran: str, execution: str | None) -> None:
    told = {"Execution": "run-7.1", "Ran": ran}
    kept: Kept = NOTHING
    (start, *_) = replay.events(result({}, [Commit("a", ["b"], 1, "b", told, "Results")]), kept, RunData(), {}, 0)
    assert start["tags"].get("lab.execution") == execution


def test_its_remote_is_named_without_its_password() -> None:
    tags = replay.result_tags(result({}, []), NOTHING, "https://me:S3CRET@host/dvc")  # pragma: allowlist secret
    assert tags["lab.remote"] == "https://host/dvc"


@pytest.mark.parametrize(
    ("machines", "named"),
    [("cpu a", "cpu a"), ("cpu a: prepare\ncpu b: train", "cpu b: train"), ("cpu a: prepare\ncpu b: judge", None)],
)
def test_its_machine_is_the_one_of_all_or_that_of_its_stage(machines: str, named: str | None) -> None:
    kept: Kept = NOTHING
    commit = Commit("a", ["b"], 1, "b", {"Machine": machines}, "Results")
    (start, *_) = replay.events(result({}, [commit]), kept, RunData(), {}, 0)
    assert start["tags"].get("lab.machine") == named
