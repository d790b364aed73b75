"""The report of a lab that has trained, and a page of its own: other results are told, and one command mends them."""

import shutil
from pathlib import Path

import pytest

from labkit.testing.fixtures import Shell

pytestmark = [pytest.mark.integration, pytest.mark.nightly]

METRICS = "artifacts/best_model/metrics.json"


def test_a_trained_lab_is_reported_twice_the_same_and_other_results_are_told(
    finished_lab: Path, tmp_path: Path, shell: Shell
) -> None:
    lab = shutil.copytree(finished_lab, tmp_path / "lab", symlinks=True)
    place = lab / shell("python -m lab report", lab).stdout.strip()
    before = {file: file.read_bytes() for file in (lab / "lab/docs/reports").rglob("*") if file.is_file()}
    assert len(before) == 5
    shutil.rmtree(lab / "lab/docs/reports")
    shell("python -m lab report HEAD", lab)
    assert {file: file.read_bytes() for file in before} == before
    page = lab / "lab/docs/mine.md"
    page.write_text(f"# Mine\n\nModels are compared by `log_loss`<!--= {METRICS}#metric -->.\n", encoding="utf-8")
    shell("git add --all && git commit --quiet --no-verify -m report && python -m lab report --check", lab)
    shell("sed -i.old 's/metric: auto/metric: accuracy/' params.yaml && python -m lab repro", lab)
    told = shell("python -m lab report --check", lab, check=False)
    assert told.returncode == 1
    assert told.stdout.splitlines()[0] == (
        f"lab/docs/mine.md:3: log_loss is shown, {METRICS}#metric is accuracy: accuracy"
    )
    shell("python -m lab report --update && python -m lab report --check", lab)
    assert "by `accuracy`<!--=" in page.read_text(encoding="utf-8")
    assert shell("git diff --stat -- lab/docs", lab).stdout.splitlines()[-1].split(",")[0] == " 1 file changed"
    assert place.read_bytes() == before[place]
