"""Pushed tags become runs: which, in what order, with what around them. The workflow here is a small stand-in."""

import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tenacity import Retrying, retry_if_result, stop_after_delay, wait_fixed

from labkit.process.errors import InputError
from labkit.testing.fixtures import Shell
from labkit.testing.ports import free_port
from runtimes.sandbox.processes import running
from runtimes.sandbox.runs import WORKFLOW, folder_of, recorded_runs, rerun
from runtimes.sandbox.services import start_service, stop_service, wait_until_ready
from runtimes.sandbox.start import down, up
from runtimes.sandbox.state import Sandbox
from runtimes.sandbox.watch import follow_newest

pytestmark = pytest.mark.integration

WAIT_SECONDS = 120  # for what takes seconds on a quiet machine
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


def wait_for(condition: Callable[[], bool]) -> None:
    """Wait until something is so."""
    patiently = stop_after_delay(WAIT_SECONDS)
    Retrying(retry=retry_if_result(lambda so: not so), stop=patiently, wait=wait_fixed(0.05))(condition)


def test_a_pushed_tag_runs_as_on_a_runner_of_its_own(sandbox: Sandbox, push: Callable[..., None], shell: Shell) -> None:
    push("echo last words; exit 3", "small-1", "other-1")
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


def test_tags_of_one_push_run_one_after_the_other(sandbox: Sandbox, push: Callable[..., None]) -> None:
    gate = sandbox.folder / "gate"
    push(
        f"for i in $(seq 400); do [ ! -e {gate} ] || exit 0; sleep 0.05; done; exit 1", "small-b", "small-a", "small-c"
    )

    def report(line: str) -> None:
        if line.startswith("waiting for small-b, whose log is ") and line.endswith("then comes small-a, small-c"):
            gate.touch()  # without which small-b fails

    assert follow_newest(sandbox, report) == 0
    assert [run.tag for run in recorded_runs(sandbox)][-3:] == ["small-b", "small-a", "small-c"]
    assert [run.exit_code for run in recorded_runs(sandbox)][-3:] == [0, 0, 0]


def test_a_run_killed_with_its_runner_waits_for_a_rerun(sandbox: Sandbox, push: Callable[..., None]) -> None:
    push('[ "$GITHUB_RUN_ATTEMPT" = 2 ] || sleep 1000', "small-killed")
    wait_for(lambda: any(p.name() == "sleep" and p.parent() for p in running(sandbox.folder, "run")))
    for process in running(sandbox.folder, "runner", "run"):
        process.send_signal(signal.SIGKILL)
    wait_for(lambda: not running(sandbox.folder, "runner", "run"))
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
