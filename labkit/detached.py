"""Start a process that outlives the one that starts it."""

import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO


def start_detached(command: Sequence[str | Path], folder: Path, environment: Mapping[str, str], log: IO[str]) -> None:
    """Start a process that is not a child of this one, and is out of reach of the terminal's Ctrl-C."""
    subprocess.run(
        ["/bin/sh", "-c", '"$@" &', "sh", *command],
        cwd=folder,
        env=environment,
        start_new_session=True,
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=log,
        check=True,
    )
