"""What a run did differently from the one before: compare the records of two dvc.locks."""

from pathlib import Path
from typing import NamedTuple

from labkit.pipeline.input_changes import differences, some
from labkit.pipeline.records import DVC_LOCK, Records, read_records, records_of


class Change(NamedTuple):
    """A stage whose record changed: its parameters as `name old -> new`, and what else differs."""

    stage: str
    params: list[str]
    others: list[str]


def changes_since(rev: str) -> list[Change]:
    """The stages whose records here are not those of a revision. Raises GitError where there is no such revision."""
    lock = Path(DVC_LOCK)
    now = read_records(lock.read_bytes()) if lock.exists() else {}
    return changed_records(read_records(records_of(rev)), now)


def changed_records(before: Records, now: Records) -> list[Change]:
    """The stages with another record than before; a stage that had none is new."""
    return [
        Change(stage, _params(before[stage], now[stage]), _others(before[stage], now[stage]))
        if stage in before
        else Change(stage, [], ["new"])
        for stage in now
        if now[stage] != before.get(stage)
    ]


def changed_params(found: list[Change]) -> str:
    """The parameters of all stages on one line, each once: those that many stages read are told by each."""
    told = dict.fromkeys(param for change in found for param in change.params)
    return some([" ".join(param.split()) for param in told])


def _params(before: Records, now: Records) -> list[str]:
    old, new = before.get("params", {}), now.get("params", {})
    found: list[str] = []
    for file in dict.fromkeys([*old, *new]):
        where = "" if file == "params.yaml" else f"{file}: "
        found += differences(old.get(file), new.get(file), where)
    return found


def _others(before: Records, now: Records) -> list[str]:
    old, new = ({dep["path"]: dep for dep in record.get("deps", [])} for record in (before, now))
    found = ["its command"] if before.get("cmd") != now.get("cmd") else []
    found += [path for path in new if path in old and new[path] != old[path]]
    found += [f"{path} added" for path in new.keys() - old.keys()]
    return found + [f"{path} removed" for path in old.keys() - new.keys()]
