"""The receipt of a verification: an in-toto Statement v1 that holds a test result, in fields that others can read.

Its subjects are the commit and each file of the outputs that was made again. Each output counts as a test: passed
where it was reproduced, failed where it differs, warned where it could not be checked. What was read is the
configuration: raw data, locks, kernels, dvc.lock, and the machinery that verified. What in-toto has no field for is in
`annotations`, which its descriptors leave to whoever writes them.

It is not signed: it proves no more than the one who gives it says. `verify --receipt` holds it against this repository.
"""

import hashlib
import json
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from labkit.process.credentials import shown
from labkit.process.errors import InputError
from labkit.process.files import said_once
from labkit.proof.outcomes import Outcome, Reproduction, verdict_of

RESULTS = {Reproduction.REPRODUCED: "PASSED", Reproduction.DIFFERS: "FAILED", Reproduction.UNKNOWN: "WARNED"}
CODE, RECORDS, VERIFIER = "code", "dvc.lock", "labkit"
# What of the commit decides the bytes, beside its tree as a whole: named, so that two receipts can be compared.
DECIDING = ("Pipfile.lock", "lab/processes/*/Pipfile*.lock", "labkit/launch/kernels.yaml")
DIGESTS = ("gitCommit", "gitTree", "sha256", "md5")  # one of another kind would be held against nothing
MOST_PROBLEMS = 5
Digests = dict[str, str]


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, populate_by_name=True)


class Verifier(_Model):
    """What ran the verification, and where."""

    verified_at: str
    architecture: str
    vendor: str
    instructions: str
    system: str
    python: str
    dvc: str
    choices: dict[str, dict[str, str]]  # of each stage: its kernels and its device
    environments: list[str]
    clean: str  # in what sense the clone and the environments were
    notes: list[str]  # why other machines may get other bytes
    changed: bool  # whether the machinery had changes that are in no commit


class Descriptor(_Model):
    """An in-toto ResourceDescriptor: a thing with its digests."""

    name: str = Field(min_length=1)
    digest: Digests = Field(min_length=1)
    annotations: dict[str, Any] | None = None


class Result(_Model):
    """The predicate test-result v0.1."""

    result: Literal["PASSED", "WARNED", "FAILED"]
    configuration: list[Descriptor]
    url: str | None = None
    passed_tests: list[str] = Field(alias="passedTests")
    warned_tests: list[str] = Field(alias="warnedTests")
    failed_tests: list[str] = Field(alias="failedTests")


class Statement(_Model):
    """An in-toto Statement v1 with that predicate."""

    type_: Literal["https://in-toto.io/Statement/v1"] = Field(alias="_type")
    subject: list[Descriptor]
    predicate_type: Literal["https://in-toto.io/attestation/test-result/v0.1"] = Field(alias="predicateType")
    predicate: Result

    @model_validator(mode="after")
    def _has_what_a_receipt_has(self) -> Self:
        configured = {one.name for one in self.predicate.configuration}
        if missing := {RECORDS, VERIFIER} - configured:
            raise ValueError(f"the configuration lacks {' and '.join(sorted(missing))}")
        code = self.subject[0] if self.subject else None
        if code is None or code.name != CODE or not {"gitCommit", "gitTree"} <= code.digest.keys():
            raise ValueError("the first subject is not the code, with its gitCommit and gitTree")
        if not all(re.fullmatch("[0-9a-f]{40}|[0-9a-f]{64}", code.digest[one]) for one in ("gitCommit", "gitTree")):
            raise ValueError("the code's gitCommit or gitTree is not a whole hash")
        for one in (*self.subject, *self.predicate.configuration):
            hashes_are_well = all(
                re.fullmatch("[0-9a-f]{32,64}", digest) and kind in DIGESTS for kind, digest in one.digest.items()
            )
            if not one.name.isprintable() or not hashes_are_well:
                raise ValueError(f"{one.name!r} is not the name of a file, or its digest is not a hash")
        _ = self.verifier
        return self

    @model_validator(mode="after")
    def _says_nothing_twice(self) -> Self:
        _refuse_twice("subjects", [one.name for one in self.subject[1:]])
        _refuse_twice("things in the configuration", [one.name for one in self.predicate.configuration])
        _refuse_twice("outcomes", [one.output or one.name for one in self.outcomes])
        return self

    @property
    def commit(self) -> str:
        """The commit that was verified."""
        return self.subject[0].digest["gitCommit"]

    @property
    def outcomes(self) -> list[Outcome]:
        """What became of each output."""
        return [Outcome.model_validate(one) for one in self._annotations(RECORDS).get("outcomes", [])]

    @property
    def verifier(self) -> Verifier:
        """Where it was verified."""
        return Verifier.model_validate(self._annotations(VERIFIER))

    def _annotations(self, name: str) -> dict[str, Any]:
        return next(one.annotations or {} for one in self.predicate.configuration if one.name == name)


