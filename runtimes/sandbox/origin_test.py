"""What the sandbox tells other processes where every user of the machine can read it."""

from pathlib import Path

import pytest

from runtimes.sandbox import runs, services, state
from runtimes.sandbox.origin import command, connection
from runtimes.sandbox.runs import RunnerRun, act_command

pytestmark = pytest.mark.unittest


def test_the_secret_key_is_on_no_command_line_but_in_the_environment(tmp_path: Path) -> None:
    sandbox = state.new(tmp_path / "sandbox", 9010, 5010)
    assert sandbox.secret_key not in connection(sandbox)
    assert command(tmp_path, "printenv", "THE_KEY", THE_KEY=sandbox.secret_key) == sandbox.secret_key


def test_no_program_that_the_sandbox_starts_has_the_secret_key_on_its_command_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runs, "workflow_of", lambda *_: "a workflow")  # of a commit in the origin
    sandbox = state.new(tmp_path / "sandbox", 9010, 5010)
    sandbox.folder.mkdir(parents=True, exist_ok=True)
    run = RunnerRun(number=1, attempt=1, tag="run-example-1", sha="0" * 40)
    commands = [services.s3(sandbox)[0], services.mlflow(sandbox)[0], act_command(sandbox, run, tmp_path)]
    assert [word for command in commands for word in command if sandbox.secret_key in word] == []
