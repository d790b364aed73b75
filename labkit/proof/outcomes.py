"""What became of each output that dvc.lock records, when its stage was run again. Nothing here touches a file."""

from collections.abc import Iterator, Mapping
from enum import StrEnum
from graphlib import CycleError, TopologicalSorter
from typing import Any, NamedTuple

from pydantic import BaseModel, ConfigDict

from labkit.paths import overlaps
from labkit.pipeline.records import Records
from labkit.proof.differences import Difference

NOT_RUN = "its stage did not run to its end"


class Reproduction(StrEnum):
    """The three verdicts; what can't be checked is never guessed."""

    REPRODUCED = "reproduced"
    DIFFERS = "differs"
    UNKNOWN = "could not check"


EXIT_CODES = {Reproduction.REPRODUCED: 0, Reproduction.DIFFERS: 1, Reproduction.UNKNOWN: 2}


class Outcome(BaseModel):
    """An output, DVC's hash of it as recorded and as made again, and what follows; `reason` where they differ."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    stage: str
    output: str
    verdict: Reproduction
    recorded: str = ""
    made: str = ""
    reason: str = ""
    files: list[Difference] = []

    @property
    def name(self) -> str:
        """The output with its stage."""
        return f"{self.stage}: {self.output}" if self.output else self.stage


class _Input(NamedTuple):
    path: str
    recorded: str
    made: str


def verdict_of(outcomes: list[Outcome]) -> Reproduction:
    """The verdict on all: an output that differs decides it, whatever else could not be checked."""
    found = {outcome.verdict for outcome in outcomes} or {Reproduction.UNKNOWN}
    return next(
        verdict for verdict in (Reproduction.DIFFERS, Reproduction.UNKNOWN, Reproduction.REPRODUCED) if verdict in found
    )


def judge(recorded: Records, made: Records, declared: Mapping[str, list[str]], not_run: str = NOT_RUN) -> list[Outcome]:
    """Judge each output that is recorded, and each that dvc.yaml declares, by its outputs' paths by stage.

    `made` has the records of the stages that ran to their end, `not_run` says why the others did not. The outcomes
    are in the order in which the stages run.
    """
    outcomes: list[Outcome] = []
    for stage in in_order(recorded):
        outcomes += _stage_outcomes(stage, recorded[stage], made.get(stage), outcomes, stage in declared, not_run)
    for stage in (name for name in declared if name not in recorded):
        found = hashes(made.get(stage, {}), "outs")
        for output in declared[stage] or [""]:
            made_now, reason = found.get(output, ""), "dvc.lock has no record of its stage"
            outcomes.append(
                Outcome(stage=stage, output=output, verdict=Reproduction.UNKNOWN, made=made_now, reason=reason)
            )
    return outcomes


def in_order(records: Records) -> list[str]:
    """The stages, each after those whose outputs it reads, and else as they are in dvc.lock."""
    outs = {stage: list(hashes(record, "outs")) for stage, record in records.items()}
    graph = {
        stage: [other for other in records if other != stage and _reads(record, outs[other])]
        for stage, record in records.items()
    }
    try:
        return list(TopologicalSorter(graph).static_order())
    except CycleError:  # of a record that no run made
        return list(records)


def hashes(record: Mapping[str, Any], kind: str) -> dict[str, str]:
    """DVC's hash of each of a record's `deps` or `outs`, by path; empty where it has none, as for a URL."""
    return {entry["path"]: str(entry.get(entry.get("hash", "md5"), "")) for entry in record.get(kind, [])}


def is_read(path: str, records: Records) -> bool:
    """Whether a stage reads something that is, lies in or holds the path."""
    return any(overlaps(path, hashes(record, "deps")) for record in records.values())


def _reads(record: Mapping[str, Any], outs: list[str]) -> bool:
    return any(overlaps(dep, outs) for dep in hashes(record, "deps"))


def _stage_outcomes(
    stage: str, recorded: Any, made: Any, before: list[Outcome], is_declared: bool, not_run: str
) -> Iterator[Outcome]:
    reason = not_run if is_declared else "dvc.yaml has no such stage"
    if is_declared and made:
        reason = _other_inputs(recorded, made, before)
    now = hashes(made or {}, "outs")
    for output, was in (hashes(recorded, "outs") or {"": ""}).items():
        verdict, why = _judged(was, now.get(output, ""), reason)
        if verdict is Reproduction.DIFFERS and (later := _changed(recorded, made)):
            why = f"made from what differs already: {', '.join(one.path for one in later)}"
        yield Outcome(stage=stage, output=output, verdict=verdict, recorded=was, made=now.get(output, ""), reason=why)


def _judged(recorded: str, made: str, reason: str) -> tuple[Reproduction, str]:
    """Compare two hashes; a `reason` says why they can't be compared."""
    if reason or not recorded or not made:
        return Reproduction.UNKNOWN, reason or ("no hash of it is recorded" if made else "dvc.yaml does not declare it")
    return (Reproduction.REPRODUCED if recorded == made else Reproduction.DIFFERS), ""


def _other_inputs(recorded: Any, made: Any, before: list[Outcome]) -> str:
    """Why the record is not of what ran here; empty where it is, but for what differs since an earlier stage."""
    if recorded.get("cmd") != made.get("cmd"):
        return "it was recorded of another command than the commit has"
    if recorded.get("params") != made.get("params"):
        return "it was recorded with other parameters than the commit has"
    differ = [outcome.output for outcome in before if outcome.verdict == Reproduction.DIFFERS]
    unknown = [outcome.output for outcome in before if outcome.verdict == Reproduction.UNKNOWN and outcome.output]
    for path, was, is_now in _changed(recorded, made):
        if overlaps(path, differ):
            continue
        if overlaps(path, unknown):
            return f"{path} could not be made as it was recorded"
        return f"it was recorded of another {path} ({was or 'none'}) than the commit has ({is_now or 'none'})"
    return ""


def _changed(recorded: Any, made: Any) -> list[_Input]:
    was, is_now = hashes(recorded, "deps"), hashes(made, "deps")
    paths = [*was, *(path for path in is_now if path not in was)]
    return [
        _Input(path, was.get(path, ""), is_now.get(path, "")) for path in paths if was.get(path) != is_now.get(path)
    ]
