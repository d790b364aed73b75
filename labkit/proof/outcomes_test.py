"""What follows from the records of a commit and those of running it again."""

from typing import Any

import pytest

from labkit.proof.outcomes import Reproduction, in_order, judge, verdict_of

pytestmark = pytest.mark.unittest

Records = dict[str, Any]
DECLARED = {"train": ["model"], "judge": ["score"], "plot": ["plots"]}


def entries(hashes: dict[str, str]) -> list[dict[str, str]]:
    return [{"path": path, "hash": "md5", "md5": md5} for path, md5 in hashes.items()]


def record(deps: dict[str, str], outs: dict[str, str], cmd: str = "run", **params: Any) -> dict[str, Any]:
    return {"cmd": cmd, "deps": entries(deps), "params": {"params.yaml": params}, "outs": entries(outs)}


def records(**changed: dict[str, Any]) -> Records:
    """Of a pipeline of which dvc.lock has the last stage first."""
    return {
        "judge": record({"model/weights": "m1", "data": "d1"}, {"score": "s1"}),
        "train": record({"data": "d1", "code": "c1"}, {"model": "m1.dir"}, lr=0.1),
        "plot": record({"data": "d1"}, {"plots": "p1"}),
        **changed,
    }


def judged(made: Records, recorded: Records | None = None, declared: dict[str, list[str]] = DECLARED) -> list[str]:
    """Each outcome in words."""
    found = judge(recorded or records(), made, declared, not_run="it did not run")
    return [f"{one.name} {one.verdict}" + (f": {one.reason}" if one.reason else "") for one in found]


def test_the_same_hashes_are_reproduced_in_the_order_of_the_stages() -> None:
    assert judged(records()) == ["train: model reproduced", "plot: plots reproduced", "judge: score reproduced"]


def test_what_is_made_from_what_differs_says_so() -> None:
    made = records(
        train=record({"data": "d1", "code": "c1"}, {"model": "m2.dir"}, lr=0.1),
        judge=record({"model/weights": "m2", "data": "d1"}, {"score": "s2"}),
    )
    assert judged(made) == [
        "train: model differs",
        "plot: plots reproduced",
        "judge: score differs: made from what differs already: model/weights",
    ]


def test_what_comes_out_the_same_from_what_differs_is_reproduced() -> None:
    made = records(
        train=record({"data": "d1", "code": "c1"}, {"model": "m2.dir"}, lr=0.1),
        judge=record({"model/weights": "m2", "data": "d1"}, {"score": "s1"}),
    )
    assert judged(made)[2] == "judge: score reproduced"


@pytest.mark.parametrize(
    ("train", "why"),
    [
        (
            record({"data": "d1", "code": "c2"}, {"model": "m1.dir"}, lr=0.1),
            "it was recorded of another code (c1) than the commit has (c2)",
        ),
        (
            record({"data": "d1"}, {"model": "m1.dir"}, lr=0.1),
            "it was recorded of another code (c1) than the commit has (none)",
        ),
        (
            record({"data": "d1", "code": "c1", "more": "x"}, {"model": "m1.dir"}, lr=0.1),
            "it was recorded of another more (none) than the commit has (x)",
        ),
        (
            record({"data": "d1", "code": "c1"}, {"model": "m1.dir"}, lr=0.2),
            "it was recorded with other parameters than the commit has",
        ),
        (
            record({"data": "d1", "code": "c1"}, {"model": "m1.dir"}, cmd="other", lr=0.1),
            "it was recorded of another command than the commit has",
        ),
        (record({"data": "d1", "code": "c1"}, {"other": "m1.dir"}, lr=0.1), "dvc.yaml does not declare it"),
        (record({"data": "d1", "code": "c1"}, {"model": ""}, lr=0.1), "dvc.yaml does not declare it"),
    ],
)
def test_a_record_of_something_else_could_not_be_checked(train: dict[str, Any], why: str) -> None:
    assert judged(records(train=train))[0] == f"train: model could not check: {why}"


def test_what_did_not_run_could_not_be_checked_nor_what_is_made_from_it() -> None:
    made = records(judge=record({"model/weights": "m2", "data": "d1"}, {"score": "s2"}))
    del made["train"]
    assert judged(made) == [
        "train: model could not check: it did not run",
        "plot: plots reproduced",
        "judge: score could not check: model/weights could not be made as it was recorded",
    ]


def test_a_stage_on_one_side_alone_could_not_be_checked() -> None:
    recorded = records()
    del recorded["plot"]
    assert judged(records(), recorded)[2] == "plot: plots could not check: dvc.lock has no record of its stage"
    gone = {"train": ["model"], "judge": ["score"]}
    assert judged(records(), declared=gone)[1] == "plot: plots could not check: dvc.yaml has no such stage"
    assert judged(records(), declared={**DECLARED, "say": []})[3] == (
        "say could not check: dvc.lock has no record of its stage"
    )


def test_an_output_without_a_hash_is_not_guessed() -> None:
    recorded = records(plot=record({"data": "d1"}, {"plots": ""}))
    assert judged(records(), recorded)[1] == "plot: plots could not check: no hash of it is recorded"


def test_one_that_differs_decides_and_nothing_at_all_is_unknown() -> None:
    reproduced, differs, unknown = (
        judge(records(), made, DECLARED)
        for made in (records(), records(plot=record({"data": "d1"}, {"plots": "p2"})), {})
    )
    assert verdict_of(reproduced) is Reproduction.REPRODUCED
    assert verdict_of([*unknown, *differs]) is Reproduction.DIFFERS
    assert verdict_of([*reproduced, *unknown]) is Reproduction.UNKNOWN
    assert verdict_of([]) is Reproduction.UNKNOWN


def test_records_that_depend_on_each_other_in_a_circle_stay_as_they_are() -> None:
    circle = {"a": record({"y": "1"}, {"x": "1"}), "b": record({"x": "1"}, {"y": "1"})}
    assert in_order(circle) == ["a", "b"]
