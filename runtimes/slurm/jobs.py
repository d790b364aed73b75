"""The jobs of a plan: one for each stage, and at last one that publishes.

A job is called TAG:STAGE, the last one TAG: Git takes no tag with a colon. Jobs and logs are found by these names.
"""

import math
import sys
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote

from labkit.pipeline.plan import Plan, PlannedStage

LOGS = Path(".lab/slurm")


class Job(NamedTuple):
    """A job: `needs` are the names of those that must have succeeded before, or only ended where it `publishes`."""

    name: str
    needs: list[str]
    command: list[str]
    resources: list[str]
    publishes: bool = False


def jobs_of(plan: Plan, tag: str) -> list[Job]:
    """The jobs of a plan, each after those that it needs."""
    every = [f"{tag}:{stage.name}" for stage in plan.stages]
    own = ["--execution", tag, "--commit", plan.commit]
    jobs = [
        Job(
            name,
            [f"{tag}:{needed}" for needed in stage.needs],
            _call("task", *own, "--", stage.name),
            _options(stage),
        )
        for name, stage in zip(every, plan.stages, strict=True)
    ]
    return [*jobs, Job(tag, every, _call("finish", *own), [], publishes=True)]


def log_of(job: str) -> Path:
    """Where a job's words go, from the lab's root."""
    return LOGS / f"{quote(job, safe='@:')}.log"


def tag_of(job: str) -> str:
    """The tag that a job is of."""
    return job.partition(":")[0]


def _call(*words: str) -> list[str]:
    return [sys.executable, "-m", "labkit.distribute", *words]


def _options(stage: PlannedStage) -> list[str]:
    """What a stage asks of its machine; the cluster has defaults for the rest."""
    cpu, memory, gpu = stage.resources.cpu, stage.resources.memory, stage.resources.gpu
    options = {
        "cpus-per-task": math.ceil(cpu) if cpu else None,
        "mem": memory and memory.removesuffix("i"),  # SLURM's M is 2**20 bytes
        "gpus": gpu or None,
        "time": math.ceil(stage.timeout / 60) if stage.timeout else None,  # minutes
    }
    return [f"--{name}={value}" for name, value in options.items() if value is not None]
