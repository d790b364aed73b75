"""What of the machine decides the bytes of a result, and what to say where they differ from those of others."""

import platform
import re
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from labkit.launch.kernels import Choice
from labkit.process.errors import InputError

# Newest first, as /proc/cpuinfo calls them: of x86-64, then of ARM.
INSTRUCTIONS = {"avx512f": "avx512", "avx2": "avx2", "avx": "avx", "sse4_2": "sse4.2", "sve": "sve", "asimd": "neon"}


class Machine(NamedTuple):
    """A processor: its architecture, who made it, and its newest vector instructions; `unknown` where it hides them."""

    architecture: str
    vendor: str
    instructions: str


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
        vendor[1] if vendor else "unknown",
        next((name for flag, name in INSTRUCTIONS.items() if flag in has), "unknown"),
    )


def refuse_missing_device(process: str, choice: Choice) -> None:
    """Raise InputError for a process that asks for CUDA here where there is no driver: its packages are gigabytes."""
    if choice.device == "cuda" and not (shutil.which("nvidia-smi") or Path("/dev/nvidiactl").exists()):
        raise InputError(f"params.yaml: {process} has device: cuda, and no NVIDIA driver is here; set it to cpu")


def described(machine: Machine, choice: Choice) -> str:
    """Describe in a phrase what the bytes depend on, beside code, data and parameters."""
    return f"{' '.join(machine)}, {choice.device}, {choice.kernels} kernels"


def other_bytes(machine: Machine, choices: Mapping[str, Choice]) -> list[str]:
    """Why the results of these processes are not those that other machines get, a line each; none where they are."""
    if not choices:
        return []
    if machine.architecture != "x86_64":
        told = [f"results made on {machine.architecture} are not byte-identical to those made on x86-64"]
    elif machine.instructions not in ("avx512", "avx2", "unknown"):
        told = [f"results made without AVX2 ({machine.instructions}) are not byte-identical to those made with it"]
    else:
        told = [
            f"{process} ran with this processor's own kernels, and another kind of processor gives other bytes"
            for process, choice in choices.items()
            if choice.kernels != "portable"
        ]
    told += [
        f"{process} ran on {choice.device}, and a CPU gives other bytes"
        for process, choice in choices.items()
        if choice.device != "cpu"
    ]
    return [f"{line}: compare by tolerance" for line in told]
