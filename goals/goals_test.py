"""Accepts or refuses the results of the pipeline: `pytest goals`. The thresholds are in goals.yaml."""

import pytest

from labkit.goals import Goal, judge, read_goals
from labkit.paths import lies_in
from labkit.pipeline.dependencies import declared_stages, stage_outputs

pytestmark = pytest.mark.integration  # what is judged is what the whole pipeline has written


@pytest.mark.parametrize("goal", read_goals(), ids=lambda goal: goal.goal)
def test_goal(goal: Goal) -> None:
    try:
        verdict = judge(goal)
    except FileNotFoundError:
        outs = [out for stage in declared_stages().values() for out in stage_outputs(stage)]
        made = [out for out in outs if lies_in(goal.file, [out])]
        if not made or any(out.exists() for out in made):
            pytest.fail(f"goals/goals.yaml: no stage writes {goal.file}; correct `file`")
        pytest.skip(f"{goal.file} is not here yet: `make run` (or `dvc pull`) brings it")
    if goal.ambition:
        assert not verdict.met, f"met ({verdict.value:.4f} {goal.threshold}): remove `ambition: true`, so that it stays"
        pytest.xfail(f"an ambition: {goal.metric} is {verdict.value:.4f}, wanted {goal.threshold}")
    assert verdict.met, f"{goal.metric} is {verdict.value:.4f}, wanted {goal.threshold}"
