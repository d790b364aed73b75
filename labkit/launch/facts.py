"""What is known of a run as it begins: its tags in MLflow, and its uncommitted code."""

import getpass
import hashlib
import os
import platform
import subprocess
from contextlib import suppress

from labkit.github import github_run
from labkit.launch.environments import process_lock
from labkit.launch.kernels import Choice
from labkit.launch.limits import Limit
from labkit.launch.machine import described, this_machine
from labkit.paths import ROOT, TABLES
from labkit.process.credentials import code_without_credentials

NOT_RESULTS = (".", ":!dvc.lock", f":!{TABLES}")  # as pathspecs: not what the pipeline itself writes
NO_REPLACED = "--no-replace-objects"  # what `git replace` shows here is not the commit
MOST_BYTES = 200_000  # of a diff that a run keeps


def facts_of(process: str, execution: str, choice: Choice | None, limit: Limit | None) -> dict[str, str]:
    """The tags of a process's run; `choice` is what it runs on, or None for one that can't run."""
    return {
        "lab.stage": process,
        "lab.execution": execution,
        "mlflow.source.name": f"lab/processes/{process}/main.py",
        "mlflow.source.type": "LOCAL",
        "mlflow.user": _user(),
        "lab.platform": f"{platform.platform()}, Python {platform.python_version()}",
        **({"lab.machine": described(this_machine(), choice)} if choice else {}),
        **_lock(process),
        **git_state(),
        **({"lab.limit": limit.text} if limit else {}),
        **({"lab.tag": run.tag, "lab.ci": run.url} if (run := github_run()) else {}),
    }


def git_state() -> dict[str, str]:
    """Commit, branch and dirtiness of the code as MLflow's tags; none outside of a Git repository.

    Dirty is what `git describe --dirty` calls so: notes and outputs that nobody added are not a change to the code.
    Nor is dvc.lock, which the pipeline itself writes.
    """
    command = ["git", NO_REPLACED, "status", "--porcelain=v2", "--branch", "--untracked-files=no", "--", *NOT_RESULTS]
    answer = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    if answer.returncode:
        return {}
    lines = answer.stdout.splitlines()
    head = dict(line.removeprefix("# branch.").split(" ", 1) for line in lines if line.startswith("# branch."))
    return {
        "mlflow.source.git.commit": head["oid"],
        "mlflow.source.git.branch": head["head"],
        "lab.git.dirty": str(any(not line.startswith("#") for line in lines)).lower(),
    }


def uncommitted() -> str:
    """How the code differs from the commit, as Git's diff, without passwords. A long one is cut, which it then says."""
    shape = ("--no-color", "--no-ext-diff", "--no-textconv", "--src-prefix=a/", "--dst-prefix=b/")
    command = ["git", NO_REPLACED, "diff", *shape, "HEAD", "--", *NOT_RESULTS]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as asked:
        assert asked.stdout
        content = asked.stdout.read(MOST_BYTES + 1)
        asked.kill()
    cut = len(content) > MOST_BYTES
    if cut:  # at the end of a line: the half of an address does not tell that it holds a password
        content = content[:MOST_BYTES].rpartition(b"\n")[0]
    text = code_without_credentials(content.decode(errors="replace"))
    return f"{text}\n(cut here: it is longer than {MOST_BYTES} bytes)\n" if cut else text


def _user() -> str:
    """Who asked for the run: on a runner who pushed the tag, else who is logged in here."""
    try:
        return os.environ.get("GITHUB_ACTOR") or getpass.getuser()
    except (KeyError, OSError):  # a container's number without a name
        return "unknown"


def _lock(process: str) -> dict[str, str]:
    """The md5 of the lock that a process's environment was made from; nothing where it has none."""
    with suppress(OSError, RuntimeError):
        return {"lab.lock": hashlib.md5(process_lock(process).read_bytes(), usedforsecurity=False).hexdigest()}
    return {}
