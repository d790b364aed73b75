"""SIGTERM and SIGHUP, which reach one process alone, unlike Ctrl-C in a terminal."""

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType


@contextmanager
def end_requests_handled(handler: Callable[[int, FrameType | None], None]) -> Iterator[None]:
    """Handle SIGTERM and SIGHUP, which do not reach the children of this process."""
    taken = (signal.SIGTERM, signal.SIGHUP)
    before = [signal.signal(number, handler) for number in taken]
    try:
        yield
    finally:
        for number, former in zip(taken, before, strict=True):
            signal.signal(number, former)


def interrupt_with_children(pid: int) -> None:
    """Send SIGINT to a process and all its descendants."""
    import psutil

    with suppress(psutil.NoSuchProcess):
        process = psutil.Process(pid)
        for one in [*process.children(recursive=True), process]:
            with suppress(psutil.NoSuchProcess):
                one.send_signal(signal.SIGINT)
