"""The servers of a sandbox: S3, MLflow, and the runner that waits for tags."""

import socket
import sys
from collections.abc import Callable
from http.client import HTTPConnection, HTTPException

from tenacity import Retrying, retry_if_exception_type, stop_after_delay, wait_fixed

from labkit.paths import ROOT
from labkit.process.errors import InputError
from runtimes.sandbox.environment import part_environment, tool
from runtimes.sandbox.processes import end, running, start, stopped
from runtimes.sandbox.state import BUCKET, Sandbox

SERVERS = ("s3", "mlflow")
SERVICES = (*SERVERS, "runner")
START_SECONDS = 120.0  # MLflow takes 5 s on a quiet machine
WATCHING = "watching for tags"


class NotReadyError(Exception):
    """A service does not answer yet."""


def start_service(sandbox: Sandbox, service: str) -> None:
    """Start a service; `wait_until_ready` waits for it."""
    commands: dict[str, Callable[[Sandbox], tuple[list[str], dict[str, str]]]] = {
        "s3": s3,
        "mlflow": mlflow,
        "runner": runner,
    }
    command, variables = commands[service](sandbox)
    sandbox.logs.mkdir(exist_ok=True)
    log = sandbox.logs / f"{service}.log"
    start(command, part_environment(sandbox, service) | variables, ROOT, log)


def stop_service(sandbox: Sandbox, service: str) -> None:
    """End a service, and with the runner the run that it is at."""
    end(sandbox.folder, service)
    if service == "runner":
        end(sandbox.folder, "run", patience=0)


def s3(sandbox: Sandbox) -> tuple[list[str], dict[str, str]]:
    """An S3 server whose buckets are folders."""
    bucket = sandbox.folder / "s3" / BUCKET
    bucket.mkdir(parents=True, exist_ok=True)
    address = f"127.0.0.1:{sandbox.s3_port}"
    # What comes through the server is seen at once. (With --dir-cache-time 0s, `dvc push` never ends.)
    command = [tool("rclone"), "serve", "s3", "--addr", address, str(bucket.parent)]
    # Not as an option, which every user of the machine could read.
    return command, {"RCLONE_AUTH_KEY": f'"{sandbox.access_key},{sandbox.secret_key}"'}


def mlflow(sandbox: Sandbox) -> tuple[list[str], dict[str, str]]:
    """An MLflow server that keeps runs in SQLite and artifacts in the S3."""
    command = [
        *(sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(sandbox.mlflow_port)),
        *("--workers", "1", "--backend-store-uri", f"sqlite:///{sandbox.folder / 'mlflow.db'}"),
        *("--artifacts-destination", f"s3://{BUCKET}/mlflow"),
    ]
    return command, {
        "MLFLOW_S3_ENDPOINT_URL": sandbox.s3_url,
        "AWS_ACCESS_KEY_ID": sandbox.access_key,
        "AWS_SECRET_ACCESS_KEY": sandbox.secret_key,
        "AWS_DEFAULT_REGION": "us-east-1",
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
        "DO_NOT_TRACK": "true",
    }


def runner(sandbox: Sandbox) -> tuple[list[str], dict[str, str]]:
    """The runner of experiments.yml."""
    return [sys.executable, "-u", "-m", "runtimes.sandbox.runner", str(sandbox.folder)], {}


def wait_until_ready(sandbox: Sandbox, service: str) -> None:
    """Wait until a service that was started answers.

    Raises RuntimeError with the end of its log when it has ended instead, or is too slow.
    """
    try:
        for attempt in Retrying(
            retry=retry_if_exception_type(NotReadyError),
            stop=stop_after_delay(START_SECONDS),
            wait=wait_fixed(0.1),
            reraise=True,
        ):
            with attempt:
                check(sandbox, service)
    except NotReadyError:
        raise RuntimeError(
            f"{service} does not answer after {START_SECONDS:.0f} s\n{log_end(sandbox, service)}"
        ) from None


def check(sandbox: Sandbox, service: str) -> None:
    """Raise NotReadyError when a service does not answer yet, RuntimeError when it has ended."""
    if not running(sandbox.folder, service):
        raise RuntimeError(f"{service} ended as soon as it was started\n{log_end(sandbox, service)}")
    if not answers(sandbox, service):
        raise NotReadyError(service)


def answers(sandbox: Sandbox, service: str) -> bool:
    """Whether a service is there and answers."""
    processes = running(sandbox.folder, service)
    if not processes or any(map(stopped, processes)):
        return False
    if service == "runner":
        return (sandbox.logs / "runner.log").read_text(encoding="utf-8", errors="replace").startswith(WATCHING)
    port, path = (sandbox.s3_port, "/") if service == "s3" else (sandbox.mlflow_port, "/health")
    connection = HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", path)
        return connection.getresponse().status < 500  # S3 asks for a key, which is an answer
    except (OSError, HTTPException):
        return False
    finally:
        connection.close()


def log_end(sandbox: Sandbox, service: str, lines: int = 15) -> str:
    """The last lines of a service's log."""
    log = sandbox.logs / f"{service}.log"
    return "\n".join(log.read_text(encoding="utf-8", errors="replace").splitlines()[-lines:]) if log.exists() else ""


def need_free_port(port: int, service: str, remedy: str) -> None:
    """Raise InputError when another program listens on a port that a service of the sandbox needs."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as the servers do: a port just left is free
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            raise InputError(
                f"port {port} of 127.0.0.1, for {service}, can't be used ({error.strerror}); end what uses it, {remedy}"
            ) from None
