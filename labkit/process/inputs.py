"""The files that a stage reads, as its process begins and again as it ends.

DVC records what is there when a process has ended. Without this, an edit meanwhile would be recorded as what made the
result, and the run cache would give that result for it ever after.
"""

import hashlib
import os
import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

from labkit.paths import ROOT
from labkit.process.errors import InputError
from labkit.process.files import read_json

INPUTS_VARIABLE = "LAB_INPUTS"
# The interpreter that the launcher ran in: it has DVC, and makes environments, which a process's own can't.
LAB_PYTHON_VARIABLE = "LAB_PYTHON"
# Compared by content: a branch that was left and came back is no edit. Other files by size and time.
TEXTS = {".py", ".lock", ".yaml", ".yml"}
MOST_TOLD = 5


def refuse_edits() -> None:
    """Compare the files that this process's stage reads with what they were as the process began.

    Raises InputError with the names of what was edited, and with the way to keep the result.
    """
    note = Path(os.environ.pop(INPUTS_VARIABLE, ""))
    if not note.is_file():
        return  # not run by DVC
    try:
        noted = read_json(note)
        edited = _edited(note) if states(noted["places"]) != noted["states"] else []
    finally:
        note.unlink()
    if edited:
        more = f" and {len(edited) - MOST_TOLD} more" if len(edited) > MOST_TOLD else ""
        raise InputError(
            f"edited while it ran: {', '.join(edited[:MOST_TOLD])}{more}. DVC would record the edit as what made these "
            f"results. Run it again; or undo the edit, and `dvc commit --force {noted['name']}` keeps them"
        )


def states(places: Iterable[str]) -> dict[str, str]:
    """The state of each file that a path is or holds; other text is another state."""
    return {str(file): _state(file) for place in places for file in _files(Path(place))}


def digest(content: bytes) -> str:
    """The SHA-256 of bytes."""
    return hashlib.sha256(content).hexdigest()


def _files(place: Path) -> Iterator[Path]:
    if place.is_file():
        yield place
    for folder, _, names in os.walk(place):
        if Path(folder).name != "__pycache__":
            yield from (Path(folder) / name for name in names)


def _state(file: Path) -> str:
    try:
        if file.suffix in TEXTS:
            return digest(file.read_bytes())
        found = file.stat()
        return f"{found.st_size} {found.st_mtime_ns}"
    except OSError:
        return ""  # a link that leads nowhere


def _edited(note: Path) -> list[str]:
    """What was edited of what DVC records, as the lab's Python finds it, which has DVC."""
    python = os.environ.get(LAB_PYTHON_VARIABLE) or sys.executable
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [python, "-m", "labkit.launch.inputs", str(note)]
    return subprocess.check_output(command, env=environment, text=True).splitlines()
