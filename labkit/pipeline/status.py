"""What `dvc repro` would run, and why: dvc.lock compared with the code, the parameters and the data that are here.

    python -m lab status

Nothing is run, pulled or written, and nothing needs to have been pulled.
"""

import os
import re
from pathlib import Path
from typing import Literal, NamedTuple

from rich.markup import escape

from labkit.dvc_adapter.repository import Project, open_project
from labkit.dvc_adapter.states import File, Stage, ran_before, stages_here
from labkit.dvc_adapter.storage import default_remote, remotes
from labkit.git_cli import git_or_empty
from labkit.paths import ROOT, overlaps
from labkit.pipeline.dependencies import NO_STAGES
from labkit.pipeline.forged import forged_here
from labkit.pipeline.input_changes import changes_of, param_changes, some
from labkit.pipeline.stages import duration, process_of
from labkit.pipeline.tables import REMEDY, stale_tables
from labkit.pipeline.uncached import refuse_uncached
from labkit.process.params import CommonParams, read_params
from labkit.terminal import PlainConsole
from labkit.tracking.journal import JOURNALS, last_seconds

Forecast = Literal["runs", "may run", "cached", "restored", "not here", "current"]


class StageStatus(NamedTuple):
    """What `dvc repro` would do with a stage, why, and how long its process took when it last ran."""

    stage: str
    forecast: Forecast
    reasons: list[str]
    seconds: float | None


Upstream = list[tuple[Stage, StageStatus]]  # the stages whose outputs a stage reads


def print_status() -> None:
    """Print a line for each stage that is not up to date, and one on the whole.

    Raises InputError when dvc.yaml, params.yaml or a file is wrong.
    """
    console = PlainConsole(soft_wrap=True, highlight=False)
    os.chdir(ROOT)
    read_params(CommonParams)  # what every run refuses
    refuse_uncached()
    for forged in forged_here():
        remedy = "python -m lab mend" if forged.certain else f"dvc repro --force --single-item {forged.stage}"
        console.print(f"[bold red]{escape(forged.stage)}[/]: {escape(str(forged))}: `{escape(remedy)}`")
    if stale := stale_tables():
        console.print(f"[bold red]not the results of dvc.lock[/]: {escape(some(stale))}: {REMEDY}")
    stages = pipeline_status()
    for stage in stages:
        if stage.forecast != "current":
            console.print(line(stage))
    console.print(conclusion(stages) if stages else NO_STAGES)


def line(stage: StageStatus) -> str:
    """One stage as rich's markup."""
    said = [*stage.reasons]
    if stage.seconds is not None and stage.forecast in ("runs", "may run", "not here"):
        said.append(f"took {duration(stage.seconds)} last time")
    return f"[bold]{escape(stage.stage)}[/]: {escape('; '.join(said))}"


def conclusion(stages: list[StageStatus]) -> str:
    """What would run, in one sentence."""
    names = {word: [stage for stage in stages if stage.forecast == word] for word in ("runs", "may run")}
    if not any(names.values()):
        away = any(stage.forecast == "not here" for stage in stages)
        return "Nothing would run once they are pulled." if away else "Nothing would run."
    known = [stage.seconds for stage in stages if stage.forecast in names and stage.seconds is not None]
    parts = [f"{len(names['runs'])} of {len(stages)} stages would run"]
    parts += [f"{len(names['may run'])} may"] if names["may run"] else []
    parts += [f"{duration(sum(known))} together, by last time"] if known else []
    return f"{', '.join(parts)}."


def pipeline_status(journals: Path = JOURNALS) -> list[StageStatus]:
    """The status of each stage, in the order of the pipeline. Raises InputError when dvc.yaml or a file is wrong."""
    here, elsewhere = last_seconds(journals), seconds_in_git()
    found: dict[str, StageStatus] = {}
    with open_project() as project:
        stages = {stage.name: stage for stage in stages_here(project)}
        for stage in stages.values():
            upstream = [(stages[name], found[name]) for name in stage.upstream]
            forecast, reasons = forecast_of(project, stage, upstream)
            seconds = here.get(process_of(stage.command), elsewhere.get(stage.name))
            found[stage.name] = StageStatus(stage.name, forecast, reasons, seconds)
    return list(found.values())


