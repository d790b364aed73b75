"""Checks of the services: each is used as the lab will use it, and left as it was.

A service that is away is to be told within seconds: time limits are short, and nothing is tried twice.
"""

import os
import re
import signal
import subprocess
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

from labkit.doctor.check import Check, ok, on_runner, problem
from labkit.process.errors import InputError
from labkit.urls import without_credentials

SECONDS_TO_CONNECT = 3
SECONDS_TO_ANSWER = 5
SECRETS = "`gh secret set MINIO_ACCESS_KEY_ID --env experiments` and the same for MINIO_SECRET_ACCESS_KEY"


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
    from labkit.pipeline.stages import project

    subject = "DVC remote"
    with project() as repo:
        name = repo.config["core"].get("remote")
        settings = repo.config["remote"].get(name, {})
        if not settings:
            if not on_runner():
                return ok(subject, "none yet: results stay on this machine; `python -m lab setup` connects one")
            return problem(subject, "none: no result could leave this runner", "`python -m lab setup`, and commit it")
        where = settings["url"]
        if where.startswith("s3://"):
            limit_waiting(repo)
            server = settings.get("endpointurl") or os.environ.get("AWS_ENDPOINT_URL") or "Amazon S3"
            where = f"{where} at {server}"
        try:
            _probe(repo.cloud.get_remote())
        except Exception as error:
            return problem(subject, *_explain(error, where, settings["url"]))
    return ok(subject, f"{where}: wrote, read and removed an object")


def limit_waiting(repo: Any) -> None:
    """Have DVC give up soon on an S3 server that does not answer."""
    for settings in repo.config["remote"].values():
        if settings["url"].startswith("s3://"):
            settings |= {"connect_timeout": SECONDS_TO_CONNECT, "read_timeout": SECONDS_TO_ANSWER}
    os.environ["AWS_MAX_ATTEMPTS"] = "1"


def _probe(remote: Any) -> None:
    fs = remote.fs
    fs.fs.retries = 1  # s3fs's own, beside botocore's
    fs.makedirs(remote.path)  # a folder's; an S3 bucket is never made
    probe = fs.join(remote.path, f".lab-doctor-{uuid4().hex}")
    with suppress(FileNotFoundError, PermissionError):
        fs.cat_file(probe)  # for its time limit: aiohttp waits for ever for a silent server's leave to write
    fs.pipe_file(probe, probe.encode())
    try:
        if fs.cat_file(probe) != probe.encode():
            raise OSError("it gives back other bytes than it took")
    finally:
        fs.rm_file(probe)


def _explain(error: Exception, where: str, url: str) -> tuple[str, str]:
    """What is wrong, and what mends it. The types are botocore's, or what s3fs makes of them."""
    kind, words = type(error).__name__, " ".join(str(error).split())
    code = getattr(error.__cause__, "response", {}).get("Error", {}).get("Code", "")
    keys = SECRETS if on_runner() else "`python -m lab setup --access-key-id KEY`, which asks for the secret"
    bucket = urlsplit(url).netloc
    if kind in {"NoCredentialsError", "PartialCredentialsError"}:
        return f"{where}: there is no key for it", keys
    if isinstance(error, PermissionError) and code in {"InvalidAccessKeyId", "SignatureDoesNotMatch"}:
        return f"{where} refuses the key: {words}", keys
    if isinstance(error, PermissionError):
        return f"{where}: the key may not write, read or delete there: {words}", f"give it these rights, or {keys}"
    if code == "NoSuchBucket":
        return f"{where}: there is no bucket {bucket}", "create it there, or `python -m lab setup --bucket NAME`"
    if kind in {"EndpointConnectionError", "ConnectTimeoutError", "ReadTimeoutError", "ConnectionClosedError"}:
        return f"{where} does not answer: {words}", "start it, or `python -m lab setup --s3-endpoint URL`"
    return f"{where} fails: {kind}: {words}", "`python -m lab setup`, if the address is wrong"


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
