"""Look at a run while it is at work."""

import shlex
import time
from collections.abc import Sequence

from labkit.process.errors import InputError
from runtimes.sandbox.processes import running
from runtimes.sandbox.pushes import Push, no_run, pushed, waiting
from runtimes.sandbox.runs import FAILED, Report, RunnerRun, at_work, folder_of, recorded_runs
from runtimes.sandbox.state import Sandbox

POLL_SECONDS = 0.2
NO_RUN = 3  # no exit code of a run's, nor of a command line that is wrong


def follow_newest(sandbox: Sandbox, report: Report, tag: str = "") -> int:
    """Report the log of the run of `tag`, or of the tag pushed last, until it ends; return its exit code.

    A tag that waits for its turn is waited for. For one that starts no run, report why and return NO_RUN.
    Raises InputError when there is no such tag, or nobody to run it.
    """
    push = newest(sandbox, tag)
    if reason := no_run(sandbox, push):
        report(f"{push.tag} started no run: {reason}")
        return NO_RUN
    told = ""
    while push in (ahead := waiting(sandbox)):
        if not running(sandbox.folder, "runner"):
            raise InputError("a tag waits, and the runner is not there; `make sandbox` starts it")
        if at_work(sandbox) and (line := behind(sandbox, ahead)) != told:
            report(line)
            told = line
        time.sleep(POLL_SECONDS)
    return follow(sandbox, [run for run in recorded_runs(sandbox) if run.tag == push.tag][-1], report)


def newest(sandbox: Sandbox, tag: str) -> Push:
    """The last push of `tag`, or of any tag. Raises InputError when there is none."""
    if pushes := [push for push in pushed(sandbox) if push.tag and tag in ("", push.tag)]:
        return pushes[-1]
    if tag:
        raise InputError(f"{tag} has not been pushed; `git push origin {shlex.quote(tag)}`")
    raise InputError("nothing has run yet; `git tag run-example-1 && git push origin run-example-1`")


def behind(sandbox: Sandbox, pushes: Sequence[Push]) -> str:
    """What the waiting tags wait for."""
    logs = {folder_of(sandbox, run) / "log": run.tag for run in recorded_runs(sandbox) if run.exit_code is None}
    newest_log = max(logs, key=lambda log: log.stat().st_mtime, default=None)  # others were killed
    ahead = f"{logs[newest_log]}, whose log is {newest_log}" if newest_log else "the run at work"
    return f"waiting for {ahead}; then comes {', '.join(push.tag for push in pushes if push.tag)}"


def follow(sandbox: Sandbox, run: RunnerRun, report: Report) -> int:
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
    report(f"run {run.number} was killed; `python -m runtimes.sandbox rerun {shlex.quote(run.tag)}` tries again")
    return FAILED


def now(sandbox: Sandbox, run: RunnerRun) -> RunnerRun:
    """The run as it is now."""
    return next(r for r in recorded_runs(sandbox) if (r.number, r.attempt) == (run.number, run.attempt))
