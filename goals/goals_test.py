"""Accepts or refuses the results of the pipeline: `pytest goals`. The thresholds are in goals.yaml."""

import pytest

from lib.goals import Goal, judge, read_goals


@pytest.mark.parametrize("goal", read_goals(), ids=lambda goal: goal.goal)
def test_goal(goal: Goal) -> None:
    try:
        verdict = judge(goal)
    except FileNotFoundError:
        pytest.skip(f"{goal.file} is not here yet: `make run` (or `dvc pull`) brings it")
    if goal.ambition:
        assert not verdict.met, f"met ({verdict.value:.4f} {goal.threshold}): remove `ambition: true`, so that it stays"
        pytest.xfail(f"an ambition: {goal.metric} is {verdict.value:.4f}, wanted {goal.threshold}")
    assert verdict.met, f"{goal.metric} is {verdict.value:.4f}, wanted {goal.threshold}"
