"""`python -m lab serve`: load the model, follow the promotion, and answer."""

import os
import socket
import sys
import threading
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from labkit.git_cli import git_or_empty
from labkit.process.errors import InputError
from labkit.registry.tags import STAGE
from runtimes.serving.container import KEY_VARIABLE
from runtimes.serving.model import find
from runtimes.serving.sample import Sample
from runtimes.serving.served import Served, takes_the_same

LOOK_SECONDS = 1.0


@dataclass
class Live:
    """The model that answers; another may take its place between two requests."""

    served: Served


def serve(wanted: str | None, host: str, port: int, sample: Path | None = None) -> None:
    """Serve until Ctrl-C or SIGTERM, which lets requests that have begun end.

    Raises InputError without a model, or where it can't listen.
    sample: a CSV file for the last rows that were answered.
    """
    seen = _tags()  # before the model is looked for: one that is promoted while it loads is not missed
    live = Live(find(wanted))
    kept = Sample(sample, live.served.names) if sample else None
    listening = listen(host, port)
    import uvicorn  # after the model, whose refusal needs no server

    from runtimes.serving.app import create_app

    stop = threading.Event()
    if (wanted or "").rpartition("@")[2] == STAGE:
        threading.Thread(target=follow, args=(live, wanted, stop, seen), daemon=True).start()
    key = os.environ.get(KEY_VARIABLE, "")
    print(f"{live.served.name} {live.served.version} answers at http://{host}:{port} (Ctrl+C ends it)", flush=True)
    try:
        app = create_app(lambda: live.served, key, *([kept.keep] if kept else []))
        with listening, suppress(KeyboardInterrupt):
            uvicorn.Server(uvicorn.Config(app, log_level="warning", access_log=False)).run([listening])
    finally:
        stop.set()
        if kept:
            kept.write()


def listen(host: str, port: int) -> socket.socket:
    """A socket that others can connect to. Raises InputError where there can be none."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # Only a socket that names TCP sends at once (asyncio looks for that): others wait 40 ms for an acknowledgement.
    listening = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((host, port))
        listening.listen()
    except (OSError, OverflowError) as error:
        listening.close()
        raise InputError(f"no server can listen at {host}:{port}: {error}; name others by --host and --port") from None
    return listening


def follow(live: Live, wanted: str, stop: threading.Event, seen: str, seconds: float = LOOK_SECONDS) -> None:
    """Let the champion answer, whichever it is: look for it where Git's tags are others than `seen`, until `stop`."""
    while not stop.wait(seconds):
        if (now := _tags()) != seen:
            seen = now
            print(change(live, wanted), file=sys.stderr, flush=True)


def change(live: Live, wanted: str) -> str:
    """Load the model that is wanted now, and let it answer from the next request on; what was done, in a line."""
    try:
        found = find(wanted, offline=True)
    except Exception as error:  # a look that failed must not be the last
        return f"{live.served.version} stays: {error}"
    if found.version == live.served.version:
        return f"{found.version} stays: it is what is wanted"
    if not takes_the_same(found, live.served):
        return f"{live.served.version} stays: {found.version} reads other columns or gives other answers"
    before, live.served = live.served, found
    return f"{found.version} answers in the place of {before.version}"


def _tags() -> str:
    return git_or_empty("for-each-ref", "refs/tags")
