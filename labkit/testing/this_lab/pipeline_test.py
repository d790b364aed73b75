"""The pipeline as a whole, in a copy of this lab with the parameters, data and goals of the example."""

from pathlib import Path

import pytest

from labkit.paths import TABLES
from labkit.testing.example_lab import read_yaml
from labkit.testing.fixtures import Shell

pytestmark = pytest.mark.integration


def test_the_pipeline_runs_its_goals_are_judged_and_then_nothing_has_to_run(finished_lab: Path, shell: Shell) -> None:
    if not read_yaml(finished_lab / "dvc.yaml").get("stages"):
        pytest.skip("dvc.yaml has no stage of the example's")
    changed = shell("git show --name-only --format= HEAD", finished_lab).stdout.split()
    assert [name for name in changed if not name.startswith(f"{TABLES}/")] == ["dvc.lock"]
    assert f"{TABLES}/artifacts/best_model/metrics.json" in changed
    assert "Nothing had to run" in shell("python -m lab run", finished_lab).stdout
    judged = shell("pytest -p no:cacheprovider goals", finished_lab).stdout
    assert "passed" in judged
    assert "skipped" not in judged
