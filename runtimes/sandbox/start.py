"""Start a whole sandbox, and end it: all of it or nothing."""

import fcntl
import os
import shutil
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tenacity import Retrying, retry_if_exception_type, stop_after_delay, wait_fixed

from labkit.paths import ROOT
from labkit.process.errors import InputError
from runtimes.sandbox import origin, state
from runtimes.sandbox.environment import TOOLS, tool
from runtimes.sandbox.processes import end, running
from runtimes.sandbox.services import SERVICES, answers, need_free_port, start_service, stop_service, wait_until_ready
from runtimes.sandbox.state import MLFLOW_PORT, S3_PORT, Sandbox

MOMENT_SECONDS = 0.3  # for which a service that has just been told to end still answers


def up(folder: Path, s3_port: int | None = None, mlflow_port: int | None = None, source: Path = ROOT) -> Sandbox:
    """Start the sandbox in `folder`, or what of it does not answer; make it first, from `source`, where there is none.

    Raises InputError when a tool is missing or a port is taken, RuntimeError when something does not start. Then,
    and when it is interrupted, no process is left that it started, and no folder that it made.
    """
    for name in TOOLS:
        tool(name)
    with only_one(folder):
        if sandbox := state.load(folder):
            for given, present in ((s3_port, sandbox.s3_port), (mlflow_port, sandbox.mlflow_port)):
                if given not in (None, present):
                    raise InputError(
                        f"{folder} was made for port {present}, not {given}, and its commits say so; "
                        f"leave the option out, or {anew(folder)}"
                    )
            start_missing(sandbox)
            return sandbox
        origin.uncommitted(source)  # raises where there is no commit
        return make(state.new(folder, s3_port or S3_PORT, mlflow_port or MLFLOW_PORT), source)


def down(folder: Path) -> list[str]:
    """End every process of the sandbox in `folder`; its files stay. Returns the services that were running."""
    with only_one(folder):
        were_running = [service for service in SERVICES if running(folder, service)]
        end(folder, "runner", "run", patience=0)  # first, or it would take the end of a run for its failure
        end(folder)
        return were_running


def make(sandbox: Sandbox, source: Path) -> Sandbox:
    """Make a new sandbox and start it."""
    end(sandbox.folder, patience=0)  # of a start that was killed: nobody has worked there
    remove(sandbox.folder)
    need_free_port(sandbox.s3_port, "S3", another("S3_PORT", sandbox.s3_port))
    need_free_port(sandbox.mlflow_port, "MLflow", another("MLFLOW_PORT", sandbox.mlflow_port))
    try:
        sandbox.folder.mkdir(mode=0o700, parents=True)  # it holds keys
        start_service(sandbox, "s3")
        start_service(sandbox, "mlflow")  # which takes the longest
        origin.make_origin(sandbox, source)
        wait_until_ready(sandbox, "s3")
        origin.make_clone(sandbox, source)
        wait_until_ready(sandbox, "mlflow")
        state.save(sandbox)
        start_service(sandbox, "runner")
        wait_until_ready(sandbox, "runner")
    except BaseException:
        with undisturbed():
            end(sandbox.folder, patience=0)
            remove(sandbox.folder)
        raise
    return sandbox


def start_missing(sandbox: Sandbox) -> None:
    """Start the services that do not answer, in the place of what is left of them; end them when one does not start."""
    time.sleep(MOMENT_SECONDS)
    missing = [service for service in SERVICES if not answers(sandbox, service)]
    for service in missing:
        if running(sandbox.folder, service):
            stop_service(sandbox, service)
    remedy = f"for which this sandbox was made; or {anew(sandbox.folder)}"
    for service, port in (("s3", sandbox.s3_port), ("mlflow", sandbox.mlflow_port)):
        if service in missing:
            need_free_port(port, service, remedy)
    try:
        for service in missing:
            start_service(sandbox, service)
        for service in missing:
            wait_until_ready(sandbox, service)
    except BaseException:
        with undisturbed():
            for service in missing:
                stop_service(sandbox, service)
        raise


def another(option: str, port: int) -> str:
    """The remedy for a port that a new sandbox cannot have."""
    return f"or choose another: `make sandbox {option}={port + (100 if port < 65000 else -100)}`"


def anew(folder: Path) -> str:
    """How to have another sandbox in the place of this one."""
    return f"push elsewhere what you want to keep of it, `make sandbox-down && rm -rf {folder}`, and start again"


def remove(folder: Path) -> None:
    """Remove a folder, if it is there, and what a process that is just being killed still adds to it."""
    for attempt in Retrying(
        retry=retry_if_exception_type(OSError), stop=stop_after_delay(10), wait=wait_fixed(0.1), reraise=True
    ):
        with attempt:
            if folder.exists():
                shutil.rmtree(folder)


@contextmanager
def undisturbed() -> Iterator[None]:
    """Keep another Ctrl-C waiting for what must not be left half done."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


@contextmanager
def only_one(folder: Path) -> Iterator[None]:
    """Keep another that starts or ends the same sandbox waiting."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    held = os.open(folder.parent, os.O_RDONLY)  # the folder itself may come or go
    try:
        fcntl.flock(held, fcntl.LOCK_EX)
        yield
    finally:
        os.close(held)
