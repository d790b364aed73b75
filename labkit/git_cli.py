"""Run Git in the current folder."""

import os
import re
import subprocess
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

# A silent server is given up after some failed looks in a row, each of which waits for an answer.
LOOK_SECONDS, ANSWER_SECONDS, MOST_FAILED_LOOKS = 20.0, 10.0, 4

# Ignore `git replace`, which only this clone knows; DVC's Git and that of clones inherit this.
os.environ["GIT_NO_REPLACE_OBJECTS"] = "1"

# A commit may be in another encoding.
WORDS: Any = {"encoding": "utf-8", "errors": "replace"}


class GitError(RuntimeError):
    """A Git command failed; the message is Git's own."""


def git(*arguments: str, given: str | None = None, **variables: str) -> str:
    """Run a Git command and return what it prints, without the last line end. Raises GitError with Git's own words."""
    command = ["git", "-c", "core.quotePath=false", *arguments]
    environment = {**os.environ, **variables}
    if "GIT_REPLACE_REF_BASE" in variables:  # the caller's own replacements, which it asks for
        environment.pop("GIT_NO_REPLACE_OBJECTS", None)
    done = subprocess.run(command, input=given, capture_output=True, env=environment, **WORDS)
    return _printed(arguments[0], done.returncode, done.stdout, done.stderr)


def git_in(folder: Path, *arguments: str) -> str:
    """As `git`, in another folder."""
    done = subprocess.run(["git", *arguments], cwd=folder, stdin=subprocess.DEVNULL, capture_output=True, **WORDS)
    return _printed(arguments[0], done.returncode, done.stdout, done.stderr).strip()


def clone_at(commit: str, place: Path) -> Path:
    """Clone this repository to `place`, at a commit, without hooks; return this folder's path there."""
    top, below = git("rev-parse", "--show-toplevel"), git("rev-parse", "--show-prefix")
    git("clone", "--quiet", "--no-checkout", "--config", "core.hooksPath=/dev/null", top, str(place))
    git_in(place, "checkout", "--quiet", "--detach", commit)
    return place / below


def ask_server(*arguments: str, server: str = "origin") -> str:
    """Run a Git command that asks `server`, a remote or a URL, for as long as that answers. No password is asked for.

    Git waits forever for a server that accepts a connection and never answers. A server busy with a push still answers
    a second connection. Raises GitError as `git` does, and for a silent server.
    """
    failed_looks = 0
    with _start(*arguments) as asking:
        try:
            while failed_looks < MOST_FAILED_LOOKS:
                with suppress(subprocess.TimeoutExpired):
                    printed, words = asking.communicate(timeout=LOOK_SECONDS)
                    return _printed(arguments[0], asking.returncode, printed, words)
                failed_looks = 0 if _answers(server) else failed_looks + 1
        finally:
            _end(asking)
    raise GitError(f"git {arguments[0]} failed: the server of `{server}` accepts the connection and never answers")


def file_in(commit: str, path: str) -> bytes | None:
    """Return a file's bytes in a commit, by its path from this folder; None where it is missing."""
    with suppress(GitError):
        return read_blob(f"{commit}:./{path}")
    return None


def commit_or_none(revision: str = "HEAD") -> str | None:
    """Return the commit that a revision names; None where there is none, as before the first commit."""
    found = git_or_empty("rev-parse", "--verify", "--quiet", "--end-of-options", f"{revision}^{{commit}}")
    return found.strip() or None


def is_shallow() -> bool:
    """Whether this clone lacks a part of the history."""
    return git_or_empty("rev-parse", "--is-shallow-repository").strip() == "true"


def git_or_empty(*arguments: str) -> str:
    """Return what Git prints; nothing where it fails, as outside of a repository or before the first commit."""
    done: subprocess.CompletedProcess[str] = subprocess.run(["git", *arguments], capture_output=True, **WORDS)
    return done.stdout


def read_blob(name: str) -> bytes:
    """Read a blob by its name, byte for byte. Raises GitError where there is none."""
    done = subprocess.run(["git", "cat-file", "blob", name], capture_output=True)
    if done.returncode:
        raise GitError(f"git cat-file failed: {done.stderr.decode(errors='replace').strip()}")
    return done.stdout


def read_blobs(names: Sequence[str]) -> list[bytes | None]:
    """Read blobs by their names, which hold no line end; None for each that is missing."""
    asked = "".join(f"{name}\n" for name in names).encode()
    printed = subprocess.run(["git", "cat-file", "--batch"], input=asked, capture_output=True, check=True).stdout
    found: list[bytes | None] = []
    place = 0
    for _ in names:
        end = printed.index(b"\n", place)
        is_there = re.fullmatch(rb"[0-9a-f]{40,64} (\w+) (\d+)", printed[place:end])  # else: NAME missing
        place = end + 1
        content = None
        if is_there:
            size = int(is_there[2])
            content = printed[place : place + size] if is_there[1] == b"blob" else None
            place += size + 1
        found.append(content)
    return found


def write_blob(content: bytes) -> str:
    """Write bytes as a blob; return its hash."""
    command = ["git", "hash-object", "-w", "--stdin"]
    return subprocess.run(command, input=content, capture_output=True, check=True).stdout.decode().strip()


def _printed(verb: str, exit_code: int, printed: str, words: str) -> str:
    if exit_code:
        raise GitError(f"git {verb} failed: {words.strip() or printed.strip()}")
    return printed.removesuffix("\n")


def _answers(server: str) -> bool:
    """Whether a server says anything at all; a refusal is an answer."""
    with _start("ls-remote", "--quiet", "--", server, "HEAD") as looking:
        try:
            looking.communicate(timeout=ANSWER_SECONDS)
        except subprocess.TimeoutExpired:
            return False
        finally:
            _end(looking)
    return True


def _start(*arguments: str) -> subprocess.Popen[str]:
    environment = {**os.environ, "GIT_TERMINAL_PROMPT": "0"}
    pipe = subprocess.PIPE
    return subprocess.Popen(["git", *arguments], env=environment, stdout=pipe, stderr=pipe, **WORDS)


def _end(process: subprocess.Popen[str]) -> None:
    """Kill a process that has not ended, with the ssh or curl that it waits for."""
    if process.poll() is None:
        import psutil  # not above: every `git` would pay for it

        this = psutil.Process(process.pid)
        for one in [*this.children(recursive=True), this]:
            with suppress(psutil.NoSuchProcess):
                one.kill()
