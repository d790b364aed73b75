"""What one execution of the pipeline did with each stage."""

import shutil
from pathlib import Path
from typing import Literal, NamedTuple

from labkit.dvc_adapter.repository import open_project
from labkit.dvc_adapter.states import Stage, stages_here
from labkit.pipeline.stages import process_of
from labkit.tracking.journal import JOURNALS, TrackedRun, all_runs, runs_of_execution

Outcome = Literal["ran", "from cache", "failed", "not run"]


class StageReport(NamedTuple):
    """A stage, what became of it, how long its process took, and its run's page in MLflow, as far as there is one."""

    stage: str
    outcome: Outcome
    seconds: float | None
    url: str
    reason: str = ""  # why it failed, in its process's words where it has any
    machine: str = ""  # what it ran on, as far as that decides the bytes


def machines(stages: list[StageReport]) -> list[str]:
    """What the stages ran on; each with its stages where that differs."""
    ran: dict[str, list[str]] = {}
    for stage in stages:
        if stage.machine:
            ran.setdefault(stage.machine, []).append(stage.stage)
    return [*ran] if len(ran) == 1 else [f"{machine} ({', '.join(names)})" for machine, names in ran.items()]


def stage_reports(execution: str, folder: Path = JOURNALS) -> list[StageReport]:
    """Report each stage, in the order of the pipeline. No data is pulled.

    Raises InputError when dvc.yaml is wrong.
    """
    with open_project() as project:
        return reports_of(stages_here(project), execution, folder)


def reports_of(stages: list[Stage], execution: str, folder: Path) -> list[StageReport]:
    """Report each of these stages, which come in the order of the pipeline."""
    runs = sorted(runs_of_execution(execution, folder), key=lambda run: run.status in ("", "FINISHED"))
    begun = {run.stage: run for run in runs}
    reports = []
    current: set[str] = set()
    for stage in stages:
        if stage.is_current and current.issuperset(stage.upstream):
            current.add(stage.name)
        reports.append(_report(stage.name, begun.get(process_of(stage.command)), stage.name in current))
    return reports


def unrecorded() -> str:
    """Why a stage is not done though its process is: DVC failed to keep its outputs, for a full disk above all."""
    cache = next(place for place in (Path(".dvc/cache"), Path()) if place.exists())
    free = shutil.disk_usage(cache).free / (1 << 30)
    return f"its process finished, but DVC did not record what is here: see the log ({free:.1f} GiB free for its cache)"


def newest_execution(folder: Path = JOURNALS) -> str:
    """The last pipeline execution that this machine knows of; none where it knows of none."""
    return next((run.execution for run in reversed(all_runs(folder))), "")


def _report(stage: str, run: TrackedRun | None, current: bool) -> StageReport:
    if run is None:
        return StageReport(stage, "from cache" if current else "not run", None, "")
    if current:
        return StageReport(stage, "ran", run.seconds, run.url, machine=run.machine)
    reason = run.reason or (unrecorded() if run.status == "FINISHED" else "")
    return StageReport(stage, "failed", run.seconds, run.url, reason, run.machine)
