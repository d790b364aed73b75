"""Waiting for what another process does."""

import time
from collections.abc import Callable
from pathlib import Path

import pytest

WAIT_SECONDS = 300.0  # for what takes seconds on a quiet machine


def wait_until(holds: Callable[[], object], seconds: float = WAIT_SECONDS, log: Path | None = None) -> None:
    """Wait until something holds. Fails the test after that many seconds, with the words of a log."""
    deadline = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > deadline:
            pytest.fail(f"waited {seconds:.0f} s in vain\n{log.read_text() if log else ''}")
        time.sleep(0.1)
