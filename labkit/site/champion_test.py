"""Which commit a page calls a version, the champion or withdrawn."""

import pytest

from labkit.registry.state import Registry, Step, Version
from labkit.registry.tags import Tag
from labkit.site.champion import is_of_registry, marks_of

pytestmark = pytest.mark.unittest


def version(number: int, commit: str, withdrawn: bool = False) -> Version:
    return Version(number, Tag(f"refs/tags/lab@v{number}.0.0", "tag", "", commit, "", "", "", {}), withdrawn)


VERSIONS = {1: version(1, "a"), 2: version(2, "b"), 3: version(3, "c", withdrawn=True), 4: version(4, "b")}
STEPS = [Step(counter, 0, VERSIONS[1].tag, VERSIONS[number]) for counter, number in ((1, 1), (2, 2))]
REGISTRY = Registry("lab", VERSIONS, STEPS, [], set(), "")


def test_the_champion_and_what_is_withdrawn_are_told_of_their_commits_alone() -> None:
    assert marks_of(REGISTRY) == {"a": ["v1"], "b": ["v2", "champion", "v4"], "c": ["v3", "withdrawn"]}
    assert marks_of(REGISTRY._replace(steps=[])) == {"a": ["v1"], "b": ["v2", "v4"], "c": ["v3", "withdrawn"]}
    assert marks_of(None) == {}


def test_a_tag_of_the_registry_is_none_of_the_commits_own() -> None:
    assert is_of_registry("lab@v1.0.0", REGISTRY)
    assert is_of_registry("lab#champion#1", REGISTRY)
    assert not is_of_registry("labelled", REGISTRY)
    assert not is_of_registry("lab@v1.0.0", None)
