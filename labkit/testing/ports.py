"""Ports for servers of tests and benchmarks."""

import socket
from http.client import HTTPException
from urllib.error import URLError
from urllib.request import urlopen


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def is_up(url: str, path: str = "/ping") -> bool:
    """Whether a server answers there: by default one of the lab's models."""
    try:
        with urlopen(f"{url}{path}", timeout=5) as answer:
            return bool(answer.status == 200)
    except (URLError, HTTPException, OSError):
        return False
