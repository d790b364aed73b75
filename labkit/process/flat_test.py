"""Nested mappings by dotted names, and which of their values are numbers."""

from typing import Any

import pytest

from labkit.process.flat import flattened, is_number, leaves

pytestmark = pytest.mark.unittest


def test_leaves_have_the_names_on_their_way_and_keep_their_order() -> None:
    nested = {"b": {"d": 1, "c": {"e": [2]}}, "a": None, 3: {}}
    assert list(flattened(nested).items()) == [("b.d", 1), ("b.c.e", [2]), ("a", None), ("3", {})]
    assert list(leaves({"a": {"b.c": 1}})) == [(("a", "b.c"), 1)]
    assert flattened({}) == {}


@pytest.mark.parametrize(("value", "said"), [(1, True), (0.5, True), (True, False), ("1", False), (None, False)])
def test_a_truth_value_is_no_number(value: Any, said: bool) -> None:
    assert is_number(value) is said
