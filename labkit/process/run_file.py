"""What a process tells of its run as a file, `run.json`: an output of its stage, from which MLflow can be filled again.

It holds nothing of the machine and of the time, so it is the same bytes whenever the process tells the same.
"""

import json
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

from labkit.paths import ROOT
from labkit.process.files import write_json

RUN_FILE = "run.json"
RUN_FILE_VARIABLE = "LAB_RUN_FILE"


class Told:
    """What one run was told: the content of run.json, or of one of the `nested` runs in it."""

    def __init__(self, name: str = "") -> None:
        self.name = name
        self.params: dict[str, str] = {}
        self.metrics: dict[str, list[tuple[int, float]]] = {}  # of each its steps and values
        self.tags: dict[str, str] = {}
        self.inputs: list[dict[str, Any]] = []
        self.artifacts: dict[str, dict[str, Any]] = {}  # by where they stand in MLflow
        self.nested: list[Told] = []
        self.failed = False

    def add_metrics(self, metrics: Mapping[str, float], step: int) -> None:
        """Add a value to each of these metrics."""
        for name, value in metrics.items():
            self.metrics.setdefault(name, []).append((step, value))

    def add_artifact(self, file: Path, target: str, md5: str) -> None:
        """Add a file of the lab; one from elsewhere is kept by nobody, and MLflow takes none to elsewhere."""
        place = Path(os.path.normpath(file.absolute()))  # not resolved: DVC may have put a link to its cache there
        if place.is_relative_to(ROOT) and not leads_elsewhere(target):
            path = place.relative_to(ROOT).as_posix()
            self.artifacts[target] = {"path": path, "md5": md5, "size": file.stat().st_size}

    def content(self) -> dict[str, Any]:
        """All of it, as JSON takes it, without what is empty, and in an order that no thread decides."""
        told = vars(self) | {
            "metrics": {name: sorted(points, key=lambda point: point[0]) for name, points in self.metrics.items()},
            "inputs": _in_order(self.inputs),
            "nested": _in_order(one.content() for one in self.nested),
        }
        return {name: value for name, value in told.items() if value}


def leads_elsewhere(path: str) -> bool:
    """Whether a path leaves the folder that it is taken from."""
    return PurePosixPath(path).is_absolute() or ".." in PurePosixPath(path).parts


def take_run_file() -> str:
    """Where the launcher said that run.json belongs, told to this process alone; empty where the stage has none."""
    return os.environ.pop(RUN_FILE_VARIABLE, "")


def write_run_file(place: str, told: Told) -> None:
    """Write run.json, where it has a place."""
    if place:
        write_json(place, told.content())


def run_file_in(outputs: Sequence[str]) -> str:
    """The output that is a run.json; empty where none is."""
    return next((out for out in outputs if Path(out).name == RUN_FILE), "")


def _in_order(entries: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """By their names, and of one name by all else."""
    return sorted(entries, key=lambda entry: (entry.get("name", ""), json.dumps(entry, sort_keys=True)))
