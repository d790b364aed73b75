"""What a process tells of its run: a journal on disk, which labkit/tracking/tracker.py carries to MLflow.

The process only appends lines to a local file, so no tracking server, slow or dead, can slow or stop
it, and it needs no MLflow in its environment. The names are those of MLflow's own fluent API.
What was told is also an output of the stage: labkit/process/run_file.py.
"""

import errno
import hashlib
import json
import os
import sys
import time
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from itertools import count
from operator import index
from pathlib import Path
from typing import Any

from labkit.process.credentials import without_credentials
from labkit.process.errors import InputError
from labkit.process.flat import flattened
from labkit.process.inputs import refuse_edits
from labkit.process.run_file import Told, take_run_file, write_run_file

JOURNAL_VARIABLE = "LAB_JOURNAL"
ROOT_RUN = "0"
ROOM_BYTES = 1 << 16


class Run:
    """One MLflow run to be. `journal` is the file to append to, or None where nothing is tracked.

    `key` names the run within its journal; a nested run's key is its parent's, a dot, and a number.
    """

    def __init__(self, journal: Path | None, key: str = ROOT_RUN, told: Told | None = None) -> None:
        self._journal = journal
        self._key = key
        self._children = count()
        self.told = told or Told()

    def log_params(self, params: Mapping[str, Any]) -> None:
        """Record parameters; nested ones get dotted names."""
        told = {name: without_credentials(str(value)) for name, value in flattened(params).items()}
        self.told.params |= told
        self._tell("params", params=told)

    def log_metrics(self, metrics: Mapping[str, float], step: int = 0) -> None:
        """Record metrics at `step`, a whole number. Raises TypeError or ValueError for what is not a number."""
        numbers, step = {name: float(value) for name, value in metrics.items()}, index(step)
        self.told.add_metrics(numbers, step)
        self._tell("metrics", step=step, metrics=numbers)

    def log_timings(self, timings: Mapping[str, float], step: int = 0) -> None:
        """Record metrics that are others each time, such as seconds: MLflow gets them, and no file. Raises as above."""
        self._tell("metrics", step=step, metrics={name: float(value) for name, value in timings.items()})

    def log_artifact(self, path: str | Path, folder: str = "") -> None:
        """Record a file, or every file of a folder, by its md5, so that later bytes can't be taken for these.

        Raises FileNotFoundError when it is missing.
        """
        path = Path(path)
        for file in sorted(p for p in path.rglob("*") if p.is_file()) if path.is_dir() else [path]:
            target, md5 = (Path(folder) / file.relative_to(path.parent)).as_posix(), md5_of(file)
            self.told.add_artifact(file, target, md5)
            self._tell("artifact", path=str(file.absolute()), target=target, md5=md5)

    def log_input(self, name: str, md5: str, rows: int) -> None:
        """Record data that were read: what they are called, the md5 of their content, and how many rows they have."""
        told = {"name": without_credentials(name), "md5": md5, "rows": rows}
        self.told.inputs.append(told)
        self._tell("input", **told)

    def set_tags(self, tags: Mapping[str, str]) -> None:
        """Record tags."""
        told = {name: without_credentials(str(value)) for name, value in tags.items()}
        self.told.tags |= told
        self._tell("tags", tags=told)

    @contextmanager
    def nested(self, name: str) -> Iterator["Run"]:
        """Open a child run, which MLflow shows below this one."""
        name = without_credentials(name)
        child = Run(self._journal, f"{self._key}.{next(self._children)}", Told(name))
        self.told.nested.append(child.told)
        child._tell("start", name=name)
        with child._ending():
            yield child

    @contextmanager
    def _ending(self) -> Iterator[None]:
        try:
            yield
        except BaseException as error:
            self.told.failed = True
            reason = without_credentials("".join(traceback.format_exception_only(error)).strip())
            self._tell("end", status="KILLED" if isinstance(error, KeyboardInterrupt) else "FAILED", reason=reason)
            raise
        self._tell("end", status="FINISHED")

    def _tell(self, event: str, **fields: Any) -> None:
        if self._journal is None:
            return
        try:
            if (self._key, event) == (ROOT_RUN, "end"):
                room_of(self._journal).unlink(missing_ok=True)
            append(self._journal, self._key, event, **fields)
        except OSError as error:  # a full disk under the journal must not end a training
            print(f"warning: {event} not tracked: {self._journal}: {error.strerror}", file=sys.stderr)


def run_process(main: Callable[[Run], None]) -> None:
    """Run a process's main with the run that LAB_JOURNAL names.

    What DVC would record of the stage must not have been edited meanwhile (labkit/process/inputs.py).
    An InputError is one line and exit code 1, Ctrl-C one line and exit code 130, as shells have it; anything else is
    Python's traceback and exit code 1. No password in an error's words leaves the process.
    """
    journal = os.environ.pop(JOURNAL_VARIABLE, None)  # not for processes that this one starts
    run, run_file = Run(Path(journal) if journal else None), take_run_file()
    try:
        with run._ending():
            main(run)
            write_run_file(run_file, run.told)
            refuse_edits()
    except InputError as error:
        sys.exit(f"error: {error}")
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        sys.exit(130)
    except Exception:
        sys.exit(without_credentials(traceback.format_exc().rstrip()))


def append(journal: Path, run: str, event: str, **fields: Any) -> None:
    """Append an event of the run with key `run` to a journal that exists: the whole line or none of it.

    Raises OSError when the line can't be written.
    """
    line = json.dumps({"event": event, "run": run, "time": int(time.time() * 1000), **fields}).encode() + b"\n"
    file = os.open(journal, os.O_WRONLY | os.O_APPEND)
    try:
        length = os.fstat(file).st_size
        if os.write(file, line) < len(line):
            os.ftruncate(file, length)  # else the next line would be glued to this half
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    finally:
        os.close(file)


def room_of(journal: Path) -> Path:
    """The file that keeps room on the disk for the last word of a journal's process, which may be that it is full."""
    return journal.with_suffix(".room")


def inputs_of(journal: Path) -> Path:
    """The file that says what the stage of a journal's process read as it began."""
    return journal.with_suffix(".inputs")


def md5_of(path: Path) -> str:
    """The md5 of a file's bytes, or of the list of a folder's files; with it dvc.lock and DVC's cache name them."""
    if path.is_dir():
        files = sorted(file for file in path.rglob("*") if file.is_file())
        listed = [{"md5": md5_of(file), "relpath": file.relative_to(path).as_posix()} for file in files]
        listed.sort(key=lambda entry: entry["relpath"])
        text = json.dumps(listed, sort_keys=True).encode()
        return f"{hashlib.md5(text, usedforsecurity=False).hexdigest()}.dir"
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()
