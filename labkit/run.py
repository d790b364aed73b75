"""`make run`: check the parameters, make the environments, run `dvc repro`, show what came out."""

import os
from pathlib import Path

from rich.markup import escape

from labkit.git_cli import file_in, git, git_or_empty
from labkit.goals import read_goals
from labkit.launch import environments
from labkit.launch.kernels import chosen
from labkit.launch.launcher import execution_id, processes_of
from labkit.launch.limits import read_limits
from labkit.launch.machine import other_bytes, refuse_missing_device, this_machine
from labkit.paths import PROCESSES, ROOT
from labkit.pipeline.dependencies import NO_STAGES, declared_stages
from labkit.pipeline.leaderboard import read_leaderboard
from labkit.pipeline.parallel import reproduce
from labkit.pipeline.records import DVC_LOCK
from labkit.pipeline.tables import write_tables
from labkit.pipeline.uncached import refuse_uncached
from labkit.process.errors import InputError
from labkit.process.params import CommonParams, read_params
from labkit.publish.drift_tags import tag_drift
from labkit.publish.occurrences import results_here
from labkit.publish.view import shown_in_mlflow
from labkit.report.tables import print_summary
from labkit.terminal import PlainConsole
from labkit.tracking.journal import EXECUTION_VARIABLE
from labkit.tracking.tracker import deliver

# How long a finished pipeline waits until MLflow has its runs; the next run sends the rest.
DELIVERY_SECONDS = 15.0

NEXT_STEPS = """\
[bold]make ui[/]            every run, with its parameters, metrics and plots, in MLflow
[bold]dvc plots show[/]     the plots as one page
[bold]params.yaml[/]        change a parameter, and run again"""
COMMIT = "[bold]git add --all[/]      and commit: the results belong to the code and data that made them"
COMMITTED = "These are the committed results, byte for byte."


def run_pipeline(jobs: int | None = None) -> int:
    """Run the pipeline, `jobs` stages at once, print what came out, and return the exit code of `dvc repro`.

    Raises InputError when params.yaml, goals.yaml, a limit or an output of dvc.yaml is wrong or there is no Git
    repository, RuntimeError when an environment can't be made.
    """
    console = PlainConsole()
    os.chdir(ROOT)  # from wherever it was called
    if not git_or_empty("rev-parse", "--git-dir"):
        raise InputError(
            f"{ROOT} is not a Git repository, which DVC needs: clone the lab instead of downloading it, or "
            "`git init && git add --all && git commit --message Begin` there"
        )
    read_params(CommonParams)
    read_goals()
    read_leaderboard()
    read_limits()
    refuse_uncached()
    if not declared_stages():
        print(NO_STAGES)
        return 0
    for process in sorted(path.parent.name for path in PROCESSES.glob("*/params.py")):
        refuse_missing_device(process, chosen(process))
    with console.status("making the environments of the processes"):
        environments.make_all()
    execution = execution_id()
    before = lock_here()
    exit_code = reproduce(jobs, {**os.environ, EXECUTION_VARIABLE: execution})
    ran = processes_of(execution)
    if exit_code == 0 or ran:
        write_tables()
    if exit_code == 0:
        print_summary(console)
        console.print(f"Ran {', '.join(ran)}." if ran else "Nothing had to run: these results were here already.")
        for line in other_bytes(this_machine(), {process: chosen(process) for process in ran}):
            console.print(f"[yellow]other bytes[/]: {escape(line)}")
    send_runs(console, execution, is_news=bool(ran) or lock_here() != before)
    if exit_code == 0:
        console.print(NEXT_STEPS)
        console.print(COMMITTED if are_committed() else COMMIT)
    return exit_code


def are_committed() -> bool:
    """Whether all here is committed. dvc.lock itself is compared: Git can be told not to look at it."""
    return not git("status", "--porcelain") and file_in("HEAD", DVC_LOCK) == Path(DVC_LOCK).read_bytes()


def send_runs(console: PlainConsole, execution: str, is_news: bool) -> None:
    """Send MLflow the runs, bind them to their results, and print what it lacks; without news, do nothing."""
    if not is_news:
        return
    with console.status("sending the runs to MLflow"):
        pending = deliver(DELIVERY_SECONDS)
    if pending:
        reasons = escape("; ".join(dict.fromkeys(reason for _, reason in pending)))
        console.print(f"[yellow]not in MLflow yet[/]: {len(pending)} of these runs: {reasons}")
        console.print("Their results are safe. The next run sends them, or `python -m lab track`.")
        return
    with console.status("binding the runs to the results"):
        problems = [*filter(None, [*shown_in_mlflow(results_here(), ask_remote=False), tag_drift(execution, "HEAD")])]
    if problems:
        console.print(f"[yellow]not in MLflow yet[/]: {escape('; '.join(problems))}")
        console.print("The results are safe. `python -m lab publish` shows them there.")


def lock_here() -> bytes:
    """The text of dvc.lock; none where nothing has run yet."""
    return Path(DVC_LOCK).read_bytes() if Path(DVC_LOCK).exists() else b""
