"""A plan as levels, for GitHub: a matrix of its jobs knows no order, so that each level is a matrix of its own."""

import json
import os

from labkit.paths import ROOT
from labkit.pipeline.plan import Plan, PlannedStage, plan_here
from labkit.process.errors import InputError


def print_levels(most: int) -> None:
    """Print the levels as JSON, each stage with the labels of its runner.

    Raises InputError where there are more than `most`, which is how many the workflow has jobs for.
    """
    os.chdir(ROOT)
    found = levels_of(plan_here())
    if len(found) > most:
        raise InputError(
            f"the pipeline is {len(found)} levels deep, and the workflow has jobs for {most}; add some and raise --most"
        )
    print(json.dumps([[{"name": stage.name, "labels": _labels(stage)} for stage in level] for level in found]))


def levels_of(plan: Plan) -> list[list[PlannedStage]]:
    """The stages by the length of the longest way to them: each level needs those before it alone."""
    depth: dict[str, int] = {}
    for stage in plan.stages:
        depth[stage.name] = max((depth[needed] + 1 for needed in stage.needs), default=0)
    return [
        [stage for stage in plan.stages if depth[stage.name] == level]
        for level in range(max(depth.values(), default=-1) + 1)
    ]


def _labels(stage: PlannedStage) -> list[str]:
    return ["self-hosted", *(["gpu"] if stage.resources.gpu else [])]
