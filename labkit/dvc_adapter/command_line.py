"""DVC's commands, which its documentation describes: https://dvc.org/doc/command-reference."""

import sys


def dvc(*words: str) -> list[str]:
    """The command line of a DVC command, with the DVC of this Python."""
    return [sys.executable, "-m", "dvc", *words]
