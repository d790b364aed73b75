"""The receipt as others read it, and what is refused as none."""

import json
from typing import Any

import pytest

from labkit.process.errors import InputError
from labkit.proof.differences import Difference
from labkit.proof.outcomes import Outcome, Reproduction
from labkit.proof.page import page_of
from labkit.proof.receipt import Descriptor, Statement, Verifier, make_statement, read_statement, write_statement

pytestmark = pytest.mark.unittest

COMMIT, TREE, MD5, SHA256 = "c" * 40, "d" * 40, "a" * 32, "b" * 64
VERIFIER = Verifier(
    verified_at="2026-11-26T06:00:00Z",
    architecture="x86_64",
    vendor="GenuineIntel",
    instructions="avx2",
    system="Linux",
    python="3.11.7",
    dvc="3.67.1",
    choices={"train": {"kernels": "portable", "device": "cpu"}},
    environments=["train-0123456789ab"],
    clean="In a new clone.",
    notes=[],
    changed=False,
)
SAME = Outcome(stage="train", output="model", verdict=Reproduction.REPRODUCED, recorded=MD5, made=MD5)
LACKING = Outcome(stage="plot", output="plots", verdict=Reproduction.UNKNOWN, recorded=MD5, reason="raw data: <x> | y")
DIFFERENT = Outcome(
    stage="judge",
    output="score.json",
    verdict=Reproduction.DIFFERS,
    recorded=MD5,
    made="e" * 32,
    files=[Difference(file="score.json", how="1 of 1 numbers differ", largest=0.5, tolerances=0.25)],
)


def statement(*outcomes: Outcome) -> Statement:
    """A receipt with these outcomes, of one file."""
    return make_statement(
        {"gitCommit": COMMIT, "gitTree": TREE},
        [*outcomes],
        [Descriptor(name="model", digest={"sha256": SHA256, "md5": MD5})],
        [
            Descriptor(name="dvc.lock", digest={"sha256": SHA256}),
            Descriptor(name="labkit", digest={"gitTree": TREE}, annotations=VERIFIER.model_dump()),
        ],
        url=None,
    )


def test_its_fields_are_those_that_in_toto_published() -> None:
    """ITE-6's Statement v1 and ResourceDescriptor, and the predicate test-result v0.1: no field of another name."""
    written = json.loads(write_statement(statement(SAME, DIFFERENT, LACKING)))
    assert written.keys() == {"_type", "subject", "predicateType", "predicate"}
    assert written["_type"] == "https://in-toto.io/Statement/v1"
    assert written["predicateType"] == "https://in-toto.io/attestation/test-result/v0.1"
    predicate = written["predicate"]
    assert predicate.keys() == {"result", "configuration", "passedTests", "warnedTests", "failedTests"}
    for one in (*written["subject"], *predicate["configuration"]):
        assert one.keys() <= {"name", "digest", "annotations"}
    assert written["subject"][0] == {"name": "code", "digest": {"gitCommit": COMMIT, "gitTree": TREE}}
    assert predicate["passedTests"] == ["train: model"]
    assert predicate["failedTests"] == ["judge: score.json"]
    assert predicate["warnedTests"] == ["plot: plots"]


@pytest.mark.parametrize(
    ("outcomes", "result"),
    [((SAME,), "PASSED"), ((SAME, LACKING), "WARNED"), ((SAME, LACKING, DIFFERENT), "FAILED"), ((), "WARNED")],
)
def test_what_is_written_is_read_again(outcomes: tuple[Outcome, ...], result: str) -> None:
    made = statement(*outcomes)
    read = read_statement(write_statement(made), "receipt.json")
    assert read.predicate.result == result
    assert read.outcomes == [*outcomes]
    assert read.verifier == VERIFIER
    assert write_statement(read) == write_statement(made)


def test_the_page_names_the_stage_from_which_on_it_differs_and_how_far() -> None:
    page = page_of(statement(SAME, DIFFERENT, LACKING))
    assert page.startswith(f"# {COMMIT[:12]}: differs from judge on\n")
    assert "Of 3 outputs: 1 reproduced, 1 differs, 1 could not check." in page
    assert "Within tolerance: 1 of 1 files that differ." in page
    assert "| `score.json` | 1 of 1 numbers differ | 0.5 | 0.25 |" in page
    assert r"raw data: \<x\> \| y" in page
    assert "train on cpu, portable kernels" in page
    assert page_of(statement(SAME)).startswith(f"# {COMMIT[:12]}: reproduced\n")
    assert page_of(statement(LACKING)).startswith(f"# {COMMIT[:12]}: could not check\n")
    assert "no output to check" in page_of(statement())


@pytest.mark.parametrize(
    ("place", "value"),
    [
        (["_type"], "https://in-toto.io/Statement/v0.1"),
        (["predicateType"], "https://slsa.dev/provenance/v1"),
        (["predicate", "result"], "OK"),
        (["predicate", "more"], 1),
        (["predicate", "configuration"], []),
        (["predicate", "configuration", 0, "annotations"], {"outcomes": [{"stage": "a"}]}),
        (["predicate", "configuration", 0, "annotations"], {"outcomes": "none"}),
        (["predicate", "configuration", 1, "annotations"], {}),
        (["subject"], []),
        (["subject", 0, "name"], "model"),
        (["subject", 0, "digest"], {"gitCommit": COMMIT}),
        (["subject", 0, "digest", "gitCommit"], "--output=x"),
        (["subject", 0, "digest", "gitCommit"], "HEAD"),
        (["subject", 0, "digest", "gitCommit"], COMMIT[:39]),
        (["subject", 1, "digest"], {}),
        (["subject", 1, "digest", "sha512"], SHA256),
        (["subject", 1, "digest", "md5"], "../../../../etc/passwd"),
        (["subject", 1, "name"], "model\x00"),
        (["subject", 1, "name"], ""),
        (["subject", 1, "name"], 3),
    ],
)
def test_what_is_no_receipt_is_refused(place: list[Any], value: Any) -> None:
    content = json.loads(write_statement(statement(SAME)))
    *path, last = place
    inner = content
    for key in path:
        inner = inner[key]
    inner[last] = value
    with pytest.raises(InputError, match=r"given\.json is not a receipt of `verify`"):
        read_statement(json.dumps(content), "given.json")


@pytest.mark.parametrize("text", ["", "{", "[]", "3", "{}", "[" * 100_000, b"\xff"])
def test_text_of_another_kind_is_refused(text: str | bytes) -> None:
    with pytest.raises(InputError, match=r"given\.json is not a receipt of `verify`"):
        read_statement(text, "given.json")


@pytest.mark.parametrize(
    ("place", "told"),
    [
        (["subject"], "two subjects have the same name"),
        (["predicate", "configuration"], "two things in the configuration have the same name"),
        (["predicate", "configuration", 0, "annotations", "outcomes"], "two outcomes have the same name"),
    ],
)
def test_what_is_said_twice_is_refused(place: list[Any], told: str) -> None:
    content = json.loads(write_statement(statement(SAME)))
    inner = content
    for key in place:
        inner = inner[key]
    inner.append(inner[-1])
    with pytest.raises(InputError, match=told):
        read_statement(json.dumps(content), "given.json")


def test_a_key_that_is_given_twice_is_refused() -> None:
    text = write_statement(statement(SAME)).replace('"result": "PASSED"', '"result": "FAILED", "result": "PASSED"')
    with pytest.raises(InputError, match=r"given\.json is not a receipt of `verify`: 'result' is given twice"):
        read_statement(text, "given.json")
