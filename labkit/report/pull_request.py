"""The page of a pull request: what a branch changes, read from what Git has of it and of its base. It needs no key.

    python -m lab pull-request [BASE]

It is a run's page with other questions: which parameters, which results that are not made yet, against where it parted.
"""

import shlex
from pathlib import Path
from typing import Any, NamedTuple

from labkit.dvc_adapter.repository import Project, open_project
from labkit.dvc_adapter.states import Stage, stages_here
from labkit.git_cli import file_in, git
from labkit.github import github_run
from labkit.goals import GOALS_FILE
from labkit.pipeline.input_changes import differences
from labkit.pipeline.records import DVC_LOCK
from labkit.pipeline.remote import limit_waiting
from labkit.pipeline.status import StageStatus, changes
from labkit.pipeline.tables import take_branchs_tables
from labkit.process.params import PARAMS_FILE
from labkit.process.strict_yaml import load_yaml, parse_yaml
from labkit.report.drawings import write_drawings
from labkit.report.markdown import Plot, code, draw, link, plain, table
from labkit.report.outcomes import StageReport
from labkit.report.page import (
    Metrics,
    changed_in,
    changed_inputs,
    changed_outputs,
    goals_section,
    headline,
    judged_goals,
    known_leaderboard,
    metrics_section,
    read_metrics,
    read_plots,
    shortened,
)

MOST_BYTES = 60_000  # a comment holds 65,536 characters


class Base(NamedTuple):
    """Where the branch parted from its base, and how many commits that changed results the base has had since."""

    commit: str
    newer: int


def branch_page(against: str, drawings: Path | None = None) -> str:
    """What HEAD changes since it parted from the revision `against`, as Markdown that fits into a comment.

    The plots go to the file `drawings` too, as a page. What the cache lacks is filled from Git, nothing else is
    written. Raises GitError when there is no such revision, InputError when dvc.yaml or params.yaml is wrong.
    """
    base = parted(against)
    take_branchs_tables(base.commit)
    with open_project() as project:
        states = stages_here(project)
        stale = stale_stages(project, states)
        changed = changed_outputs(states)
        missing = [out.path for stage in states if stage.name in stale for out in stage.outs] + changed
        limit_waiting(project)  # for what neither Git nor the cache has of the base
        here, before = read_metrics(project, "workspace", missing), read_metrics(project, base.commit)
        plots, _ = read_plots(project, missing)
        drawn = drawings is not None and write_drawings(project, base.commit, missing, drawings)
    goals, mistake = judged_goals(missing)
    board, _ = known_leaderboard()
    reports = [
        StageReport(stage.name, "not run" if stage.name in stale else "from cache", None, "") for stage in states
    ]
    first = [stage.name for stage in states if not stage.upstream]
    sections = [
        "## What this branch changes",
        headline(reports, here, before, goals, board),
        changed_section(changed),
        parameters_section(base),
        metrics_section(here, before, base.commit, changed_inputs(base.commit, first), missing, board),
        absent_section(states, stale, here),
        goals_section(goals, mistake) + changed_goals(base.commit),
        stages_section(states, stale, changed_in(base.commit)),
        plots_section(plots, drawn),
        source_section(),
    ]
    return shortened([section for section in sections if section], MOST_BYTES)


def parted(against: str) -> Base:
    """Where HEAD parted from a revision. Raises GitError when there is no such revision, or no commit of both."""
    commit = git("merge-base", "HEAD", against)
    newer = git("rev-list", "--count", f"{commit}..{against}", "--", DVC_LOCK)
    return Base(commit, int(newer))


def stale_stages(project: Project, stages: list[Stage]) -> dict[str, list[str]]:
    """The stages whose records in dvc.lock are not of what is here, and why. Their outputs may be anywhere."""
    stale: dict[str, list[str]] = {}
    by_name = {stage.name: stage for stage in stages}
    for stage in stages:
        upstream = [(by_name[name], StageStatus(name, "current", [], None)) for name in stage.upstream]
        reasons = changes(project, stage, upstream) if stage.ever_ran else ["never ran"]
        reasons = reasons or [f"after {name}" for name in stage.upstream if name in stale]
        if reasons:
            stale[stage.name] = reasons
    return stale


def parameters_section(base: Base) -> str:
    """Each parameter that differs, from which value to which."""
    told = [f"- {code(one)}" for one in differences(params_of(base.commit), load_yaml(PARAMS_FILE))]
    newer = (
        f"\n\n**The base has other results since** ({base.newer} commits): merge it, to compare with those."
        if base.newer
        else ""
    )
    return "### Parameters\n\n" + ("\n".join(told) or "All are as in the base.") + newer


def params_of(commit: str) -> Any:
    """The parameters of a commit; none where it has no file of them."""
    return parse_yaml(file_in(commit, str(PARAMS_FILE)) or b"", f"{PARAMS_FILE} of {commit[:10]}")


def changed_section(changed: list[str]) -> str:
    """The outputs that differ from dvc.lock, and so do not count."""
    if not changed:
        return ""
    command = code(f"git rm -r --cached {shlex.join(changed)}")
    return (
        f"**Not what dvc.lock records, and not shown**: {', '.join(map(code, changed))}. Where Git tracks them, "
        f"{command} has it leave them to DVC."
    )


def absent_section(stages: list[Stage], stale: dict[str, list[str]], here: Metrics) -> str:
    """Why there are no metrics, where there might be."""
    if here or all(stage.name in stale for stage in stages):
        return ""
    return (
        "**The metrics of this commit are not in Git**: `dvc pull && python -m lab tables` writes them there, to be "
        "committed with dvc.lock. (A runner's results commit has them.)"
    )


def changed_goals(base: str) -> str:
    """Whether the branch changes what it is judged by."""
    changed = git("diff", "--name-only", base, "--", str(GOALS_FILE.parent))
    return f"\n\n**This branch changes {code(changed.replace(chr(10), ', '))}**, which judge it." if changed else ""


def stages_section(stages: list[Stage], stale: dict[str, list[str]], changed: dict[str, str]) -> str:
    """Which stages have results of this branch, which have not, and what changed of their inputs."""
    lines = [
        [
            code(stage.name),
            f"**not run yet**: {plain('; '.join(stale[stage.name]))}" if stage.name in stale else "recorded",
            changed.get(stage.name, ""),
        ]
        for stage in stages
    ]
    return "### Stages\n\n" + table(["stage", "results", "changed since the base"], lines) if lines else ""


def plots_section(plots: list[Plot], drawn: bool) -> str:
    """The plots, folded in; and where they are drawn beside those of the base."""
    if not plots:
        return ""
    folded = ["<details>", f"<summary>{len(plots)} of this branch</summary>", *map(draw, plots), "</details>"]
    run = github_run()
    where = link("this run's artifacts", f"{run.url}#artifacts") if run else ""
    beside = f"Beside those of the base: `plots.html` in {where}.\n\n" if drawn and where else ""
    return f"### Plots\n\n{beside}" + "\n\n".join(folded)


def source_section() -> str:
    """Which commit this is of."""
    commit, run = git("rev-parse", "HEAD"), github_run()
    shown = link(commit[:7], f"{run.repository_url}/commit/{commit}") if run else code(commit[:7])
    return f"Of {shown}, from what Git and DVC have of it: nothing was run."
