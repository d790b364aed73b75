"""The run of a result, from files alone: as a journal that its process would have written, without its timings."""

import hashlib
from collections.abc import Iterator, Mapping
from itertools import groupby
from typing import Any

from labkit.git_cli import file_in
from labkit.launch.environments import CUDA_LOCK, LOCK
from labkit.launch.run_name import changes
from labkit.paths import PROCESSES
from labkit.pipeline.stages import process_of
from labkit.process.credentials import without_credentials
from labkit.process.tracking import ROOT_RUN
from labkit.publish.kept import Kept
from labkit.publish.occurrences import Result
from labkit.publish.run_data import MOST_BYTES, RunData

RECORD_TAG, REPLAYED_TAG, COMMITS_TAG = "lab.record", "lab.replayed", "lab.commits"
LOST = "made again from Git and DVC, which do not know how long it took, or who ran it"

Event = dict[str, Any]


def process_of_result(result: Result) -> str:
    """The process that wrote a result; the stage's own name where it is none of the lab's."""
    return process_of(str(result.record.get("cmd", ""))) or result.stage


def result_tags(result: Result, kept: Kept, remote: str) -> dict[str, str]:
    """The tags that bind a run to its result: its record, the commits that have it, what it read and wrote."""
    process = process_of_result(result)
    lock = CUDA_LOCK if "cuda" in _devices(result) else LOCK
    here = PROCESSES / process / lock
    content = here.read_bytes() if here.exists() else None
    if result.commits:
        content = file_in(result.commits[0].code, f"lab/processes/{process}/{lock}")
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


def events(result: Result, kept: Kept, told: RunData, tags: dict[str, str], now: int) -> Iterator[Event]:
    """The journal of a result, as far as its files are here; `now` is its time, in milliseconds, where it has none."""
    process = process_of_result(result)
    at = result.commits[0].time * 1000 if result.commits else now
    begun = {"lab.stage": process, "mlflow.source.name": f"lab/processes/{process}/main.py"}
    begun |= {"mlflow.source.type": "LOCAL", REPLAYED_TAG: "true"} | _of_commit(result)
    begun |= {name: value for name, value in tags.items() if name == "lab.lock"}  # as the nested ones have it too
    differing = changes(_sections(result.before), _sections(result.record))
    yield _event("start", at, name=" ".join([process, *differing]), tags=begun)
    yield _event("tags", at, tags=tags | {"mlflow.note.content": LOST})
    yield from _run(told, kept, at, ROOT_RUN)
    yield _event("end", at, status="FINISHED")


def _run(told: RunData, kept: Kept, at: int, key: str) -> Iterator[Event]:
    """What a run was told, and then those nested in it."""
    yield _event("tags", at, key, tags=told.tags)
    yield _event("params", at, key, params=told.params)
    yield from (_event("input", at, key, **data.model_dump()) for data in told.inputs)
    yield from (_event("metrics", at, key, step=step, metrics=metrics) for step, metrics in _by_step(told.metrics))
    for target, file in told.artifacts.items():
        place = kept.place(file.path, file.md5) if file.size <= MOST_BYTES else None
        if place is not None and place.stat().st_size <= MOST_BYTES:
            yield _event("artifact", at, key, path=str(place), target=target, md5=file.md5)
    for number, one in enumerate(told.nested):
        yield _event("start", at, f"{key}.{number}", name=one.name)
        yield from _run(one, kept, at, f"{key}.{number}")
        if one.failed:
            yield _event("end", at, f"{key}.{number}", status="FAILED")


def _by_step(metrics: Mapping[str, list[tuple[int, float]]]) -> Iterator[tuple[int, dict[str, float]]]:
    """Metrics over time as they were logged: step by step, one that was told twice at a step twice."""
    points = sorted(
        (step, time, name, value) for name, told in metrics.items() for time, (step, value) in enumerate(told)
    )
    for step, at_step in groupby(points, key=lambda point: point[0]):
        batch: dict[str, float] = {}
        for _, _, name, value in at_step:
            if name in batch:
                yield step, batch
                batch = {}
            batch[name] = value
        yield step, batch


def _of_commit(result: Result) -> dict[str, str]:
    """What the commit tells of the run."""
    if not result.commits:
        return {}
    commit = result.commits[0]
    told = {"mlflow.source.git.commit": commit.code, "lab.git.dirty": "false"}
    named = {"lab.tag": commit.told.get("Tag"), "lab.ci": commit.told.get("Run")}
    named["lab.execution"] = commit.execution(result.stage)
    machines = commit.told.get("Machine", "").split("\n")
    named["lab.machine"] = next((one for one in machines if len(machines) == 1 or result.stage in one), None)
    return told | {name: value for name, value in named.items() if value}


def _devices(result: Result) -> set[Any]:
    """What the sections of its parameters say that it ran on."""
    return {section.get("device") for section in _sections(result.record).values() if isinstance(section, dict)}


def _sections(record: dict[str, Any]) -> dict[str, Any]:
    return dict(record.get("params", {}).get("params.yaml", {}))


def _as_key(path: str) -> str:
    """A path as the name of a tag, which MLflow holds to some letters."""
    return "".join(one if (one.isalnum() and one.isascii()) or one in "/_-. " else "_" for one in path)[:240]


def _event(kind: str, at: int, run: str = ROOT_RUN, **fields: Any) -> Event:
    return {"event": kind, "run": run, "time": at, **fields}
