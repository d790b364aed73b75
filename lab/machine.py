"""The machine that a result was made on, as far as it decides the bytes; and what to say where they are others."""

import platform
import re
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from lab.kernels import Choice

# Newest first, as /proc/cpuinfo calls them: of x86-64, then of ARM.
INSTRUCTIONS = {"avx512f": "avx512", "avx2": "avx2", "avx": "avx", "sse4_2": "sse4.2", "sve": "sve", "asimd": "neon"}


class Machine(NamedTuple):
    """A processor: its architecture, who made it, and its newest instructions for vectors; `unknown` where it hides."""

    architecture: str
    vendor: str
    instructions: str

    def __str__(self) -> str:
        return " ".join(self)


def this_machine(cpuinfo: Path = Path("/proc/cpuinfo")) -> Machine:
    """The processor of this machine. Where there is no readable /proc/cpuinfo, as on macOS, little is known of it."""
    try:
        text = cpuinfo.read_text(encoding="utf-8", errors="replace")
    except OSError:
        text = ""
    vendor = re.search(r"^(?:vendor_id|CPU implementer)\s*:\s*(\S+)", text, re.MULTILINE)
    flags = re.search(r"^(?:flags|Features)\s*:(.*)", text, re.MULTILINE)
    has = set(flags[1].split()) if flags else set()
    return Machine(
        platform.machine(),
        vendor[1]
        if vendor
        else "Apple"
        if platform.system() == "Darwin" and platform.machine() == "arm64"
        else "unknown",
        next((name for flag, name in INSTRUCTIONS.items() if flag in has), "unknown"),
    )


def described(machine: Machine, choice: Choice) -> str:
    """In one phrase what the bytes depend on, beside code, data and parameters."""
    return f"{machine}, {choice.device}, {choice.kernels} kernels"


def other_bytes(machine: Machine, choices: Mapping[str, Choice]) -> list[str]:
    """Why the results of these processes are not those that other machines get, a line each; none where they are."""
    lines = []
    if machine.architecture != "x86_64":
        lines.append(f"Results made on {machine.architecture} are not byte-identical to those made on x86-64.")
    for process, choice in choices.items():
        if choice.device != "cpu":
            lines.append(f"{process} ran on {choice.device}: its results are not byte-identical to those of a CPU.")
        elif choice.kernels != "portable" and machine.architecture == "x86_64":
            lines.append(
                f"{process} ran with this processor's own kernels: on another kind its results have other bytes."
            )
    return [f"{line} Compare by tolerance." for line in lines]
