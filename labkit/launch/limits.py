"""The limit of a stage in dvc.yaml: a process that has not ended by then is ended, with all that it started.

    meta:
      limit: 6h

DVC ignores `meta`, so that a changed limit re-runs nothing. A separate process waits for the limit: one that
hangs in C runs no Python handler, and a wrapper would break Ctrl-C. What the process has started is known by a variable
that it inherits, also where it left its parents behind as a daemon does; one that clears its environment too goes on.
"""

import json
import os
import re
import sys
import time
from collections import deque
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

from labkit.detached import start_detached
from labkit.paths import ROOT
from labkit.process.errors import InputError
from labkit.process.tracking import ROOT_RUN, append

SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
GRACE_SECONDS = 5.0  # for the children to clean up
MARK_VARIABLE = "LAB_LIMITED"


class Limit(NamedTuple):
    """How long the process of a stage may take; `text` is as it stands in dvc.yaml."""

    stage: str
    text: str
    seconds: float

    @property
    def place(self) -> str:
        """Where it stands."""
        return f"dvc.yaml: stages.{self.stage}.meta.limit"


def read_limits() -> dict[str, Limit]:
    """The limits in dvc.yaml by their stages. Raises InputError when one is not a time, or dvc.yaml is not YAML."""
    from labkit.process.strict_yaml import load_yaml  # the launcher first looks whether its packages are there

    path = ROOT / "dvc.yaml"
    if not path.exists() or "limit" not in path.read_text(encoding="utf-8", errors="replace"):
        return {}  # as in most labs, and each stage start asks
    texts = {name: meta["limit"] for name, meta in _metas(load_yaml(path)) if meta.get("limit") is not None}
    return {name: parse_limit(name, str(text)) for name, text in texts.items()}


def parse_limit(stage: str, text: str) -> Limit:
    """A limit as it stands in dvc.yaml. Raises InputError when it is not a time."""
    found = re.fullmatch(r"(\d{1,9}(?:\.\d{1,9})?)([smhd])", text)
    limit = Limit(stage, text, float(found[1]) * SECONDS[found[2]] if found else 0.0)
    if not limit.seconds:
        raise InputError(f"{limit.place}: {text!r} is not a time; write a number with s, m, h or d, such as 6h")
    return limit


def limit_here() -> Limit | None:
    """The limit of the stage that DVC runs here, by the variable that DVC sets. Raises InputError as `limits`."""
    stage = os.environ.get("DVC_STAGE", "").partition("@")[0]  # after it, which of a `foreach` or `matrix`
    return read_limits().get(stage) if stage else None


def start_watch(limit: Limit, journal: str) -> dict[str, str]:
    """Have this process, and all that it starts, ended at the limit; return the variable that marks them.

    Raises OSError when that can't be arranged.
    """
    mark = f"{os.getpid()}-{time.time_ns()}"
    command = [sys.executable, "-m", "labkit.launch.limits", limit.stage, limit.text, str(os.getpid()), journal, mark]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    start_detached(command, ROOT, environment, sys.stderr)
    return {MARK_VARIABLE: mark}


def watch(limit: Limit, pid: int, journal: str, mark: str) -> None:
    """Wait for the end of a process; at the limit, say so, also in its journal, and end it with what it started."""
    import psutil

    with suppress(psutil.NoSuchProcess):
        process = psutil.Process(pid)
        with suppress(psutil.TimeoutExpired):
            process.wait(limit.seconds)
            return
        if process.status() == psutil.STATUS_ZOMBIE:
            return  # it has ended, and its parent has not waited for it yet
        process.suspend()  # so that it starts nothing more, and writes nothing after its journal's end
        reason = f"ended after {limit.text}, the limit in {limit.place}; raise it there, which re-runs no other stage"
        print(f"error: {limit.stage}: {reason}", file=sys.stderr, flush=True)
        with suppress(OSError):
            if journal and not has_ended(Path(journal)):
                append(Path(journal), ROOT_RUN, "end", status="FAILED", reason=reason)
        children = {*process.children(recursive=True), *_marked(mark)} - {process}
        process.kill()
        for child in children:
            with suppress(psutil.NoSuchProcess):
                child.terminate()
        _, alive = psutil.wait_procs(children, GRACE_SECONDS)
        for child in {*alive, *_marked(mark)}:
            with suppress(psutil.NoSuchProcess):
                child.kill()


def _marked(mark: str) -> set[Any]:
    """The processes that have the variable, whoever is their parent by now."""
    import psutil

    found = set()
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            if process.environ().get(MARK_VARIABLE) == mark:
                found.add(process)
    return found


def has_ended(journal: Path) -> bool:
    """Whether a journal has the end of its run: an interpreter that takes long to exit has written it before."""
    with journal.open("rb") as file:
        last = b"".join(deque(file, maxlen=1))
    with suppress(ValueError):
        event = json.loads(last)
        return bool(event.get("event") == "end" and event.get("run") == ROOT_RUN)
    return False


def _metas(content: Any) -> Iterator[tuple[str, dict[str, Any]]]:
    """The `meta` of each stage that has one; of what else is wrong in dvc.yaml, DVC tells."""
    stages = content.get("stages") if isinstance(content, dict) else None
    for name, stage in stages.items() if isinstance(stages, dict) else ():
        fields = stage.get("do", stage) if isinstance(stage, dict) else {}  # `do`: below `foreach` or `matrix`
        if isinstance(fields, dict) and isinstance(meta := fields.get("meta"), dict):
            yield str(name), meta


if __name__ == "__main__":
    stage, text, pid, journal, mark = sys.argv[1:]
    watch(parse_limit(stage, text), int(pid), journal, mark)
