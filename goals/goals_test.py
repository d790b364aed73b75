"""Accepts or refuses the results of the pipeline: `pytest goals`. The thresholds are in goals.yaml."""

from pathlib import Path

import pytest

from labkit.goals import Goal, judge, read_goals

pytestmark = pytest.mark.integration  # what is judged is what the whole pipeline has written

RESULTS = Path("artifacts/best_model/metrics.json")


@pytest.mark.parametrize("goal", read_goals(), ids=lambda goal: goal.goal)
def test_goal(goal: Goal) -> None:
    try:
        verdict = judge(goal)
    except FileNotFoundError:
        if RESULTS.exists():
            pytest.fail(f"goals/goals.yaml: no stage has written {goal.file}; correct `file`")
        pytest.skip(f"{RESULTS} is not here yet: `make run` (or `dvc pull`) brings it")
    if goal.ambition:
        assert not verdict.met, f"met ({verdict.value:.4f} {goal.threshold}): remove `ambition: true`, so that it stays"
        pytest.xfail(f"an ambition: {goal.metric} is {verdict.value:.4f}, wanted {goal.threshold}")
    assert verdict.met, f"{goal.metric} is {verdict.value:.4f}, wanted {goal.threshold}"
