"""Publish what a run has made: its data, its runs in MLflow, its commit, its summary; in this order.

    python -m lab publish run-example-1     after `dvc repro`, in a checkout of that tag

A commit never names data that the remote lacks. Whatever ends this in the middle, run again it goes on from there.
"""

import os
import shlex

from labkit.git_cli import git
from labkit.github import append_summary, error_line, github_run
from labkit.pipeline.changes import changed_params, changes_since
from labkit.pipeline.tables import tables_of_lock
from labkit.pipeline.uncached import refuse_nested, refuse_uncached
from labkit.process.errors import InputError
from labkit.publish.auto_register import register_candidate
from labkit.publish.branches import RESULTS_BRANCHES, Landing, push_results
from labkit.publish.data import push_data
from labkit.publish.drift_tags import tag_drift
from labkit.publish.message import INCOMPLETE, commit_message
from labkit.publish.occurrences import results_of
from labkit.publish.results_commit import commit_results, refuse_uncommitted
from labkit.publish.view import shown_in_mlflow
from labkit.report.markdown import command_line, plain
from labkit.report.outcomes import StageReport, newest_execution, stage_reports
from labkit.report.page import Publication, run_page
from labkit.tracking.journal import EXECUTION_VARIABLE
from labkit.tracking.tracker import deliver

DELIVERY_SECONDS = 60.0


def publish_results(tag: str) -> None:
    """Publish the results that are here as those of `tag`, and print where they are.

    Raises InputError when the DVC remote or the Git remote can't take them, or an output or a record is kept nowhere.
    """
    code = git("rev-parse", "HEAD")
    refuse_uncached()
    refuse_nested()
    refuse_uncommitted(code)
    execution = os.environ.get(EXECUTION_VARIABLE) or newest_execution()
    pending: list[tuple[str, str]] = []
    publication = Publication("**Not published**: publishing was interrupted", failed=True)
    try:
        changed = changes_since(code)
        print(f"Pushed {push_data([change.stage for change in changed])} files to the DVC remote.")
        for journal, reason in deliver(DELIVERY_SECONDS):
            print(f"::warning::not in MLflow yet: {journal.stem}: {reason}; the next run sends it")
            pending.append((journal.stem.partition("-")[2], reason))
        name, url = (run.name, run.url) if (run := github_run()) else (execution, execution)
        stages = stage_reports(execution)
        tell_failures(stages)
        message = commit_message(tag, code, url, execution, stages, changed_params(changed))
        results = commit_results(code, message, tables_of_lock())
        side_branch = f"{RESULTS_BRANCHES}{tag}-{name}"
        landing = push_results(results, side_branch) if results else Landing(nothing_new(stages))
        print(landing)
        if results:
            register_candidate(results, tag, stages)
        if not pending:
            for problem in filter(None, [*shown_in_mlflow(results_of(results or code)), tag_drift(execution, code)]):
                print(f"::warning::not in MLflow: {problem}")
        publication = Publication(as_markdown(landing), pending=pending)
    except (InputError, RuntimeError) as error:
        publication = Publication(f"**Not published**: {plain(str(error))}; {how_to_resume(tag)}", True, pending)
        raise InputError(f"{error}; {how_to_resume(tag)}") from error
    finally:
        page = run_page(execution, code, publication=publication)
        if not append_summary(page):
            print(page)


def how_to_resume(tag: str) -> str:
    """Say how to go on where publishing failed, as Markdown."""
    remedy = "*Re-run jobs*" if github_run() else command_line(f"python -m lab publish {shlex.quote(tag)}")
    return f"{remedy} goes on from there"


def nothing_new(stages: list[StageReport]) -> str:
    """Why there is nothing to commit: that is not a success where a stage was to run and did not."""
    undone = [f"{stage.stage} {stage.outcome}" for stage in stages if stage.outcome in INCOMPLETE]
    if undone:
        return f"Nothing was committed: no stage finished with new results ({', '.join(undone)})"
    return "Nothing new: the commit has these results already"


def as_markdown(landing: Landing) -> str:
    """Format where the results are, as Markdown."""
    return f"{plain(landing.where)}: {command_line(landing.command)}" if landing.command else plain(str(landing))


def tell_failures(stages: list[StageReport]) -> None:
    """Say on GitHub, at the top of the run, which stages failed and why."""
    for stage in stages:
        if stage.outcome == "failed" and github_run():
            print(error_line(stage.stage, stage.reason or "failed"))
