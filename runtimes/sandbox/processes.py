"""Processes in the background, found again by a mark in their environment.

A process id in a file may belong to another process by the time it is read. What a process starts inherits its
environment, so the mark also finds what a killed process has left behind, and it finds nothing else.
"""

import os
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

import psutil

from labkit.detached import start_detached

MARK, PART = "LAB_SANDBOX", "LAB_SANDBOX_PART"
PATIENCE_SECONDS = 10.0
MOMENT_SECONDS = 0.02


def marks(folder: Path, part: str) -> dict[str, str]:
    """The environment variables that mark a process as `part` of the sandbox in `folder`."""
    return {MARK: str(folder), PART: part}


def start(command: Sequence[str | Path], environment: Mapping[str, str], folder: Path, log: Path) -> None:
    """Start a process in the background, with a log of its own."""
    with log.open("w") as output:
        start_detached(command, folder, environment, output)


def running(folder: Path, *parts: str) -> list[psutil.Process]:
    """The live processes of the sandbox in `folder`: of `parts`, or all of them.

    While a process begins a program, it shows no environment: only two looks can tell that there is none.
    """
    if found := look(folder, *parts):
        return found
    time.sleep(MOMENT_SECONDS)
    return look(folder, *parts)


def look(folder: Path, *parts: str) -> list[psutil.Process]:
    """Those of the processes that show their environment now."""
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.Error):  # another user's, or ended meanwhile
            environment = process.environ()
            if environment.get(MARK) == str(folder) and (not parts or environment.get(PART) in parts):
                found.append(process)
    return [process for process in found if process.pid != os.getpid()]


def stopped(process: psutil.Process) -> bool:
    """Whether a process is held by SIGSTOP, and so does nothing."""
    try:
        return bool(process.status() == psutil.STATUS_STOPPED)
    except psutil.NoSuchProcess:
        return False


def end(folder: Path, *parts: str, patience: float = PATIENCE_SECONDS) -> None:
    """End the processes of the sandbox in `folder`: of `parts`, or all; kill those that need more than `patience`."""
    deadline = time.monotonic() + patience
    told: set[psutil.Process] = set()
    while left := running(folder, *parts):
        for process in left:
            with suppress(psutil.NoSuchProcess):
                if time.monotonic() >= deadline:
                    process.kill()
                elif process not in told:
                    process.terminate()
                    process.resume()  # a stopped one would not notice
        told.update(left)
        time.sleep(0.05)
