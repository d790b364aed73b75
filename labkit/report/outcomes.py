"""What one execution of the pipeline did with each stage."""

from pathlib import Path
from typing import Literal, NamedTuple

from dvc.stage import PipelineStage

from labkit.pipeline.stages import in_order, process_of, project, upstream_of
from labkit.tracking.journal import JOURNALS, TrackedRun, all_runs, runs_of_execution

Outcome = Literal["ran", "from cache", "failed", "not run"]


class StageReport(NamedTuple):
    """A stage, what became of it, how long its process took, and its run's page in MLflow, as far as there is one."""

    stage: str
    outcome: Outcome
    seconds: float | None
    url: str
    reason: str = ""  # why it failed, in its process's words
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
    runs = sorted(runs_of_execution(execution, folder), key=lambda run: run.status in ("", "FINISHED"))
    begun = {run.stage: run for run in runs}
    reports = []
    with project() as repo:
        current: set[PipelineStage] = set()
        for stage in in_order(repo):
            if is_current(stage) and current.issuperset(upstream_of(repo, stage)):
                current.add(stage)
            run = begun.get(process_of(stage))
            reports.append(_report(stage.addressing, run, stage in current))
    return reports


def is_current(stage: PipelineStage) -> bool:
    """Whether dvc.lock and the workspace agree on the stage, all its outs being here."""
    files = stage.outs if stage.frozen else [*stage.deps, *stage.outs]
    return not stage.changed_stage() and not any(file.status() for file in files)


def known_executions(folder: Path = JOURNALS) -> list[str]:
    """The pipeline executions that this machine knows of, the last first."""
    return list(dict.fromkeys(run.execution for run in reversed(all_runs(folder))))


def newest_execution(folder: Path = JOURNALS) -> str:
    """The last pipeline execution that this machine knows of; none where it knows of none."""
    return next(iter(known_executions(folder)), "")


def _report(stage: str, run: TrackedRun | None, current: bool) -> StageReport:
    if run is None:
        return StageReport(stage, "from cache" if current else "not run", None, "")
    if current:
        return StageReport(stage, "ran", run.seconds, run.url, machine=run.machine)
    return StageReport(stage, "failed", run.seconds, run.url, run.reason, run.machine)
