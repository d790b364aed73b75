"""Checks of the services: each is used as the lab will use it, and left as it was.

A service that is away is to be told within seconds: time limits are short, and nothing is tried twice.
"""

import os
import re
import signal
import subprocess
import tempfile
from pathlib import Path
from typing import Any

from labkit.doctor.check import Check, ok, problem
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
        mend = "`gh auth login`, or `git remote set-url origin URL` where the address is wrong"
        return problem(subject, f"{url} does not answer: {why}", mend)
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
        return problem(subject, remote.fault, remote.mend)
    return ok(subject, f"{remote.where}: wrote, read and removed an object")


def check_mlflow() -> Check:
    """Whether MLflow takes a run with an artifact in the lab's experiment. The run is deleted again."""
    subject = "MLflow"
    if not os.environ.get("MLFLOW_TRACKING_URI"):
        if on_runner():
            found = "MLFLOW_TRACKING_URI is not set: nobody would see the runs"
            return problem(subject, found, "`gh variable set MLFLOW_TRACKING_URI --body URL`")
        return ok(subject, "MLFLOW_TRACKING_URI is not set: runs go to mlflow.db, and `make ui` shows them")

    from tenacity import Retrying, stop_after_attempt

    from labkit.tracking.tracker import configure

    os.environ["MLFLOW_HTTP_REQUEST_TIMEOUT"] = str(SECONDS_TO_ANSWER)
    configure()
    from labkit.tracking.uploader import connect, explain

    where = without_credentials(os.environ["MLFLOW_TRACKING_URI"])
    mend = "start it, or correct MLFLOW_TRACKING_URI"
    if on_runner():
        mend = "start it, or `gh variable set MLFLOW_TRACKING_URI --body URL`"
    doing = "find the experiment"
    try:
        client, experiment = connect()
        doing = "make a run"
        run = client.create_run(experiment, run_name="lab doctor")
        try:
            doing, mend = "store an artifact", "see the server's log, and what it says of its artifact store"
            _upload(client, run.info)
        finally:
            # Twice: an upload that broke off may have broken the connection that the next request is given.
            Retrying(stop=stop_after_attempt(2), reraise=True)(client.delete_run, run.info.run_id)
    except InputError as error:  # the experiment was deleted
        return problem(subject, f"{where}: {error}", "")
    except Exception as error:
        reason = explain(error).removeprefix(f"{where} ")
        if re.search(r"error code 40[13]", reason):
            mend = "set MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD, or MLFLOW_TRACKING_TOKEN"
        return problem(subject, f"{where}, asked to {doing}: {reason}", mend)
    return ok(subject, f"{where}: made a run with an artifact, and deleted both")


def _upload(client: Any, run: Any) -> None:
    from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository

    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "doctor.txt"
        file.write_text("python -m lab doctor\n", encoding="utf-8")
        client.log_artifact(run.run_id, str(file))
    get_artifact_repository(run.artifact_uri).delete_artifacts("doctor.txt")
