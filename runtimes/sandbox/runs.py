"""Runs of the workflow: what a pushed tag starts on GitHub, act does here with the same file.

A run has a number, and each attempt at it a folder: run.json, log, and summary.md where a step wrote one.
"""

import json
import os
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict

from labkit.file_lock import locked
from labkit.git_cli import git_in
from labkit.process.errors import InputError
from labkit.process.files import read_json, write_json
from runtimes.sandbox.environment import part_environment, tool
from runtimes.sandbox.origin import command
from runtimes.sandbox.processes import end
from runtimes.sandbox.pushes import TAGS, Push, workflow_of
from runtimes.sandbox.services import SERVERS, answers
from runtimes.sandbox.state import REPOSITORY, Sandbox

TOOL_CACHE = "tool_cache"  # act's name for the folder that runners keep from run to run
FAILED = 1
NOBODY = 1  # a port that nothing answers at: there are no pull requests here
# act gives each step a terminal, at which DVC would wait for an answer. GitHub gives none: nor does this, in bash's
# place. And of a step that fails, act loses what it has not read by then.
BASH = """\
#!{bash}
[ -t 0 ] || exec {bash} "$@"
{bash} "$@" < /dev/null 2>&1 | cat
status=${{PIPESTATUS[0]}}
[ $status = 0 ] || sleep 0.2
exit $status
"""
TERMINAL_CODES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")

Report = Callable[[str], None]


class Step(BaseModel):
    """A step that has ended."""

    name: str
    outcome: str
    seconds: float


class RunnerRun(BaseModel):
    """An attempt at a run. Without an exit code it is running, or was killed."""

    model_config = ConfigDict(extra="forbid")

    number: int
    attempt: int
    tag: str
    sha: str
    exit_code: int | None = None
    steps: list[Step] = []


def folder_of(sandbox: Sandbox, run: RunnerRun) -> Path:
    """The folder of an attempt."""
    return sandbox.runs / str(run.number) / "attempts" / str(run.attempt)


def recorded_runs(sandbox: Sandbox) -> list[RunnerRun]:
    """All attempts at all runs, in their order."""
    found = [RunnerRun.model_validate(read_json(file)) for file in sandbox.runs.glob("*/attempts/*/run.json")]
    return sorted(found, key=lambda run: (run.number, run.attempt))


def rerun(sandbox: Sandbox, tag: str, report: Report = lambda line: None) -> int:
    """Try a tag's newest run again, as "Re-run jobs" does: the same run, the same commit, the next attempt.

    Each line of its log goes to `report`. Raises InputError when the tag has had no run.
    """
    with only_run(sandbox):
        earlier = [run for run in recorded_runs(sandbox) if run.tag == tag]
        if not earlier:
            had = dict.fromkeys(run.tag for run in recorded_runs(sandbox))
            raise InputError(f"{tag} has had no run; there are: {', '.join(had) or '-'}")
        last = earlier[-1]
        return execute(sandbox, RunnerRun(number=last.number, attempt=last.attempt + 1, tag=tag, sha=last.sha), report)


def new_run(sandbox: Sandbox, push: Push) -> RunnerRun:
    """The first attempt at a new run, of the commit that was pushed: the tag may have moved since, or be gone."""
    sha = git_in(sandbox.origin, "rev-parse", f"{push.sha}^{{commit}}")
    number = max((run.number for run in recorded_runs(sandbox)), default=0) + 1
    return RunnerRun(number=number, attempt=1, tag=push.tag, sha=sha)


@contextmanager
def only_run(sandbox: Sandbox) -> Iterator[None]:
    """Wait for the run that is at work, and keep others waiting."""
    sandbox.runs.mkdir(parents=True, exist_ok=True)
    with locked(sandbox.runs / "lock"):
        yield


def at_work(sandbox: Sandbox) -> bool:
    """Whether a run is at work."""
    sandbox.runs.mkdir(parents=True, exist_ok=True)
    with locked(sandbox.runs / "lock", wait=False) as is_mine:
        return not is_mine


def kill_run(sandbox: Sandbox) -> None:
    """Kill every process of the run that is at work, at once, as a power cut would; and what one has left behind."""
    end(sandbox.folder, "run", patience=0)


def execute(sandbox: Sandbox, run: RunnerRun, report: Report = lambda line: None) -> int:
    """Run the workflow and record it; return the exit code. It is called within `only_run`."""
    kill_run(sandbox)  # of a runner that was killed
    folder = folder_of(sandbox, run)
    record(sandbox, run)
    with (folder / "log").open("w", encoding="utf-8") as log:

        def write(line: str) -> None:
            print(line, file=log, flush=True)
            report(line)

        write(f"{run.tag}: run {run.number}, attempt {run.attempt}, commit {run.sha[:7]}")
        try:
            check_out(sandbox, run, folder / "checkout")
            run.exit_code = act(sandbox, run, folder, write)
        except (OSError, RuntimeError) as error:
            write(f"error: {error}")
            run.exit_code = FAILED
        finally:
            kill_run(sandbox)  # as GitHub's runner ends what a job leaves behind
            shutil.rmtree(folder / "checkout", ignore_errors=True)
        if run.exit_code:
            for server in SERVERS:
                if not answers(sandbox, server):
                    write(f"the sandbox's {server} does not answer: `make sandbox` starts it; then rerun {run.tag}")
        write(f"exit code {run.exit_code}")
    save(sandbox, run)
    return run.exit_code


def record(sandbox: Sandbox, run: RunnerRun) -> None:
    """Write down that there is a run, and give it its folder."""
    folder = folder_of(sandbox, run)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "log").touch()
    save(sandbox, run)


