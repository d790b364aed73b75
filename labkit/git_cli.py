"""Git, called in the folder where this process is."""

import os
import subprocess


class GitError(RuntimeError):
    """A Git command failed; the message is Git's own."""


def git(*arguments: str, given: str | None = None, **variables: str) -> str:
    """Run a Git command and return what it prints, without the last line end. Raises GitError with Git's own words."""
    command = ["git", "-c", "core.quotePath=false", *arguments]
    # Whoever commits may write in another encoding.
    done = subprocess.run(
        command,
        input=given,
        capture_output=True,
        encoding="utf-8",
        errors="replace",
        env={**os.environ, **variables},
    )
    if done.returncode:
        raise GitError(f"git {arguments[0]} failed: {done.stderr.strip() or done.stdout.strip()}")
    return done.stdout.removesuffix("\n")


def answer(*arguments: str) -> str:
    """What Git prints; nothing where it has no answer, as outside of a repository or before the first commit."""
    return subprocess.run(["git", *arguments], capture_output=True, encoding="utf-8", errors="replace").stdout
