"""The Git side of a sandbox: a bare origin that stands for GitHub, and a clone to work in."""

import os
import subprocess
import sys
from pathlib import Path

from labkit.dvc_adapter.command_line import dvc
from labkit.git_cli import git_in
from labkit.process.errors import InputError
from runtimes.sandbox.processes import marks
from runtimes.sandbox.state import BUCKET, Sandbox

MAKING = "making"  # the part of what runs while a sandbox is made
NO_UPDATES = {"CI": "true"}  # else DVC starts a process in the background that looks for newer versions of it
# GitHub tells a runner of each push; here the origin writes them down, in their order: old commit, new commit, ref.
POST_RECEIVE = "#!/bin/sh\nexec cat >> pushes\n"


def command(folder: Path, *words: str | Path, **variables: str) -> str:
    """Run a command in a folder and return what it prints. Raises RuntimeError with the command's own words."""
    environment = {**os.environ, **variables}
    done = subprocess.run(words, cwd=folder, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    if done.returncode:
        named = " ".join(Path(word).name for word in words[:3])
        raise RuntimeError(f"{named} failed in {folder}:\n{(done.stderr or done.stdout).strip()}")
    return done.stdout.strip()


def uncommitted(source: Path) -> list[str]:
    """What of a repository is not in its last commit, as `git status` lists it.

    Raises InputError when it is not a Git repository or has no commit.
    """
    try:
        git_in(source, "rev-parse", "HEAD")
    except RuntimeError:
        raise InputError(f"{source} has no Git commit to begin with: `git init && git add -A && git commit`") from None
    return git_in(source, "status", "--porcelain").splitlines()


def making(sandbox: Sandbox, folder: Path, *words: str | Path, **variables: str) -> str:
    """Run a command that makes a sandbox; by its mark, what it has started is found when the start is broken off."""
    return command(folder, *words, **marks(sandbox.folder, MAKING), **variables)


def make_origin(sandbox: Sandbox, source: Path) -> None:
    """Make the origin from the last commit of `source`, with its history, on the same branch, without tags."""
    branch = git_in(source, "branch", "--show-current") or "main"  # none where a commit is checked out
    making(sandbox, sandbox.folder, "git", "init", "--quiet", "--bare", "--initial-branch", branch, sandbox.origin)
    fetch = ("git", "fetch", "--quiet", "--no-tags", "--update-shallow")
    making(sandbox, sandbox.origin, *fetch, source, f"HEAD:refs/heads/{branch}")
    hook = sandbox.origin / "hooks" / "post-receive"
    hook.parent.mkdir(exist_ok=True)  # Git's templates may have none
    hook.write_text(POST_RECEIVE)
    hook.chmod(0o755)
    (sandbox.origin / "pushes").touch()


def make_clone(sandbox: Sandbox, source: Path) -> None:
    """Clone the origin and connect the clone to the sandbox's servers, as a person does; push that and the data."""
    clone = sandbox.clone
    making(sandbox, sandbox.folder, "git", "clone", "--quiet", sandbox.origin, clone)
    for setting, instead in (("user.name", "Sandbox"), ("user.email", "sandbox@localhost.example")):
        git_in(clone, "config", setting, command(source, "sh", "-c", f"git config {setting} || echo {instead}"))
    (clone / ".venv").symlink_to(sys.prefix)
    os.utime(clone / "Pipfile.lock", (0, 0))  # it is no newer than that environment, whatever `make` would think
    with (clone / ".git" / "info" / "exclude").open("a") as exclude:
        exclude.write("/.venv\n")
    making(sandbox, clone, "make", "hooks")  # first: it gives DVC a place of the clone's own for what a remote has
    making(sandbox, clone, sys.executable, *connection(sandbox), AWS_SECRET_ACCESS_KEY=sandbox.secret_key)
    if git_in(clone, "status", "--porcelain"):
        git_in(clone, "commit", "--quiet", "--all", "--no-verify", "-m", "Connect the lab to its sandbox")
    # The hook would bring the data too, but not from the cache of `source`.
    making(sandbox, clone, "git", "push", "--quiet", "--no-verify", "origin", "HEAD")
    if (clone / "dvc.lock").exists() or git_in(clone, "ls-files", "*.dvc"):
        bring_data(sandbox, source)


def bring_data(sandbox: Sandbox, source: Path) -> None:
    """Bring the data and results of the clone's commit, as far as `source` has them, to the bucket and the clone."""
    cache = sandbox.clone / ".dvc" / "cache"
    cache.symlink_to(making(sandbox, source, *dvc("cache", "dir")))
    making(sandbox, sandbox.clone, *dvc("push", "--quiet"), **NO_UPDATES)
    cache.unlink()
    making(sandbox, sandbox.clone, *dvc("pull", "--quiet", "--allow-missing"), **NO_UPDATES)


def connection(sandbox: Sandbox) -> tuple[str, ...]:
    """The lab's own setup, for this sandbox; it takes the secret from AWS_SECRET_ACCESS_KEY."""
    return (
        *("-m", "lab", "setup", "--s3-endpoint", sandbox.s3_url, "--bucket", BUCKET),
        *("--access-key-id", sandbox.access_key),
        *("--mlflow-url", sandbox.mlflow_url),
    )