def save(sandbox: Sandbox, run: RunnerRun) -> None:
    """Write down how far a run is."""
    write_json(folder_of(sandbox, run) / "run.json", run.model_dump())


def check_out(sandbox: Sandbox, run: RunnerRun, folder: Path) -> None:
    """What actions/checkout leaves with `fetch-depth: 0`: every branch and tag of the origin, and a detached HEAD.

    The run's own tag is where it was pushed. act takes the folder as it is in the place of that action.
    """
    command(sandbox.folder, "git", "init", "--quiet", folder)
    git_in(folder, "remote", "add", "origin", str(sandbox.origin))
    fetch = ("fetch", "--quiet", "--no-tags", "--update-shallow", "origin")
    git_in(folder, *fetch, "+refs/heads/*:refs/remotes/origin/*", f"+{TAGS}*:{TAGS}*")
    tag = TAGS + run.tag
    if run.sha not in git_in(folder, "for-each-ref", "--format=%(objectname) %(*objectname)", tag).split():
        git_in(folder, *fetch, f"+{run.sha}:{tag}")
    git_in(folder, "-c", "advice.detachedHead=false", "checkout", "--quiet", "--detach", run.sha)


def act(sandbox: Sandbox, run: RunnerRun, folder: Path, write: Report) -> int:
    """Run act in the checkout; return its exit code."""
    work = sandbox.folder / "runner"
    keep_only(work, TOOL_CACHE)
    (work / TOOL_CACHE).mkdir(exist_ok=True)
    variables = part_environment(sandbox, "run")
    variables["PATH"] = f"{bash_without_terminal(sandbox)}{os.pathsep}{variables['PATH']}"
    with subprocess.Popen(
        act_command(sandbox, run, work),
        cwd=folder / "checkout",
        env=variables,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        encoding="utf-8",
        errors="replace",
    ) as process:
        assert process.stdout
        try:
            for line in process.stdout:
                read_line(sandbox, run, folder, line, write)
        finally:
            process.kill()
    return process.returncode


def bash_without_terminal(sandbox: Sandbox) -> Path:
    """The folder of a bash that steps run in."""
    folder = sandbox.folder / "bin"
    folder.mkdir(exist_ok=True)
    (folder / "bash").write_text(BASH.format(bash=tool("bash")))
    (folder / "bash").chmod(0o755)
    return folder


def keep_only(folder: Path, *names: str) -> None:
    """Make a folder, or empty it but for `names`: act leaves the workspace of a run that failed or was killed."""
    folder.mkdir(exist_ok=True)
    for path in folder.iterdir():
        if path.name not in names:
            shutil.rmtree(path)


def act_command(sandbox: Sandbox, run: RunnerRun, work: Path) -> list[str]:
    """The command line of act, and the files that it reads."""
    settings = sandbox.folder / "github"
    settings.mkdir(mode=0o700, exist_ok=True)
    event = {"ref": TAGS + run.tag, "after": run.sha, "created": True, "repository": {"full_name": REPOSITORY}}
    (settings / "event.json").write_text(json.dumps(event))
    (settings / "variables").write_text(
        f"AWS_ENDPOINT_URL={sandbox.s3_url}\nMLFLOW_TRACKING_URI={sandbox.mlflow_url}\n"
    )
    (settings / "secrets").write_text(
        f"MINIO_ACCESS_KEY_ID={sandbox.access_key}\nMINIO_SECRET_ACCESS_KEY={sandbox.secret_key}\n"
        "GITHUB_TOKEN=a-token-for-nothing\n"  # else act asks `gh` for the person's own
    )
    github = {
        "GITHUB_REPOSITORY": REPOSITORY,
        "GITHUB_SERVER_URL": sandbox.server_url,
        "GITHUB_API_URL": f"http://127.0.0.1:{NOBODY}",  # else act names GitHub's own
        "GITHUB_RUN_ID": str(run.number),
        "GITHUB_RUN_NUMBER": str(run.number),
        "GITHUB_RUN_ATTEMPT": str(run.attempt),
        "GITHUB_REF": TAGS + run.tag,  # several tags may name this commit
        "GITHUB_REF_NAME": run.tag,
    }
    return [
        *(tool("act"), "push", "--json", "--workflows", workflow_of(sandbox, run.sha, run.tag)),
        *("--eventpath", str(settings / "event.json")),
        *("--platform", "self-hosted=-self-hosted", "--no-cache-server", "--container-daemon-socket", "-"),
        *("--action-cache-path", str(work)),  # in which it makes workspaces, and RUNNER_TOOL_CACHE
        *("--secret-file", str(settings / "secrets"), "--var-file", str(settings / "variables")),
        *(word for name, value in github.items() for word in ("--env", f"{name}={value}")),
    ]


def read_line(sandbox: Sandbox, run: RunnerRun, folder: Path, line: str, write: Report) -> None:
    """Put a line of act's into the log, the steps or the summary."""
    try:
        entry: dict[str, Any] = json.loads(line)
    except ValueError:
        write(line.rstrip())
        return
    message = entry.get("msg", "").rstrip()
    if "job" not in entry and "docker" in message:  # which nothing here needs
        return
    if entry.get("command") == "summary":
        with (folder / "summary.md").open("a", encoding="utf-8") as summary:
            summary.write(entry["content"])
    elif entry.get("raw_output"):
        message = TERMINAL_CODES.sub("", message).rpartition("\r")[2]  # of a progress bar, its last state
        if message.strip():
            write(f"  | {message}")
    else:
        write(message)
    if "executionTime" in entry:
        seconds = entry["executionTime"] / 1e9
        run.steps.append(Step(name=entry["step"], outcome=entry["stepResult"], seconds=seconds))
        save(sandbox, run)
