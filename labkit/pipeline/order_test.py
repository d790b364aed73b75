"""Stages that end in another order than `dvc repro` runs them leave the files of DVC as it would."""

from contextlib import suppress
from pathlib import Path

import pytest

from labkit.dvc_adapter.graph import Step
from labkit.pipeline.order import ordered_as_by_repro
from labkit.pipeline.records import write_records

pytestmark = pytest.mark.unittest


def lock(*stages: str) -> str:
    """The text of a dvc.lock with records of these stages."""
    return write_records({stage: {"cmd": "true"} for stage in stages})


@pytest.fixture
def steps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[Step]:
    """The stages a, b and c, in this order, where `old` has run before."""
    monkeypatch.chdir(tmp_path)
    Path("dvc.lock").write_text(lock("old"))
    Path(".gitignore").write_text("# mine\n/old\n")
    return [Step(name, [], "true", [tmp_path / name], is_fresh=False) for name in "abc"]


def test_what_was_added_stands_in_the_order_of_the_steps_below_what_was_there(steps: list[Step]) -> None:
    with ordered_as_by_repro(steps):
        Path("dvc.lock").write_text(lock("old", "c", "a", "b"))
        Path(".gitignore").write_text("# mine\n/old\n/c\n/a\n/b\n")
    assert Path("dvc.lock").read_text() == lock("old", "a", "b", "c")
    assert Path(".gitignore").read_text() == "# mine\n/old\n/a\n/b\n/c\n"


def test_it_is_so_where_a_stage_fails_too(steps: list[Step]) -> None:
    with suppress(KeyboardInterrupt), ordered_as_by_repro(steps):
        Path("dvc.lock").write_text(lock("old", "b", "a"))
        raise KeyboardInterrupt
    assert Path("dvc.lock").read_text() == lock("old", "a", "b")


def test_a_file_whose_old_part_changed_meanwhile_is_left_alone(steps: list[Step]) -> None:
    with ordered_as_by_repro(steps):
        Path("dvc.lock").write_text(lock("c", "b", "a"))
    assert Path("dvc.lock").read_text() == lock("c", "b", "a")


def test_each_dvc_yaml_has_its_own_lock_which_may_be_new(steps: list[Step], tmp_path: Path) -> None:
    Path("sub").mkdir()
    below = [Step(f"sub/dvc.yaml:{name}", [], "true", [tmp_path / "sub" / name], is_fresh=False) for name in "de"]
    with ordered_as_by_repro([*steps, *below]):
        Path("sub/dvc.lock").write_text(lock("e", "d"))
    assert Path("sub/dvc.lock").read_text() == lock("d", "e")
