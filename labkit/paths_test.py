"""Whether paths lie in each other."""

from pathlib import Path

import pytest

from labkit.paths import lies_in, overlaps

pytestmark = pytest.mark.unittest


@pytest.mark.parametrize(
    ("path", "lies", "overlap"),
    [("a/b", True, True), ("a/b/c", True, True), ("a", False, True), ("a/bc", False, False), ("c/a/b", False, False)],
)
def test_a_path_lies_in_what_holds_it_and_overlaps_what_it_holds_too(path: str, lies: bool, overlap: bool) -> None:
    assert lies_in(path, ["x", "a/b"]) is lies
    assert overlaps(Path(path), [Path("x"), Path("a/b")]) is overlap
    assert not lies_in(path, [])
    assert not overlaps(path, [])
