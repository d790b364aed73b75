"""Requests to end, which reach one process alone, unlike a terminal's Ctrl-C."""

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType


@contextmanager
def end_requests_handled(handler: Callable[[int, FrameType | None], None]) -> Iterator[None]:
    """Handle the end of the terminal, and a request to end: what this process has started is not in reach of either."""
    taken = (signal.SIGTERM, signal.SIGHUP)
    before = [signal.signal(number, handler) for number in taken]
    try:
        yield
    finally:
        for number, former in zip(taken, before, strict=True):
            signal.signal(number, former)


def interrupt_with_children(pid: int) -> None:
    """Send a process, and all that it has started, what Ctrl-C sends them."""
    import psutil

    with suppress(psutil.NoSuchProcess):
        process = psutil.Process(pid)
        for one in [*process.children(recursive=True), process]:
            with suppress(psutil.NoSuchProcess):
                one.send_signal(signal.SIGINT)
