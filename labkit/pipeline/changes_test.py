"""What differs between two runs' records."""

from typing import Any

import pytest

from labkit.pipeline.changes import Change, changed_params, changed_records

pytestmark = pytest.mark.unittest

DATA = {"path": "data", "hash": "md5", "md5": "d0.dir", "size": 1}
CODE = {"path": "code", "hash": "md5", "md5": "c0.dir", "size": 1}


def record(*deps: dict[str, Any], cmd: Any = "train", **params: Any) -> dict[str, Any]:
    return {"cmd": cmd, "deps": list(deps), "params": {"params.yaml": params}}


def test_a_changed_parameter_is_told_with_its_old_and_new_value() -> None:
    before, now = ({"train": record(training={"lr": lr, "layers": [64, 32]})} for lr in (0.0003, 0.001))
    assert changed_records(before, now) == [Change("train", ["training.lr 0.0003 -> 0.001"], [])]
    assert changed_records(now, now) == []


def test_changed_inputs_commands_and_new_stages_are_named() -> None:
    other = {"path": "other", "md5": "o"}
    before = {"train": record(DATA, CODE, cmd="train")}
    now = {"train": record(DATA | {"md5": "d1.dir"}, other, cmd="train -x"), "say": record()}
    assert changed_records(before, now) == [
        Change("train", [], ["its command", "data", "other added", "code removed"]),
        Change("say", [], ["new"]),
    ]


def test_a_parameter_of_another_file_is_told_with_that_file() -> None:
    before, now = ({"train": {"cmd": "a", "params": {"more.yaml": {"lr": lr}}}} for lr in (1, 2))
    assert changed_records(before, now) == [Change("train", ["more.yaml: lr 1 -> 2"], [])]


def test_a_record_without_parameters_and_inputs_is_compared_too() -> None:
    bare = {"cmd": "train"}
    assert changed_records({"train": bare}, {"train": record(DATA, lr=1)}) == [
        Change("train", ["lr added: 1"], ["data added"])
    ]
    assert changed_records({"train": record(DATA)}, {"train": bare}) == [Change("train", [], ["data removed"])]


def test_the_parameters_of_all_stages_are_one_short_line() -> None:
    before = {stage: record(seed=7, **{f"p{number}": 0 for number in range(9)}) for stage in ("a", "b")}
    now = {stage: record(seed=8, **{f"p{number}": "x\ny" for number in range(9)}) for stage in ("a", "b")}
    told = changed_params(changed_records(before, now))
    assert told.startswith("seed 7 -> 8, p0 0 -> x y, ")
    assert told.endswith(" and 5 more")
    assert changed_params([]) == ""
