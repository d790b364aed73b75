"""Checks of the services: each is used as the lab will use it, and left as it was.

A dead service is reported within seconds: time limits are short, and nothing is tried twice.
"""

import os
import re
import signal
import subprocess

from labkit.doctor.check import Check, ok, problem, warning
from labkit.github import on_runner
from labkit.process.credentials import without_credentials
from labkit.process.errors import InputError

SECONDS_TO_ANSWER = 5


def check_origin() -> Check:
    """Whether Git's remote answers."""
    from labkit.git_cli import GitError, git

    subject = "git remote"
    try:
        url = without_credentials(git("remote", "get-url", "origin"))
    except GitError:
        return ok(subject, "no `origin` yet: commits stay on this machine")
    # Without a terminal nothing can ask for a password and wait for it.
    environment = {**os.environ, "GIT_TERMINAL_PROMPT": "0"}
    command = ["git", "ls-remote", "--quiet", "origin", "HEAD"]
    with subprocess.Popen(
        command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, start_new_session=True
    ) as asking:
        try:
            _, words = asking.communicate(timeout=SECONDS_TO_ANSWER)
        except subprocess.TimeoutExpired:
            os.killpg(asking.pid, signal.SIGKILL)  # with the ssh or curl that it waits for
            words = f"no answer in {SECONDS_TO_ANSWER} s"
    if asking.returncode:
        why = without_credentials(words.strip().splitlines()[0] if words.strip() else "no reason given")
        fix = "`gh auth login`, or `git remote set-url origin URL` where the address is wrong"
        return problem(subject, f"{url} does not answer: {why}", fix)
    return ok(subject, f"{url} answers")


def check_remote() -> Check:
    """Whether the DVC remote takes, gives and removes an object: with DVC's own settings and keys."""
    from labkit.pipeline.remote import probe_remote

    subject = "DVC remote"
    remote = probe_remote()
    if remote is None and on_runner():
        return problem(subject, "none: no result could leave this runner", "`python -m lab setup`, and commit it")
    if remote is None:
        return ok(subject, "none yet: results stay on this machine; `python -m lab setup` connects one")
    if remote.fault:
        return problem(subject, remote.fault, remote.fix)
    if not remote.verified:
        found = (
            f"{remote.where}: DVC does not verify what it serves: who writes there can run code on colleagues' machines"
        )
        return warning(subject, found, remote.fix)
    return ok(subject, f"{remote.where}: wrote, read and removed an object")


def check_mlflow() -> Check:
    """Whether MLflow takes a run with an artifact in the lab's experiment. The run is deleted again."""
    subject = "MLflow"
    if not os.environ.get("MLFLOW_TRACKING_URI"):
        if on_runner():
            found = "MLFLOW_TRACKING_URI is not set: nobody would see the runs"
            return problem(subject, found, "`gh variable set MLFLOW_TRACKING_URI --body URL`")
        return ok(subject, "MLFLOW_TRACKING_URI is not set: runs go to mlflow.db, and `make ui` shows them")

    from labkit.doctor.mlflow_use import NotTakenError, use_mlflow

    where = without_credentials(os.environ["MLFLOW_TRACKING_URI"])
    try:
        use_mlflow(SECONDS_TO_ANSWER)
    except InputError as error:  # the experiment was deleted
        return problem(subject, f"{where}: {error}", "")
    except NotTakenError as error:
        reason = str(error).removeprefix(f"{where} ")
        return problem(subject, f"{where}, asked to {error.asked}: {reason}", _fix_mlflow(error.asked, reason))
    return ok(subject, f"{where}: made a run with an artifact, and deleted both")


def _fix_mlflow(asked: str, reason: str) -> str:
    if re.search(r"error code 40[13]", reason):
        return "set MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD, or MLFLOW_TRACKING_TOKEN"
    if asked == "store an artifact":
        return "see the server's log, and what it says of its artifact store"
    if on_runner():
        return "start it, or `gh variable set MLFLOW_TRACKING_URI --body URL`"
    return "start it, or correct MLFLOW_TRACKING_URI"
