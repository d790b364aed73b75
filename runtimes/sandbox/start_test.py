"""A sandbox is there or not there: whatever goes wrong while it starts, nothing is left behind."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil
import pytest
from typer.testing import CliRunner

from labkit.paths import ROOT
from labkit.process.errors import InputError
from labkit.testing.fixtures import Shell
from labkit.testing.ports import free_port
from labkit.testing.waiting import wait_until
from runtimes.sandbox.__main__ import app
from runtimes.sandbox.origin import MAKING, uncommitted
from runtimes.sandbox.processes import PART, running
from runtimes.sandbox.start import down, up

pytestmark = pytest.mark.integration

START = "import sys; from pathlib import Path; from runtimes.sandbox.start import up; up(Path(sys.argv[1]), *{})"
# A `git fetch` that leaves something at work, as the real one does for a moment when it is killed.
GIT = """\
#!/bin/sh
case "$*" in *fetch*)
  sh -c 'for turn in $(seq 1200); do mkdir -p {folder}/origin.git/late; sleep 0.05; done' &
  wait
esac
exec {git} "$@"
"""


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """Where a sandbox may be."""
    yield tmp_path / "sandbox"
    down(tmp_path / "sandbox")


@contextmanager
def starting(folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Start a sandbox in another process, with that `git` in Git's place; it is at work there."""
    tools = folder.parent / "tools"
    tools.mkdir(exist_ok=True)
    (tools / "git").write_text(GIT.format(folder=folder, git=shutil.which("git")))
    (tools / "git").chmod(0o755)
    command = [sys.executable, "-c", START.format((free_port(), free_port())), str(folder)]
    environment = os.environ | {"PATH": f"{tools}{os.pathsep}{os.environ['PATH']}"}
    before = set(running(folder))

    def at_work() -> bool:
        late = folder / "origin.git" / "late"
        return not before & set(running(folder)) and bool(running(folder, "mlflow")) and late.exists()

    with subprocess.Popen(command, cwd=ROOT, env=environment, stderr=subprocess.DEVNULL) as process:
        wait_until(at_work)
        yield process


def test_ctrl_c_leaves_nothing_of_its_start_nor_of_a_killed_one_before(folder: Path) -> None:
    with starting(folder) as process:
        process.kill()
    parts = set()
    for one in running(folder):
        with suppress(psutil.NoSuchProcess):  # what makes the sandbox has helpers that come and go
            parts.add(one.environ()[PART])
    assert parts == {"s3", "mlflow", MAKING}
    with starting(folder) as process:
        while process.poll() is None:
            process.send_signal(signal.SIGINT)
            time.sleep(0.1)
    assert process.returncode
    assert running(folder) == []
    assert not folder.exists()


def test_a_service_that_ends_at_once_leaves_nothing_and_shows_its_log(
    folder: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    rclone = tmp_path / "bin" / "rclone"
    rclone.parent.mkdir()
    rclone.write_text(f"#!/bin/sh\nls -ld {folder} | cut -c1-10 >&2; echo no space left >&2\nexit 1\n")
    rclone.chmod(0o755)
    python = rclone.with_name("python")
    python.symlink_to(sys.executable)
    monkeypatch.setattr(sys, "executable", str(python))
    monkeypatch.setenv("PATH", os.pathsep.join([str(Path(sys.prefix) / "bin"), os.environ["PATH"]]))
    with pytest.raises(RuntimeError, match="s3 ended as soon as it was started\ndrwx------\nno space left"):
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


def test_what_is_not_committed_and_left_out_is_listed(tmp_path: Path, shell: Shell) -> None:
    shell("git init -q && git commit -q --allow-empty -m begin", tmp_path)
    assert uncommitted(tmp_path) == []
    (tmp_path / "notes.md").write_text("new\n", encoding="utf-8")
    assert uncommitted(tmp_path) == ["?? notes.md"]


@pytest.mark.parametrize("name", ["S3_PORT", "MLFLOW_PORT"])
def test_a_number_that_is_no_port_is_told_with_its_range(name: str) -> None:
    done = CliRunner().invoke(app, ["up"], env={name: "99999", "COLUMNS": "200"})
    assert done.exit_code == 2
    assert "equal to 65535" in done.output


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
