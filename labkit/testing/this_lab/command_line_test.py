"""A smoke test of the machinery: its command line answers in a lab with results, and a new process runs."""

import shutil
from pathlib import Path

import pytest

from labkit.testing.fixtures import Shell

pytestmark = pytest.mark.integration


def test_the_lab_tells_of_itself(finished_lab: Path, shell: Shell) -> None:
    assert "new-process" in shell("python -m lab --help", finished_lab).stdout
    shell("python -m lab status", finished_lab)
    shell("python -m lab log", finished_lab)


def test_a_new_process_runs_and_passes_its_test(finished_lab: Path, tmp_path: Path, shell: Shell) -> None:
    lab = shutil.copytree(finished_lab, tmp_path / "lab", symlinks=True)
    shell("python -m lab new-process smoke", lab)
    assert "smoke" in shell("dvc repro smoke", lab).stdout
    shell("pytest lab/processes/smoke", lab)
