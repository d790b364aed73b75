"""A Git server that takes a connection and says nothing is given up; one that is only slow is waited for."""

import os
import socket
from collections.abc import Iterator
from itertools import cycle
from pathlib import Path

import psutil
import pytest

from labkit import git_cli
from labkit.git_cli import MOST_FAILED_LOOKS, GitError, ask_server, file_in, git, read_blob, read_blobs
from labkit.testing.fixtures import Shell

pytestmark = pytest.mark.integration

SLOW = "#!/bin/sh\nsleep 1.5\n"


@pytest.fixture(autouse=True)
def clone(tmp_path: Path, shell: Shell, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A clone with one commit in the working folder, and less patience than a person would have."""
    shell("git init --quiet --bare origin && git clone --quiet origin clone 2>&1", tmp_path)
    shell("git commit --quiet --allow-empty -m code", tmp_path / "clone")
    monkeypatch.chdir(tmp_path / "clone")
    monkeypatch.setattr(git_cli, "LOOK_SECONDS", 0.2)
    monkeypatch.setattr(git_cli, "ANSWER_SECONDS", 0.3)
    monkeypatch.setenv("GIT_SSH_COMMAND", "ssh -F none -o BatchMode=yes")
    return tmp_path / "clone"


@pytest.fixture
def silent_port() -> Iterator[int]:
    """A port that takes connections and says nothing."""
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        yield server.getsockname()[1]


def test_many_are_read_at_once_and_what_is_not_there_is_none(clone: Path) -> None:
    for name, content in (("a b", b"1\n"), ("empty", b""), ("end", b"\n\nx missing\n")):
        (clone / name).write_bytes(content)
    git("add", ".")
    names = [":a b", ":nowhere", ":./empty", "HEAD", "none such:x", ":end"]
    assert read_blobs(names) == [b"1\n", None, b"", None, None, b"\n\nx missing\n"]
    assert read_blobs([]) == []


def test_one_that_is_not_there_is_an_error_and_no_empty_file(clone: Path) -> None:
    (clone / "end").write_bytes(b"\n\r\n")
    git("add", ".")
    assert read_blob(":end") == b"\n\r\n"
    with pytest.raises(GitError, match=r"git cat-file failed: .*none"):
        read_blob(":none")


def test_a_file_of_a_commit_has_its_very_bytes(clone: Path) -> None:
    (clone / "file").write_bytes(b"a\r\n\xff\n\n")
    git("add", "file")
    git("commit", "--quiet", "--message", "file")
    (clone / "file").unlink()
    assert file_in("HEAD", "file") == b"a\r\n\xff\n\n"
    assert file_in("HEAD", "other") is None


def test_a_server_that_answers_now_and_then_is_waited_for(clone: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    answers, looks = cycle([False, False, True]), list[bool]()
    monkeypatch.setattr(git_cli, "LOOK_SECONDS", 0.1)

    def look() -> bool:
        looks.append(next(answers))
        return looks[-1]

    monkeypatch.setattr(git_cli, "_answers", lambda server: look())
    hook = clone.parent / "origin" / "hooks" / "pre-receive"
    hook.write_text("#!/bin/sh\nsleep 1.5\n")
    hook.chmod(0o755)
    ask_server("push", "--quiet", "origin", "HEAD:refs/heads/main")
    assert looks.count(False) > MOST_FAILED_LOOKS  # more than may fail in a row


@pytest.mark.parametrize("protocol", ["http", "https", "ssh", "git"])
@pytest.mark.parametrize("command", [("fetch", "origin"), ("push", "origin", "HEAD:refs/heads/main")], ids="/".join)
def test_a_silent_server_is_given_up_and_nothing_goes_on_waiting(
    protocol: str, command: tuple[str, ...], silent_port: int
) -> None:
    git("remote", "set-url", "origin", f"{protocol}://127.0.0.1:{silent_port}/lab.git")
    before = {*psutil.Process(os.getpid()).children(recursive=True)}
    with pytest.raises(
        GitError, match=rf"^git {command[0]} failed: the server of `origin` accepts .* and never answers$"
    ):
        ask_server(*command)
    assert {*psutil.Process(os.getpid()).children(recursive=True)} <= before


def test_any_server_is_asked_so(clone: Path, silent_port: int) -> None:
    url = f"git://127.0.0.1:{silent_port}/template.git"
    with pytest.raises(GitError, match=f"the server of `{url}` accepts the connection and never answers"):
        ask_server("ls-remote", url, server=url)


def test_a_server_that_takes_its_time_over_a_push_is_waited_for(clone: Path) -> None:
    hook = clone.parent / "origin" / "hooks" / "pre-receive"
    hook.write_text(SLOW)
    hook.chmod(0o755)
    ask_server("push", "--quiet", "origin", "HEAD:refs/heads/main")
    assert git("ls-remote", "--heads", "origin").endswith("refs/heads/main")


def test_what_git_says_is_told() -> None:
    with pytest.raises(GitError, match=r"^git fetch failed: .*nowhere"):
        ask_server("fetch", "--quiet", "origin", "nowhere")