def forecast_of(project: Project, stage: Stage, upstream: Upstream) -> tuple[Forecast, list[str]]:
    """What would be done with a stage, and why, when that is known of those before it."""
    if not stage.ever_ran:
        return "runs", ["never ran"]
    doubts, reasons = doubtful_inputs(stage, upstream), changes(project, stage, upstream)
    if reasons and not doubts and ran_before(project, stage.name):
        return "cached", [*reasons, "this state ran before: restored from the cache"]
    if reasons:
        return "runs", reasons
    gone = not all(out.is_cached for out in kept(stage)) and not (default_remote(project) or remotes(project))
    if doubts and not gone:
        return "may run", [f"may run again: {', '.join(doubts)}"]
    if gone:
        return "runs", ["its outputs are not in the cache, and there is no DVC remote to pull them from"]
    return outputs_here(stage)


def changes(project: Project, stage: Stage, upstream: Upstream) -> list[str]:
    """What is not as dvc.lock recorded it: the command, the inputs, the parameters, which outputs there are."""
    reasons = ["its command changed"] if stage.command_changed else []
    reasons += ["runs each time (always_changed)"] if stage.always_runs else []
    for file in stage.inputs:
        made = makers(file, upstream)
        reasons += other_version(file, made[-1][1]) if made else changes_of(project, file)
    reasons += [change for params in stage.params for change in param_changes(params)]
    return reasons + [f"new output {out.path}" for out in stage.outs if not out.recorded]


def makers(file: File, upstream: Upstream) -> list[tuple[StageStatus, File]]:
    """The stages that make an input, each with the output that is it, holds it or lies in it."""
    return [(status, out) for stage, status in upstream for out in stage.outs if overlaps(file.place, [out.place])]


def other_version(file: File, out: File) -> list[str]:
    """Whether dvc.lock's record is of another input than the stage before it recorded as its output."""
    if not file.recorded:
        return [f"new dependency {file.path}"]
    whole = file.place == out.place  # else a part of an output, or a folder that holds one: known where it is here
    differs = file.recorded != out.recorded if whole else file.state == "modified"
    return [f"its input {file.path} changed since it ran"] if differs else []


def doubtful_inputs(stage: Stage, upstream: Upstream) -> list[str]:
    """The inputs that a stage before it may make again, a clause for each of these stages."""
    clauses = []
    made = {file.path: makers(file, upstream)[-1:] for file in stage.inputs}
    for _, before in upstream:
        read = [path for path, maker in made.items() for status, _ in maker if status is before]
        if read and before.forecast in ("runs", "may run", "cached"):
            clause = f"input {read[0]} comes" if len(read) == 1 else f"inputs {some(read)} come"
            clauses.append(f"its {clause} from {before.stage}")
    return clauses


def kept(stage: Stage) -> list[File]:
    """The outputs that DVC's cache is to have."""
    return [out for out in stage.outs if out.keeps_copy]


def outputs_here(stage: Stage) -> tuple[Forecast, list[str]]:
    """What `dvc repro` would do with a stage whose record holds."""
    changed = [f"{out.path} is {out.state}" for out in kept(stage) if out.state]
    if not all(out.is_cached for out in kept(stage)):
        where = "here" if changed else "in the cache"
        return "not here", [f"its outputs are not {where}: `dvc pull`, or `dvc repro` runs it again"]
    return ("restored", [f"{some(changed)}: restored from the cache"]) if changed else ("current", [])


def seconds_in_git() -> dict[str, float]:
    """How long each process took when it last ran anywhere, by the trailers of results commits."""
    seconds: dict[str, float] = {}
    told = git_or_empty("log", "--max-count=200", "--grep=^Ran: ", "--format=%(trailers:key=Ran,valueonly)")
    for stage, number in re.findall(r"^(\S+) \((\d+(?:\.\d+)?) s\)$", told, re.MULTILINE):
        seconds.setdefault(stage, float(number))
    return seconds
