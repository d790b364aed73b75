"""Git, called in the folder where this process is."""

import os
import subprocess


class GitError(RuntimeError):
    """A Git command failed; the message is Git's own."""


def git(*arguments: str, given: str | None = None, **variables: str) -> str:
    """Run a Git command and return what it prints, without the last line end. Raises GitError with Git's own words."""
    command = ["git", "-c", "core.quotePath=false", *arguments]
    done = subprocess.run(command, input=given, capture_output=True, text=True, env={**os.environ, **variables})
    if done.returncode:
        raise GitError(f"git {arguments[0]} failed: {done.stderr.strip() or done.stdout.strip()}")
    return done.stdout.removesuffix("\n")


def answer(*arguments: str) -> str:
    """What Git prints; nothing where it has no answer, as outside of a repository or before the first commit."""
    return subprocess.run(["git", *arguments], capture_output=True, text=True).stdout


def read_blob(name: str) -> bytes:
    """What Git has by this name, byte for byte. Raises GitError where it has nothing."""
    done = subprocess.run(["git", "cat-file", "blob", name], capture_output=True)
    if done.returncode:
        raise GitError(f"git cat-file failed: {done.stderr.decode(errors='replace').strip()}")
    return done.stdout


def write_blob(content: bytes) -> str:
    """Put bytes into Git as they are; return their name there."""
    command = ["git", "hash-object", "-w", "--stdin"]
    return subprocess.run(command, input=content, capture_output=True, check=True).stdout.decode().strip()
