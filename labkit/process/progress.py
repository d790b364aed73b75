"""A sign of life from what takes long and says nothing of itself."""

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event, Thread
from time import perf_counter

EVERY_SECONDS = 30.0


@contextmanager
def telling_it_lives(what: str, every: float = EVERY_SECONDS) -> Iterator[None]:
    """Print `what`, and for how long, every so many seconds until the block ends."""
    started, done = perf_counter(), Event()

    def tell() -> None:
        while not done.wait(every):
            print(f"{what} for {perf_counter() - started:.0f} s", flush=True)

    teller = Thread(target=tell, daemon=True)
    teller.start()
    try:
        yield
    finally:
        done.set()
        teller.join()
