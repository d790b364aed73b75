"""Data reach the remote, or nothing is said to be there."""

import re
import shutil
import socket
import subprocess
from pathlib import Path

import pytest
from dvc.repo import Repo
from tenacity import wait_none

from labkit.process.errors import InputError
from labkit.publish.data import _push, push_data
from labkit.testing.fixtures import Shell

pytestmark = pytest.mark.integration

PIPELINE = "stages: {a: {cmd: echo a > a.txt, outs: [a.txt]}, b: {cmd: echo b > b.txt, outs: [b.txt]}}"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory, shell: Shell) -> Path:
    """A pipeline that has run, with an empty remote beside it."""
    folder = tmp_path_factory.mktemp("made")
    shell("git init --quiet && dvc init --quiet && dvc remote add --default share ../remote", folder)
    (folder / "dvc.yaml").write_text(PIPELINE, encoding="utf-8")
    shell("dvc repro", folder)
    return folder


@pytest.fixture
def project(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of it, in which this process stands."""
    folder = shutil.copytree(made, tmp_path / "project", symlinks=True)
    monkeypatch.chdir(folder)
    monkeypatch.setattr(_push.retry, "wait", wait_none())
    return folder


def in_remote() -> bool:
    with Repo() as repo:
        return set(repo.status(cloud=True).values()) <= {"deleted"}


def test_what_the_cache_has_is_pushed_once(project: Path) -> None:
    assert push_data(["a", "b"]) == 2
    assert in_remote()
    assert push_data(["a", "b"]) == 0


def test_a_file_that_is_nowhere_is_named_where_dvc_says_nothing(project: Path, shell: Shell) -> None:
    shutil.rmtree(project / ".dvc" / "cache")
    assert shell("dvc push", project).returncode == 0
    with pytest.raises(InputError, match="neither the DVC remote nor the cache has"):
        push_data(["a"])


def test_what_another_run_named_is_not_this_ones_to_push(project: Path) -> None:
    shutil.rmtree(project / ".dvc" / "cache")
    assert push_data([]) == 0


def test_without_a_remote_nothing_is_tried(project: Path, shell: Shell) -> None:
    shell("dvc remote remove share", project)
    with pytest.raises(InputError, match="there is no DVC remote"):
        push_data(["a"])


def test_a_remote_that_takes_nothing_is_tried_again_and_then_told(project: Path) -> None:
    (project.parent / "remote").write_text("no folder")
    with pytest.raises(InputError, match=r"dvc push failed: .*run it again"):
        push_data(["a"])
    (project.parent / "remote").unlink()
    assert push_data(["a"]) == 2


def test_a_server_that_takes_connections_and_says_nothing_is_not_waited_for(
    project: Path, shell: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("labkit.publish.data.LOOK_SECONDS", 0.1)
    monkeypatch.setattr("labkit.pipeline.remote.SECONDS_TO_ANSWER", 1)
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "key")
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        shell(f"dvc remote modify share url s3://bucket && dvc remote modify share endpointurl {url}", project)
        with pytest.raises(InputError, match=f"dvc push failed: .* at {url} does not answer.*run it again"):
            push_data(["a"])


def test_a_key_that_the_server_refuses_is_named_as_that_with_the_remedy(
    project: Path, shell: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    (project.parent / "s3" / "bucket").mkdir(parents=True)
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "wrong-key")
    command = ["rclone", "serve", "s3", "--addr", "127.0.0.1:0", "--auth-key", "key,secret", "../s3"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as server:
        try:
            found = (re.search(r"server on \[(http://[\d.:]+)", line) for line in server.stderr or ())
            url = next(match[1] for match in found if match)
            shell(f"dvc remote modify share url s3://bucket && dvc remote modify share endpointurl {url}", project)
            with pytest.raises(InputError, match=f"s3://bucket at {url} refuses the key: .*; `python -m lab setup"):
                push_data(["a"])
        finally:
            server.terminate()
