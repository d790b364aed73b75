"""Levels for GitHub's matrices."""

import pytest

from labkit.distribute.levels import levels_of
from labkit.pipeline.plan import Plan, PlannedStage, Resources

pytestmark = pytest.mark.unittest


def test_a_level_needs_those_before_it_alone() -> None:
    needs = {"a": [], "z": [], "b": ["a"], "c": ["a", "b"], "d": ["z"]}
    stages = [
        PlannedStage(name=name, command=[], needs=of, inputs=[], outputs=[], resources=Resources(), timeout=None)
        for name, of in needs.items()
    ]
    found = levels_of(Plan(commit="1", stages=stages))
    assert [[stage.name for stage in level] for level in found] == [["a", "z"], ["b", "d"], ["c"]]
