"""A sandbox is there or not there: whatever goes wrong while it starts, nothing is left behind."""

import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
from tenacity import Retrying, retry_if_result, stop_after_delay, wait_fixed

from labkit.paths import ROOT
from labkit.process.errors import InputError
from labkit.testing.fixtures import Shell
from labkit.testing.ports import free_port
from runtimes.sandbox.__main__ import describe
from runtimes.sandbox.processes import running
from runtimes.sandbox.services import SERVICES, answers, check, need_free_port, stop_service
from runtimes.sandbox.start import down, up

pytestmark = pytest.mark.integration

WAIT_SECONDS = 120  # for what takes seconds on a quiet machine
START = "import sys; from pathlib import Path; from runtimes.sandbox.start import up; up(Path(sys.argv[1]), *{})"


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """Where a sandbox may be."""
    yield tmp_path / "sandbox"
    down(tmp_path / "sandbox")


def break_off(folder: Path, how: signal.Signals) -> None:
    """Start a sandbox in another process, and send that a signal once S3 and MLflow have been started."""
    code = START.format((free_port(), free_port()))
    with subprocess.Popen([sys.executable, "-c", code, str(folder)], cwd=ROOT, stderr=subprocess.DEVNULL) as process:
        wait_for(lambda: bool(running(folder, "mlflow")))
        process.send_signal(how)


def wait_for(condition: Callable[[], bool]) -> None:
    """Wait until something is so."""
    patiently = stop_after_delay(WAIT_SECONDS)
    Retrying(retry=retry_if_result(lambda so: not so), stop=patiently, wait=wait_fixed(0.05))(condition)


def ports(processes: list[psutil.Process]) -> set[tuple[str, int]]:
    """The addresses on which processes listen."""
    listening = [c for p in processes for c in p.net_connections() if c.status == psutil.CONN_LISTEN]
    return {(connection.laddr.ip, connection.laddr.port) for connection in listening}


def test_a_sandbox_over_the_remains_of_a_killed_start_answers_goes_down_and_comes_back(
    folder: Path, new_lab: Callable[[], Path], shell: Shell
) -> None:
    break_off(folder, signal.SIGKILL)
    remains = running(folder)
    assert remains

    lab = new_lab()
    sandbox = up(folder, free_port(), free_port(), source=lab)
    assert not set(remains) & set(running(folder))
    for service in SERVICES:
        check(sandbox, service)
    assert ports(running(folder)) == {("127.0.0.1", sandbox.s3_port), ("127.0.0.1", sandbox.mlflow_port)}

    before = set(running(folder))
    assert up(folder, source=lab) == sandbox
    assert set(running(folder)) == before
    assert "git pull --rebase && dvc pull" in describe(sandbox)
    shell(".venv/bin/python -m lab doctor", sandbox.clone, MLFLOW_TRACKING_URI=sandbox.mlflow_url)

    for mlflow in running(folder, "mlflow"):
        mlflow.suspend()
    for part in ("s3", "runner"):
        [process] = running(folder, part)
        process.send_signal(signal.SIGTERM if part == "s3" else signal.SIGSTOP)
    up(folder)
    assert not before & set(running(folder))
    assert [service for service in SERVICES if not answers(sandbox, service)] == []
    with (sandbox.logs / "runner.log").open("a") as log:
        log.write("run-example: exit code 0\n" * 100)  # a runner that has long been at work is not a silent one
    before = set(running(folder))
    assert up(folder) == sandbox
    assert set(running(folder)) == before

    (sandbox.clone / "notes.txt").write_text("work in progress")
    stop_service(sandbox, "s3")
    assert down(folder) == ["mlflow", "runner"]
    assert running(folder) == []
    for port in (sandbox.s3_port, sandbox.mlflow_port):
        need_free_port(port, "", "")

    with pytest.raises(InputError, match=f"made for port {sandbox.s3_port}, not 1234"):
        up(folder, s3_port=1234)
    up(folder)
    for service in SERVICES:
        check(sandbox, service)
    assert (sandbox.clone / "notes.txt").read_text() == "work in progress"


def test_ctrl_c_leaves_nothing(folder: Path) -> None:
    break_off(folder, signal.SIGINT)
    assert running(folder) == []
    assert not folder.exists()


def test_a_service_that_ends_at_once_leaves_nothing_and_shows_its_log(
    folder: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    rclone = tmp_path / "bin" / "rclone"
    rclone.parent.mkdir()
    rclone.write_text("#!/bin/sh\necho no space left >&2\nexit 1\n")
    rclone.chmod(0o755)
    python = rclone.with_name("python")
    python.symlink_to(sys.executable)
    monkeypatch.setattr(sys, "executable", str(python))
    monkeypatch.setenv("PATH", os.pathsep.join([str(Path(sys.prefix) / "bin"), os.environ["PATH"]]))
    with pytest.raises(RuntimeError, match="s3 ended as soon as it was started\nno space left"):
        up(folder, free_port(), free_port())
    assert running(folder) == []
    assert not folder.exists()


@pytest.mark.parametrize("taken", [0, 1], ids=["S3_PORT", "MLFLOW_PORT"])
def test_a_port_in_use_is_named_with_the_option_that_changes_it(
    taken: int, folder: Path, request: pytest.FixtureRequest
) -> None:
    chosen = [free_port(), free_port()]
    with socket.create_server(("127.0.0.1", chosen[taken])):
        with pytest.raises(InputError, match=rf"port {chosen[taken]} .*{request.node.callspec.id}="):
            up(folder, chosen[0], chosen[1])
        assert not folder.exists()


def test_a_missing_tool_is_named_with_what_brings_it(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tools = folder.parent / "tools"
    tools.mkdir()
    for name in ("git", "make", "bash"):
        (tools / name).touch(mode=0o755)
    monkeypatch.setenv("PATH", str(tools))
    monkeypatch.setattr(sys, "executable", str(tools / "python"))
    with pytest.raises(InputError, match="needs act, which is not here: run `make setup`"):
        up(folder, free_port(), free_port())
    assert not folder.exists()


def test_a_folder_without_a_commit_is_named(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"has no Git commit to begin with: `git init"):
        up(folder, free_port(), free_port(), source=tmp_path)
    assert not folder.exists()


@pytest.mark.parametrize("name", ["S3_PORT", "MLFLOW_PORT"])
def test_a_number_that_is_no_port_is_told_with_its_range(name: str, shell: Shell) -> None:
    done = shell("python -m runtimes.sandbox up", ROOT, check=False, **{name: "99999", "COLUMNS": "200"})
    assert done.returncode == 2
    assert "equal to 65535" in done.stderr


def test_without_an_environment_going_down_is_one_line(tmp_path: Path, shell: Shell) -> None:
    shutil.copy(ROOT / "Makefile", tmp_path)
    tools = tmp_path / "tools"
    tools.mkdir()
    for name in ("make", "test", "sed"):
        (tools / name).symlink_to(str(shutil.which(name)))
    done = shell("make sandbox-down", tmp_path, PATH=str(tools))
    assert (done.stdout, done.stderr) == ("no sandbox was running\n", "")
    (tmp_path / ".lab" / "sandbox").mkdir(parents=True)
    done = shell("make sandbox-down", tmp_path, check=False, PATH=str(tools))
    assert done.stderr.startswith("error: the lab's environment is missing: `make setup` first\n")
