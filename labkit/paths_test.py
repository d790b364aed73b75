"""Whether paths lie in each other."""

from pathlib import Path

import pytest

from labkit.paths import home_of, lies_in, overlaps

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


@pytest.mark.parametrize(
    ("root", "home"),
    [
        ("/home/me/lab", "/home/me/lab"),
        ("/home/me/lab/.dvc/tmp/exps/tmpk2", "/home/me/lab"),
        ("/home/me/lab/.dvc/tmp/exps/standalone/tmpk2", "/home/me/lab"),
        ("/home/me/lab/.lab/tmp/tasks/tmpk2/lab", "/home/me/lab"),
        ("/home/me/.dvc/tmp/lab", "/home/me/.dvc/tmp/lab"),
    ],
)
def test_a_queued_experiment_runs_in_a_copy_whose_home_is_the_lab(root: str, home: str) -> None:
    assert home_of(Path(root)) == Path(home)
