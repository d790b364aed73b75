"""The run of a result, from files alone: as a journal that its process would have written, without its timings."""

import hashlib
from collections.abc import Iterator
from typing import Any

from labkit.git_cli import file_in
from labkit.launch.run_name import changes
from labkit.paths import PROCESSES
from labkit.pipeline.stages import process_of
from labkit.process.credentials import without_credentials
from labkit.process.flat import flattened
from labkit.process.tracking import ROOT_RUN
from labkit.publish.kept import MOST_BYTES, Kept
from labkit.publish.occurrences import Result
from labkit.publish.told import Told, count, epochs, filled, number, values

RECORD_TAG, REPLAYED_TAG, COMMITS_TAG = "lab.record", "lab.replayed", "lab.commits"
LOST = "made again from Git and DVC, which do not know how long it took, on which machine, and who ran it"

Event = dict[str, Any]


def process_of_result(result: Result) -> str:
    """The process that wrote a result; the stage's own name where it is none of the lab's."""
    return process_of(str(result.record.get("cmd", ""))) or result.stage


def params_of(record: dict[str, Any]) -> dict[str, Any]:
    """The parameters of a record by their dotted names, but those of the machinery."""
    sections = [values for file, values in record.get("params", {}).items() if not file.startswith("labkit/")]
    return {name: value for one in sections for name, value in flattened(one).items()}


def lineage(result: Result, kept: Kept, remote: str) -> dict[str, str]:
    """The tags that bind a run to its result: its record, the commits that have it, what it read and wrote."""
    process = process_of_result(result)
    lock = f"lab/processes/{process}/Pipfile.lock"
    here = PROCESSES / process / "Pipfile.lock"
    content = file_in(result.commits[0].code, lock) if result.commits else here.read_bytes() if here.exists() else None
    told = {RECORD_TAG: result.key}
    if result.commits:
        told[COMMITS_TAG] = " ".join(commit.name[:10] for commit in result.commits)
    if content is not None:
        told["lab.lock"] = hashlib.md5(content, usedforsecurity=False).hexdigest()
    if remote:
        told["lab.remote"] = without_credentials(remote)
    for kind, files in (("in", kept.deps), ("out", kept.outs)):
        told |= {f"lab.{kind}.{_as_key(path)}": md5 for path, md5 in files.items()}
    return told


def events(result: Result, kept: Kept, told: Told, tags: dict[str, str], now: int) -> Iterator[Event]:
    """The journal of a result, as far as its files are here; `now` is its time, in milliseconds, where it has none.

    Raises ValueError for a file that is not what its name says.
    """
    process = process_of_result(result)
    params = {name: without_credentials(str(value)) for name, value in params_of(result.record).items()}
    at = result.commits[0].time * 1000 if result.commits else now
    begun = {"lab.stage": process, "mlflow.source.name": f"lab/processes/{process}/main.py"}
    begun |= {"mlflow.source.type": "LOCAL", REPLAYED_TAG: "true"} | _of_commit(result)
    differing = changes(_sections(result.before), _sections(result.record))
    yield _event("start", at, name=" ".join([process, *differing]), tags=begun)
    known = params | _tags(kept, told, params)
    yield _event("tags", at, tags=_tags(kept, told, params) | tags | {"mlflow.note.content": LOST})
    yield _event("params", at, params=params)
    for name, rows in (told.inputs or {}).items():
        data = filled(name, known)
        md5 = kept.deps.get(data) or next(iter(kept.data().values()), "")
        yield _event("input", at, name=without_credentials(data), md5=md5, rows=count(kept, rows, known))
    runs = _nested(kept, told, known)
    for run, key in runs.items():
        yield _event("start", at, key, name=run)
        inner = f"{filled(told.params, {'run': run})}."
        own = {name.removeprefix(inner): value for name, value in params.items() if name.startswith(inner)}
        yield _event("params", at, key, params=own)
    yield from _metrics(kept, told, known, runs, at)
    for pattern in told.artifacts or []:
        for path, md5, groups in kept.files(filled(pattern, known)):
            place = kept.place(path, md5)
            if place is not None and place.stat().st_size <= MOST_BYTES:  # also of a file that is named by itself
                target = "/".join(path.split("/")[pattern.count("/") :])
                run = runs.get(groups.get("run", ""), ROOT_RUN)
                yield _event("artifact", at, run, path=str(place), target=target, md5=md5)
    yield _event("end", at, status="FINISHED")


def _of_commit(result: Result) -> dict[str, str]:
    """What the commit tells of the run."""
    if not result.commits:
        return {}
    commit = result.commits[0]
    told = {"mlflow.source.git.commit": commit.code, "lab.git.dirty": "false"}
    named = {"lab.tag": commit.told.get("Tag"), "lab.ci": commit.told.get("Run")}
    machines = commit.told.get("Machine", "").split("\n")
    named["lab.machine"] = next((one for one in machines if len(machines) == 1 or result.stage in one), None)
    return told | {name: value for name, value in named.items() if value}


def _metrics(kept: Kept, told: Told, known: dict[str, str], runs: dict[str, str], at: int) -> Iterator[Event]:
    last: dict[str, int] = {}
    for name, source in (told.epochs or {}).items():
        for run, step, row in epochs(kept, source, known):
            last[run] = max(step, last.get(run, 0))
            named = {name.replace("*", column): value for column, value in row.items()}
            yield _event("metrics", at, runs.get(run, ROOT_RUN), step=step, metrics=named)
    found: dict[str, dict[str, float]] = {}
    for name, source in (told.metrics or {}).items():
        for run, star, value in values(kept, source, known, tuple(told.skip) if "*" in name else ()):
            measured = number(value)
            if measured is not None and ("*" not in name or not isinstance(value, dict | list | range)):
                found.setdefault(run, {})[name.replace("*", star)] = measured
    for run, metrics in found.items():  # what it came to stands one step after the last epoch
        yield _event("metrics", at, runs.get(run, ROOT_RUN), step=last[run] + 1 if run in last else 0, metrics=metrics)


def _nested(kept: Kept, told: Told, known: dict[str, str]) -> dict[str, str]:
    """The keys of the nested runs in the journal by their names."""
    sources = [*(told.metrics or {}).values(), *(told.epochs or {}).values(), *(told.artifacts or [])]
    patterns = [filled(source.partition("#")[0], known) for source in sources if "{run}" in source]
    names = sorted({groups["run"] for pattern in patterns for _, _, groups in kept.files(pattern)})
    return {name: f"{ROOT_RUN}.{number}" for number, name in enumerate(names)}


def _tags(kept: Kept, told: Told, known: dict[str, str]) -> dict[str, str]:
    found = {}
    for name, source in told.tags.items():
        for _, star, value in values(kept, source, known):
            found[name.replace("*", star)] = without_credentials(str(value))
    return found


def _sections(record: dict[str, Any]) -> dict[str, Any]:
    return dict(record.get("params", {}).get("params.yaml", {}))


def _as_key(path: str) -> str:
    """A path as the name of a tag, which MLflow holds to some letters."""
    return "".join(one if (one.isalnum() and one.isascii()) or one in "/_-. " else "_" for one in path)[:240]


def _event(kind: str, at: int, run: str = ROOT_RUN, **fields: Any) -> Event:
    return {"event": kind, "run": run, "time": at, **fields}
