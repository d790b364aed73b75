"""Look at a run while it is at work."""

import time

from labkit.process.errors import InputError
from runtimes.sandbox.processes import running
from runtimes.sandbox.runner import TAGS, waiting
from runtimes.sandbox.runs import FAILED, Report, Run, at_work, folder_of, recorded_runs
from runtimes.sandbox.state import Sandbox

POLL_SECONDS = 0.2


def follow_newest(sandbox: Sandbox, report: Report) -> int:
    """Report the log of the newest run, until it ends; return its exit code. A tag just pushed is waited for.

    Raises InputError when nothing has run, and nothing will.
    """
    told = ""
    while tags := [push.rpartition(TAGS)[2] for push in waiting(sandbox) if TAGS in push]:
        if not running(sandbox.folder, "runner"):
            raise InputError("a tag waits, and the runner is not there; `make sandbox` starts it")
        if at_work(sandbox) and (line := behind(sandbox, tags)) != told:
            report(line)
            told = line
        time.sleep(POLL_SECONDS)
    if not (known := recorded_runs(sandbox)):
        raise InputError("nothing has run yet; `git tag run-example-1 && git push origin run-example-1`")
    return follow(sandbox, known[-1], report)


def behind(sandbox: Sandbox, tags: list[str]) -> str:
    """What the waiting tags wait for."""
    logs = {folder_of(sandbox, run) / "log": run.tag for run in recorded_runs(sandbox) if run.exit_code is None}
    newest = max(logs, key=lambda log: log.stat().st_mtime, default=None)  # others were killed
    ahead = f"{logs[newest]}, whose log is {newest}" if newest else "the run at work"
    return f"waiting for {ahead}; then comes {', '.join(tags)}"


def follow(sandbox: Sandbox, run: Run, report: Report) -> int:
    """Report the log of a run until it ends, and return its exit code."""
    with (folder_of(sandbox, run) / "log").open(encoding="utf-8", errors="replace") as log:
        ended = False
        while not ended:
            ended = not at_work(sandbox) or now(sandbox, run).exit_code is not None
            for line in log.readlines():
                report(line.rstrip("\n"))
            if not ended:
                time.sleep(POLL_SECONDS)
    if (exit_code := now(sandbox, run).exit_code) is not None:
        return exit_code
    report(f"run {run.number} was killed; `python -m runtimes.sandbox rerun {run.tag}` tries again")
    return FAILED


def now(sandbox: Sandbox, run: Run) -> Run:
    """The run as it is now."""
    return next(r for r in recorded_runs(sandbox) if (r.number, r.attempt) == (run.number, run.attempt))