def _refuse_twice(what: str, names: list[str]) -> None:
    if len({*names}) != len(names):
        raise ValueError(f"two {what} have the same name")


def make_statement(
    code: Digests, outcomes: list[Outcome], subjects: list[Descriptor], configuration: list[Descriptor], url: str | None
) -> Statement:
    """The receipt: `code` is the commit with its tree, `subjects` the files made, `configuration` what was read.

    The latter holds dvc.lock, to whose annotations the outcomes are added.
    """
    told = {"outcomes": [outcome.model_dump(mode="json", exclude_none=True) for outcome in outcomes]}
    named = [one.model_copy(update={"annotations": told}) if one.name == RECORDS else one for one in configuration]
    return Statement(
        type_="https://in-toto.io/Statement/v1",
        subject=[Descriptor(name=CODE, digest=code), *subjects],
        predicate_type="https://in-toto.io/attestation/test-result/v0.1",
        predicate=Result(configuration=named, url=url, **tests_of(outcomes)),
    )


def tests_of(outcomes: list[Outcome]) -> dict[str, Any]:
    """The fields of a test result that follow from the outcomes."""
    named = {verdict: [one.name for one in outcomes if one.verdict == verdict] for verdict in Reproduction}
    return {
        "result": RESULTS[verdict_of(outcomes)],
        "passed_tests": named[Reproduction.REPRODUCED],
        "warned_tests": named[Reproduction.UNKNOWN],
        "failed_tests": named[Reproduction.DIFFERS],
    }


def write_statement(statement: Statement) -> str:
    """The receipt's text."""
    return statement.model_dump_json(by_alias=True, exclude_none=True, indent=2) + "\n"


def read_statement(text: str | bytes, name: str | Path) -> Statement:
    """Read a receipt; `name` is the file to tell of. Raises InputError when it is none."""
    try:
        json.loads(text, object_pairs_hook=said_once)  # of two, this reader takes one and that the other
    except InputError as error:
        raise InputError(f"{name} is not a receipt of `verify`: {error}") from None
    except (ValueError, RecursionError):  # told below
        pass
    try:
        return Statement.model_validate_json(text)
    except ValidationError as error:
        problems = error.errors()[:MOST_PROBLEMS]
        told = [f"{'.'.join(map(str, one['loc'])) or 'it'} is {shown(one['input'])}: {one['msg']}" for one in problems]
        raise InputError("\n".join(f"{name} is not a receipt of `verify`: {line}" for line in told)) from None


def digests_of(path: Path) -> Digests:
    """The sha256 of a file, and the md5 by which DVC knows it."""
    digests: dict[str, Any] = {"sha256": hashlib.sha256(), "md5": hashlib.md5(usedforsecurity=False)}
    with path.open("rb") as file:
        while chunk := file.read(1 << 20):
            for digest in digests.values():
                digest.update(chunk)
    return {name: digest.hexdigest() for name, digest in digests.items()}


def descriptors(root: Path, files: Iterable[str]) -> list[Descriptor]:
    """The files, which are paths from `root`, each with its digests, in the order of their names."""
    return [Descriptor(name=file, digest=digests_of(root / file)) for file in sorted({*files})]
