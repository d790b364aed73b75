"""The pipeline as data, for an engine that runs its stages on several machines.

    python -m lab plan

An engine needs a loop over the stages and one command a stage, `python -m labkit.distribute task` (labkit/distribute).
Only what another machine can run from the commit and the DVC remote is planned.
"""

import os
from typing import Any, Literal

from pydantic import Field

from labkit.dvc_adapter.graph import Node, nodes_here
from labkit.dvc_adapter.repository import open_project
from labkit.dvc_adapter.storage import default_remote
from labkit.git_cli import git
from labkit.launch.limits import parse_limit
from labkit.paths import ROOT
from labkit.pipeline.dependencies import NO_STAGES
from labkit.pipeline.untracked import untracked_files
from labkit.process.errors import InputError
from labkit.process.params import Strict, validate

AROUND_SECONDS = 3600  # for the clone, a new environment and the data, beside the stage's own limit


class Resources(Strict):
    """What a stage asks of its machine, at `meta.resources` in dvc.yaml; an engine gives its own defaults for none."""

    cpu: float | None = Field(default=None, gt=0)  # cores
    memory: str | None = Field(default=None, pattern=r"^[1-9]\d*(Mi|Gi)$")
    gpu: int = Field(default=0, ge=0)


class PlannedStage(Strict):
    """A stage: `needs` are the stages that must have ended, paths are from the lab's root.

    `timeout` is how many seconds its task may take.
    """

    name: str
    command: list[str]
    needs: list[str]
    inputs: list[str]
    outputs: list[str]
    resources: Resources
    timeout: float | None


class Plan(Strict):
    """The stages that `dvc repro` runs at a commit, each after those that it needs."""

    version: Literal[2] = 2
    commit: str
    stages: list[PlannedStage]

    def stage(self, name: str) -> PlannedStage:
        """The stage with a name. Raises InputError where there is none."""
        if found := next((stage for stage in self.stages if stage.name == name), None):
            return found
        raise InputError(
            f"{name}: not a stage of the plan; there are: {', '.join(stage.name for stage in self.stages)}"
        )


def print_plan() -> None:
    """Print the plan as JSON. Raises InputError as `plan_here`."""
    os.chdir(ROOT)
    print(plan_here().model_dump_json(indent=2))


def plan_here() -> Plan:
    """The plan of the commit that is checked out in the working folder.

    Raises InputError with a line for each reason why other machines could not run it, or not the same.
    """
    refuse_uncommitted()
    with open_project() as project:
        if not default_remote(project):
            raise InputError(
                ".dvc/config: there is no DVC remote to exchange data by; `python -m lab setup` connects one"
            )
        nodes = nodes_here(project)
    if not nodes:
        raise InputError(NO_STAGES)
    if hindrances := [f"dvc.yaml: stages.{node.name}: {words}" for node in nodes for words in node.hindrances]:
        raise InputError("\n".join(hindrances))
    return Plan(commit=git("rev-parse", "HEAD"), stages=[_planned(node) for node in nodes])


def refuse_uncommitted() -> None:
    """Raise InputError where the files here differ from a clone of the commit."""
    changed = git("diff", "--name-only", "HEAD", "--", ".").splitlines()
    if found := [*changed, *untracked_files()]:
        raise InputError(
            f"{', '.join(found)}: not in the commit, which is all that other machines get; commit, and push"
        )


def _planned(node: Node) -> PlannedStage:
    meta = node.meta if isinstance(node.meta, dict) else {}
    return PlannedStage(
        name=node.name,
        command=node.command,
        needs=node.needs,
        inputs=node.inputs,
        outputs=node.outputs,
        resources=_resources(node.name, meta.get("resources") or {}),
        timeout=_timeout(node.name, meta["limit"]) if meta.get("limit") is not None else None,
    )


def _timeout(stage: str, limit: Any) -> float:
    return parse_limit(stage, str(limit)).seconds + AROUND_SECONDS


def _resources(stage: str, content: Any) -> Resources:
    place = f"dvc.yaml: stages.{stage}.meta.resources"
    if not isinstance(content, dict):
        raise InputError(f"{place} is {content!r:.60}; write cpu, memory and gpu below it, each with its number")
    return validate(Resources, content, place)
