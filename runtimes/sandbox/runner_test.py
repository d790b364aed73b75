"""Pushed tags become runs: which, in what order, with what around them. The workflow here is a small stand-in.

Then the sandbox goes down and comes back.
"""

import signal
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from labkit.git_cli import git_in
from labkit.process.errors import InputError
from labkit.testing.fixtures import Shell
from labkit.testing.ports import free_port
from labkit.testing.waiting import wait_until
from runtimes.sandbox.__main__ import describe
from runtimes.sandbox.processes import end, running
from runtimes.sandbox.pushes import WORKFLOW
from runtimes.sandbox.runs import folder_of, recorded_runs, rerun
from runtimes.sandbox.services import (
    SERVICES,
    answers,
    check,
    need_free_port,
    start_service,
    stop_service,
    wait_until_ready,
)
from runtimes.sandbox.start import down, up
from runtimes.sandbox.state import Sandbox
from runtimes.sandbox.watch import NO_RUN, follow_newest

pytestmark = pytest.mark.integration

WORKFLOW_TEXT = """
on:
  push:
    tags: [small-*]
jobs:
  experiment:
    runs-on: [self-hosted]
    env:
      KEY: ${{ secrets.MINIO_ACCESS_KEY_ID }}
    steps:
      - uses: actions/checkout@3d3c42e5aac5ba805825da76410c181273ba90b1
      - name: Tell
        run: |
          echo "$GITHUB_REPOSITORY $GITHUB_RUN_ID.$GITHUB_RUN_ATTEMPT $GITHUB_REF $(git rev-parse HEAD)"
          echo "its tag: $(git rev-parse "$GITHUB_REF^{}")"
          echo "branches: $(git branch --remotes --format '%(refname:short)')"
          echo "key: $KEY, mine: $MY_TOKEN, home: $HOME, identity: $(git config user.name)"
          echo "kept: $(cat "$RUNNER_TOOL_CACHE/kept" 2>/dev/null)"
          echo "$GITHUB_RUN_ID" > "$RUNNER_TOOL_CACHE/kept"
          [ -t 0 ] || [ -t 1 ] || echo "no terminal"
          echo "## Small" >> "$GITHUB_STEP_SUMMARY"
          setsid sleep 1000 > /dev/null 2>&1 &
      - name: Work
        run: sh work.sh
"""


