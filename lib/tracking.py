"""What a process tells about its run: a journal on disk, which lab/tracker.py carries to MLflow.

The process only appends lines to a local file, so no tracking server, slow or dead, can slow or stop
it, and it needs no MLflow in its environment. The names are those of MLflow's own fluent API.
"""

import hashlib
import json
import os
import sys
import time
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any

from lib.errors import InputError

JOURNAL_VARIABLE = "LAB_JOURNAL"


class Run:
    """One MLflow run to be: `journal` is the file to append to, or None where nothing is tracked."""

    def __init__(self, journal: Path | None, name: str = "", numbers: Iterator[int] | None = None) -> None:
        self._journal = journal
        self._numbers = numbers if numbers is not None else count()
        self._number = next(self._numbers)
        self.name = name

    def log_params(self, params: Mapping[str, Any]) -> None:
        """Record parameters; nested ones get dotted names."""
        self._write("params", params=_flat(params))

    def log_metrics(self, metrics: Mapping[str, float], step: int = 0) -> None:
        """Record metrics at `step` (an epoch, say)."""
        self._write("metrics", step=step, metrics={name: float(value) for name, value in metrics.items()})

    def log_artifact(self, path: str | Path, folder: str = "") -> None:
        """Record a file, or every file of a folder, by its md5, so that later bytes can't be taken for these."""
        path = Path(path)
        for file in sorted(p for p in path.rglob("*") if p.is_file()) if path.is_dir() else [path]:
            inside = file.parent.relative_to(path.parent) if path.is_dir() else Path()
            digest = hashlib.md5(file.read_bytes(), usedforsecurity=False).hexdigest()
            self._write("artifact", path=str(file), folder=(Path(folder) / inside).as_posix().strip("."), md5=digest)

    def set_tags(self, tags: Mapping[str, str]) -> None:
        """Record tags."""
        self._write("tags", tags=dict(tags))

    @contextmanager
    def nested(self, name: str) -> Iterator["Run"]:
        """Open a child run, which MLflow shows below this one."""
        child = Run(self._journal, name, self._numbers)
        child._write("start", name=name, parent=self._number)
        with child._ending():
            yield child

    @contextmanager
    def _ending(self) -> Iterator[None]:
        try:
            yield
        except BaseException as error:
            reason = "".join(traceback.format_exception_only(error)).strip()
            self._write("end", status="KILLED" if isinstance(error, KeyboardInterrupt) else "FAILED", reason=reason)
            raise
        self._write("end", status="FINISHED")

    def _write(self, event: str, **fields: Any) -> None:
        if self._journal is None:
            return
        line = json.dumps({"event": event, "run": self._number, "time": int(time.time() * 1000), **fields})
        try:
            with self._journal.open("a", encoding="utf-8") as journal:
                journal.write(line + "\n")
        except OSError as error:
            # A full disk under the journal must not end a training.
            print(f"warning: not tracked any more: {self._journal}: {error.strerror}", file=sys.stderr)
            self._journal = None


def run_process(main: Callable[[Run], None]) -> None:
    """Run a process's main with the run that LAB_JOURNAL names; an InputError is one line and exit code 1."""
    journal = os.environ.get(JOURNAL_VARIABLE)
    run = Run(Path(journal) if journal else None)
    try:
        with run._ending():
            main(run)
    except InputError as error:
        sys.exit(f"error: {error}")


def _flat(params: Mapping[str, Any], prefix: str = "") -> dict[str, str]:
    flat: dict[str, str] = {}
    for name, value in params.items():
        if isinstance(value, Mapping):
            flat |= _flat(value, f"{prefix}{name}.")
        else:
            flat[prefix + name] = str(value)
    return flat
