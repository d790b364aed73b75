"""The DVC remote: whether it takes, gives and removes an object, with DVC's own settings and keys.

A server that is away is to be told within seconds: time limits are short, and nothing is tried twice.
"""

import os
from contextlib import suppress
from typing import Any, NamedTuple
from urllib.parse import urlsplit
from uuid import uuid4

from labkit.github import on_runner
from labkit.pipeline.stages import project

SECONDS_TO_CONNECT = 3
SECONDS_TO_ANSWER = 5
SECRETS = "`gh secret set MINIO_ACCESS_KEY_ID --env experiments` and the same for MINIO_SECRET_ACCESS_KEY"


class Remote(NamedTuple):
    """A remote that was asked: where it is, what is wrong with it, and what mends that."""

    where: str
    fault: str = ""
    mend: str = ""


def probe_remote() -> Remote | None:
    """Write, read and remove an object; None where there is no remote."""
    with project() as repo:
        name = repo.config["core"].get("remote")
        settings = repo.config["remote"].get(name, {})
        if not settings:
            return None
        where = settings["url"]
        if where.startswith("s3://"):
            limit_waiting(repo)
            server = settings.get("endpointurl") or os.environ.get("AWS_ENDPOINT_URL") or "Amazon S3"
            where = f"{where} at {server}"
        try:
            _use(repo.cloud.get_remote())
        except Exception as error:  # each kind of remote raises its own
            return Remote(where, *_explain(error, where, settings["url"]))
    return Remote(where)


def limit_waiting(repo: Any) -> None:
    """Have DVC give up soon on an S3 server that does not answer."""
    for settings in repo.config["remote"].values():
        if settings["url"].startswith("s3://"):
            settings |= {"connect_timeout": SECONDS_TO_CONNECT, "read_timeout": SECONDS_TO_ANSWER}
    os.environ["AWS_MAX_ATTEMPTS"] = "1"


def _use(remote: Any) -> None:
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
