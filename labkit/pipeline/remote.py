"""Check that the DVC remote takes, gives and removes an object, with DVC's own settings and keys.

A dead server is reported within seconds: time limits are short, and nothing is tried twice.
"""

import os
from typing import NamedTuple
from urllib.parse import urlsplit

from labkit.dvc_adapter.repository import Project, open_project
from labkit.dvc_adapter.storage import ReadOnlyError, RunCacheError, default_remote, error_code, remotes, use_remote
from labkit.github import on_runner
from labkit.process.credentials import without_credentials

SECONDS_TO_CONNECT = 3
SECONDS_TO_ANSWER = 5
SECRETS = "`gh secret set MINIO_ACCESS_KEY_ID --env experiments` and the same for MINIO_SECRET_ACCESS_KEY"


class Remote(NamedTuple):
    """A remote that was asked: where it is, what is wrong, how to fix that, and whether DVC hashes what it gives."""

    where: str
    fault: str = ""
    fix: str = ""
    verified: bool = True


def probe_remote() -> Remote | None:
    """Write, read and remove an object; None where there is no remote."""
    with open_project() as project:
        name = default_remote(project)
        settings = remotes(project).get(name, {})
        if not settings:
            return None
        where = settings["url"]
        if where.startswith("s3://"):
            limit_waiting(project)
            server = settings.get("endpointurl") or os.environ.get("AWS_ENDPOINT_URL") or "Amazon S3"
            where = f"{where} at {server}"
        where = without_credentials(where)
        try:
            use_remote(project)
        except Exception as error:  # each kind of remote raises its own
            return Remote(where, *_explain(error, where, settings["url"]))
    if "://" in settings["url"] and not settings.get("verify"):  # DVC hashes what a folder gives without being told
        return Remote(where, fix=f"`dvc remote modify {name} verify true`, and commit it", verified=False)
    return Remote(where)


def limit_waiting(project: Project) -> None:
    """Have DVC give up soon on an S3 server that does not answer."""
    for settings in remotes(project).values():
        if settings["url"].startswith("s3://"):
            settings |= {"connect_timeout": SECONDS_TO_CONNECT, "read_timeout": SECONDS_TO_ANSWER}
    os.environ["AWS_MAX_ATTEMPTS"] = "1"


def _explain(error: Exception, where: str, url: str) -> tuple[str, str]:
    """What is wrong, and how to fix it. The types are botocore's, or what s3fs makes of them."""
    kind, words = type(error).__name__, without_credentials(" ".join(str(error).split()))
    code = error_code(error)
    keys = SECRETS if on_runner() else "`python -m lab setup --access-key-id KEY`, which asks for the secret"
    bucket = urlsplit(url).netloc
    another = "`python -m lab setup --bucket NAME` for another"
    if kind in {"NoCredentialsError", "PartialCredentialsError"}:
        return f"{where}: there is no key for it", keys
    if isinstance(error, PermissionError) and code in {"InvalidAccessKeyId", "SignatureDoesNotMatch"}:
        return f"{where} refuses the key: {words}", keys
    if isinstance(error, ReadOnlyError):
        found = f"{where} is read-only for this lab: it can be read, and a write is refused: {words}"
        return found, f"let this key write there (policy, server's mode, its disk), or {another}"
    if isinstance(error, RunCacheError):
        found = f"{where} holds a run cache, {words}: DVC takes results from it and checks nothing"
        return found, "remove it there, and never `dvc push --run-cache`"
    if isinstance(error, PermissionError):
        return f"{where}: the key may not write, read or delete there: {words}", f"give it these rights, or {keys}"
    if code == "NoSuchBucket":
        return f"{where}: there is no bucket {bucket}", "create it there, or `python -m lab setup --bucket NAME`"
    if kind in {"EndpointConnectionError", "ConnectTimeoutError", "ReadTimeoutError", "ConnectionClosedError"}:
        return f"{where} does not answer: {words}", "start it, or `python -m lab setup --s3-endpoint URL`"
    return f"{where} fails: {kind}: {words}", "`python -m lab setup`, if the address is wrong"
