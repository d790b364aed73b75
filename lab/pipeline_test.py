"""The pipeline as a whole, run by `dvc repro` in copies of this repository."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from lab.conftest import ROOT, Shell

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def lab(new_lab: Callable[[], Path], shell: Shell) -> Path:
    """A copy in which the pipeline has run once, and whose results are committed."""
    folder = new_lab()
    shell("dvc repro", folder)
    shell("git add --all && git commit --quiet --no-verify --allow-empty -m results", folder)
    return folder


def test_the_committed_results_are_those_of_the_committed_parameters(lab: Path) -> None:
    assert (lab / "dvc.lock").read_text() == (ROOT / "dvc.lock").read_text()


def test_nothing_changed_means_nothing_runs(lab: Path, shell: Shell) -> None:
    assert "Running stage" not in shell("dvc repro", lab).stdout
    assert json.loads(shell("dvc status --json", lab).stdout) == {}


def test_another_folder_hash_seed_thread_count_and_time_give_the_same_bytes(
    lab: Path, new_lab: Callable[[], Path], shell: Shell
) -> None:
    other = new_lab()
    shell("dvc repro --force", other, PYTHONHASHSEED="3", OMP_NUM_THREADS="2", OPENBLAS_NUM_THREADS="2", TZ="Asia/Tokyo")
    assert (other / "dvc.lock").read_text() == (lab / "dvc.lock").read_text()


def test_results_hold_no_trace_of_where_they_were_made(lab: Path) -> None:
    written = [file for folder in ("data/processed", "artifacts") for file in (lab / folder).rglob("*") if file.is_file()]
    assert written
    assert not [file for file in written if str(lab).encode() in file.read_bytes()]
