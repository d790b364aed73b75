"""What of a person's shell reaches into the clone."""

import sys
from pathlib import Path

import pytest

from labkit.process.errors import InputError
from labkit.proof import rerun
from labkit.proof.rerun import clean_environment, fresh_caches, no_tracker
from labkit.proof.verify import tolerance_of
from labkit.tracking import tracker

pytestmark = pytest.mark.unittest


def test_nothing_of_a_run_and_no_setting_of_tools_reaches_into_the_clone() -> None:
    of_data = {"AWS_ENDPOINT_URL": "http://s3", "DATABASE_PASSWORD": "x", "HOME": "/home"}
    of_tools = dict.fromkeys(
        ("DVC_ROOT", "GIT_DIR", "LAB_JOURNALS", "LAB_EXECUTION_ID", "MLFLOW_TRACKING_URI", "PYTHONPATH", "VIRTUAL_ENV"),
        "x",
    )
    found = clean_environment({"XDG_CACHE_HOME": "fresh"}, {**of_data, **of_tools, "PATH": "/bin"})
    assert {name: found[name] for name in of_data} == of_data
    assert not of_tools.keys() & found.keys()
    assert found["PATH"] == f"{Path(sys.executable).parent}:/bin"  # `python` of a stage's command is this one
    assert found["XDG_CACHE_HOME"] == "fresh"


@pytest.mark.parametrize(
    ("environment", "kept"),
    [
        ({}, str(Path.home() / ".cache" / "uv")),
        ({"XDG_CACHE_HOME": "/other"}, "/other/uv"),
        ({"XDG_CACHE_HOME": "/other", "UV_CACHE_DIR": "/uv"}, "/uv"),
    ],
)
def test_all_is_cached_anew_but_for_uvs_packages(environment: dict[str, str], kept: str) -> None:
    assert fresh_caches(Path("/new"), environment) == {"XDG_CACHE_HOME": "/new", "UV_CACHE_DIR": kept}


def test_no_tracker_carries_the_runs_of_a_verification(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    journals = tmp_path / ".lab" / "journals"
    carried: list[Path] = []

    def carry_all(folder: Path, _: bool) -> set[Path]:
        carried.append(folder)
        return {*folder.glob("*.jsonl")}

    monkeypatch.setattr(tracker, "JOURNALS", journals)
    monkeypatch.setattr(tracker, "carry_all", carry_all)
    monkeypatch.setattr("os.nice", lambda _: None)
    with no_tracker(tmp_path):
        (journals / "1-train.jsonl").touch()
        tracker.main()
        assert carried == []
    with pytest.raises(SystemExit):
        tracker.main()
    assert carried == [journals]


@pytest.mark.parametrize(
    ("meta", "tolerance"),
    [(None, 1e-5), ({}, 1e-5), ("words", 1e-5), ({"tolerance": 0.01}, 0.01), ({"tolerance": 1}, 1.0)],
)
def test_a_stage_may_give_its_tolerance(meta: object, tolerance: float) -> None:
    assert tolerance_of("train", meta) == tolerance


@pytest.mark.parametrize("value", [0, -1, None, "0.1", True, float("nan"), float("inf"), []])
def test_a_tolerance_that_is_no_positive_number_is_refused(value: object) -> None:
    with pytest.raises(InputError, match=r"dvc.yaml: stages.train.meta.tolerance is .*; give a positive number"):
        tolerance_of("train", {"tolerance": value})


@pytest.mark.parametrize(("code", "told"), [(1, ["https://host/x is away"]), (0, [])])
def test_why_dvc_failed_is_told_without_passwords(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int, told: list[str]
) -> None:
    said = "ERROR: https://me:S3CRET@host/x is away"  # pragma: allowlist secret
    program = f"print('Running'); print({said!r}); raise SystemExit({code})"
    monkeypatch.setattr(rerun, "dvc", lambda *_: [sys.executable, "-c", program])
    assert rerun._dvc(tmp_path, "repro") == told