@pytest.fixture(scope="module")
def sandbox(new_lab: Callable[[], Path], shell: Shell, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    """A sandbox whose workflow is the stand-in."""
    folder = tmp_path_factory.mktemp("platform") / "sandbox"
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("MY_TOKEN", "a-person's-own")
        try:
            sandbox = up(folder, free_port(), free_port(), source=new_lab())
            (sandbox.clone / WORKFLOW).write_text(WORKFLOW_TEXT)
            yield sandbox
        finally:
            down(folder)


@pytest.fixture
def push(sandbox: Sandbox, shell: Shell) -> Callable[..., None]:
    """Commit a script for the workflow's last step, and push it with tags, all in one."""

    def commit_and_push(script: str, *tags: str) -> None:
        (sandbox.clone / "work.sh").write_text(script)
        tagging = " && ".join(f"git tag {tag}" for tag in tags)
        shell(
            "git add --all && git commit --quiet --allow-empty --no-verify -m work && "
            f"{tagging} && git push --quiet --no-verify origin HEAD {' '.join(tags)}",
            sandbox.clone,
        )

    return commit_and_push


def test_a_pushed_tag_runs_as_on_a_runner_of_its_own(sandbox: Sandbox, push: Callable[..., None], shell: Shell) -> None:
    push("echo last words; exit 3", "small-1")
    log: list[str] = []
    assert follow_newest(sandbox, log.append) == 1
    commit = shell("git rev-parse HEAD", sandbox.clone).stdout.strip()
    text = "\n".join(log)
    assert f"sandbox/lab 1.1 refs/tags/small-1 {commit}" in text
    assert "branches: origin/main" in text
    assert f"key: ***, mine: , home: {sandbox.folder / 'home'}, identity:\n" in text
    assert "no terminal" in text
    assert "last words" in text
    (run,) = recorded_runs(sandbox)
    assert [(step.name, step.outcome) for step in run.steps[1:]] == [("Tell", "success"), ("Work", "failure")]
    assert (folder_of(sandbox, run) / "summary.md").read_text() == "## Small\n"
    assert running(sandbox.folder, "run") == []

    push("exit 0", "small-2")  # what the tag's own commit says is what runs again
    assert follow_newest(sandbox, log.append) == 0
    log.clear()
    stop_service(sandbox, "mlflow")
    assert rerun(sandbox, "small-1", log.append) == 1
    text = "\n".join(log)
    assert f"sandbox/lab 1.2 refs/tags/small-1 {commit}" in text
    assert "kept: 2" in text
    assert "the sandbox's mlflow does not answer: `make sandbox` starts it" in text
    assert "s3 does not answer" not in text
    with pytest.raises(InputError, match=r"nix has had no run; there are: small-1, small-2$"):
        rerun(sandbox, "nix")


def test_a_tag_that_starts_no_run_is_told_with_the_reason_and_replays_no_other_run(
    sandbox: Sandbox, push: Callable[..., None]
) -> None:
    with pytest.raises(InputError, match=r"smal-1 has not been pushed; `git push origin smal-1`$"):
        follow_newest(sandbox, print, "smal-1")
    push("exit 0", "small-good", "smal-1")
    log: list[str] = []
    assert follow_newest(sandbox, log.append) == NO_RUN
    assert log == [f"smal-1 started no run: at its commit, {WORKFLOW} runs for tags like small-*"]
    assert follow_newest(sandbox, log.append, "small-good") == 0
    assert log[-1] == "exit code 0"


def test_tags_of_one_push_run_one_after_the_other_with_the_commit_that_was_pushed(
    sandbox: Sandbox, push: Callable[..., None], shell: Shell
) -> None:
    gate = sandbox.folder / "gate"
    push(
        f"for i in $(seq 400); do [ ! -e {gate} ] || exit 0; sleep 0.05; done; exit 1", "small-b", "small-a", "small-c"
    )

    def report(line: str) -> None:
        if line.startswith("waiting for small-b, whose log is ") and line.endswith("then comes small-a, small-c"):
            first = git_in(sandbox.clone, "rev-list", "--max-parents=0", "HEAD")
            shell(f"git push --no-verify origin +{first}:refs/tags/small-a :refs/tags/small-c", sandbox.clone)
            gate.touch()  # without which small-b fails

    assert follow_newest(sandbox, report) == 0
    commit = git_in(sandbox.clone, "rev-parse", "HEAD")
    assert {run.sha for run in recorded_runs(sandbox)[-3:]} == {commit}
    for run in recorded_runs(sandbox)[-3:]:
        assert f"its tag: {commit}" in (folder_of(sandbox, run) / "log").read_text()
    assert [run.tag for run in recorded_runs(sandbox)][-3:] == ["small-b", "small-a", "small-c"]
    assert [run.exit_code for run in recorded_runs(sandbox)][-3:] == [0, 0, 0]


def test_a_run_killed_with_its_runner_waits_for_a_rerun(sandbox: Sandbox, push: Callable[..., None]) -> None:
    begun = sandbox.folder / "begun"
    push(f'[ "$GITHUB_RUN_ATTEMPT" = 2 ] || {{ touch {begun}; sleep 1000; }}', "small-killed")
    wait_until(begun.exists)
    end(sandbox.folder, "runner", "run", patience=0)
    log: list[str] = []
    assert follow_newest(sandbox, log.append) == 1
    assert "was killed; `python -m runtimes.sandbox rerun small-killed`" in log[-1]

    start_service(sandbox, "runner")
    wait_until_ready(sandbox, "runner")
    push("true", "small-after")
    assert follow_newest(sandbox, log.append) == 0
    assert [run.tag for run in recorded_runs(sandbox)].count("small-killed") == 1
    assert rerun(sandbox, "small-killed") == 0
    assert [(run.attempt, run.exit_code) for run in recorded_runs(sandbox) if run.tag == "small-killed"] == [
        (1, None),
        (2, 0),
    ]


def ports(processes: list[psutil.Process]) -> set[tuple[str, int]]:
    """The addresses on which processes listen."""
    pids = {process.pid for process in processes}
    listening = [c for c in psutil.net_connections() if c.pid in pids and c.status == psutil.CONN_LISTEN]
    return {(c.laddr.ip, c.laddr.port) for c in listening if c.laddr}


def send(sandbox: Sandbox, part: str, what: signal.Signals) -> None:
    """Send a signal to each process of a part."""
    for process in running(sandbox.folder, part):
        process.send_signal(what)


def test_it_goes_down_and_comes_back_and_what_of_it_died_or_hangs_is_replaced(sandbox: Sandbox, shell: Shell) -> None:
    folder = sandbox.folder
    (sandbox.clone / "notes.txt").write_text("work in progress")
    stop_service(sandbox, "mlflow")
    assert down(folder) == ["s3", "runner"]
    assert running(folder) == []
    with pytest.raises(InputError, match=f"made for port {sandbox.s3_port}, not 1234"):
        up(folder, s3_port=1234)
    clash = pytest.raises(InputError, match=f"port {sandbox.s3_port} .* for which this sandbox was made; or .*rm -rf")
    with socket.create_server(("127.0.0.1", sandbox.s3_port)), clash:
        up(folder)
    assert running(folder) == []

    assert up(folder) == sandbox
    for service in SERVICES:
        check(sandbox, service)
    assert ports(running(folder)) == {("127.0.0.1", sandbox.s3_port), ("127.0.0.1", sandbox.mlflow_port)}
    assert (sandbox.clone / "notes.txt").read_text() == "work in progress"
    assert "git pull --rebase && dvc pull" in describe(sandbox)
    shell(".venv/bin/python -m lab doctor", sandbox.clone, MLFLOW_TRACKING_URI=sandbox.mlflow_url)

    with (sandbox.logs / "runner.log").open("a") as log:
        log.write("run-example: exit code 0\n" * 100)  # a runner that has long been at work is not a silent one
    before = set(running(folder))
    up(folder)
    assert set(running(folder)) == before

    mlflow = set(running(folder, "mlflow"))
    send(sandbox, "s3", signal.SIGTERM)
    send(sandbox, "runner", signal.SIGSTOP)
    up(folder)
    assert before & set(running(folder)) == mlflow
    assert all(answers(sandbox, service) for service in SERVICES)

    send(sandbox, "mlflow", signal.SIGSTOP)
    assert not answers(sandbox, "mlflow")
    assert down(folder) == list(SERVICES)
    assert running(folder) == []
    for port in (sandbox.s3_port, sandbox.mlflow_port):
        need_free_port(port, "", "")
