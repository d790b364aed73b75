"""The journals on disk, and how far each has been carried. Only the standard library: every stage start pays for it."""

import fcntl
import json
import os
from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from labkit.paths import HOME
from labkit.process.files import read_json, write_json
from labkit.process.tracking import inputs_of, room_of

JOURNALS = Path(os.environ.get("LAB_JOURNALS") or HOME / ".lab" / "journals")
EXECUTION_VARIABLE = "LAB_EXECUTION_ID"
DIFF = "uncommitted.diff"  # the artifact of a run whose code was not as committed
CHUNK_BYTES = 1 << 20
SILENT_END = "the process ended without a word: killed, or the machine ran out of memory or power"


@dataclass
class Progress:
    """What of a journal is in MLflow. Runs go by their keys in the journal."""

    offset: int = 0  # bytes carried
    tags: dict[str, str] = field(default_factory=dict)  # of the process's run; its nested runs get them too
    runs: dict[str, str] = field(default_factory=dict)  # MLflow's run ids
    ended: list[str] = field(default_factory=list)
    incomplete: dict[str, dict[str, str]] = field(default_factory=dict)  # run -> what it lacks in MLflow -> why
    written: dict[str, dict[str, str]] = field(default_factory=dict)  # run -> its artifacts and their md5s
    refused: bool = False  # some of it MLflow will never take
    failure: str = ""  # why the last try failed, where it did


def journals(folder: Path) -> list[Path]:
    """The journals not carried to their end yet, oldest first."""
    return sorted(folder.glob("[0-9]*.jsonl"))


def is_running(journal: Path) -> bool:
    """Whether the process that writes the journal lives: for as long it holds the file's lock."""
    with journal.open("rb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        return False


def first_event(journal: Path) -> dict[str, Any]:
    """The start of the journal's process. Raises FileNotFoundError, and ValueError where it is damaged."""
    with journal.open("rb") as file:
        event: dict[str, Any] = json.loads(file.readline())
        return event


def read_events(journal: Path, offset: int) -> Iterator[tuple[list[dict[str, Any]], int]]:
    """The events from byte `offset` on, in chunks, each with the offset after it. A half-written line is left.

    Raises ValueError for a line that is not JSON.
    """
    with journal.open("rb") as file:
        file.seek(offset)
        while lines := file.readlines(CHUNK_BYTES):
            whole = [line for line in lines if line.endswith(b"\n")]
            offset += sum(map(len, whole))
            yield [json.loads(line) for line in whole], offset
            if len(whole) < len(lines):
                return


def load_progress(journal: Path) -> Progress:
    """The progress of a journal, from the file beside it; none where that is missing or unreadable."""
    try:
        return Progress(**read_json(_progress_file(journal)))
    except (FileNotFoundError, ValueError, TypeError):
        return Progress()  # what is carried again does no harm


def save_progress(journal: Path, progress: Progress) -> None:
    """Write the progress beside the journal."""
    write_json(_progress_file(journal), asdict(progress))


def remove(journal: Path) -> None:
    """Remove a journal. Its progress goes first: without it the journal would only be carried again."""
    _remove_beside(journal)
    journal.unlink()


def set_aside(journal: Path, refused: Mapping[str, Mapping[str, str]]) -> None:
    """Keep a journal as `.refused`, with what was refused and why as its last line, and never try it again."""
    with journal.open("a", encoding="utf-8") as file:
        file.write(json.dumps({"event": "refused", "runs": refused}) + "\n")
    _remove_beside(journal)
    journal.rename(journal.with_suffix(".refused"))


class TrackedRun(NamedTuple):
    """A process's run. Where it is in MLflow to its end, its id and page there are known."""

    stage: str
    execution: str
    run_id: str = ""
    url: str = ""
    status: str = ""  # MLflow's word: RUNNING, FINISHED, FAILED or KILLED; unknown of runs that an older lab carried
    seconds: float | None = None  # from the process's start to its end
    reason: str = ""  # why it failed
    machine: str = ""  # what it ran on, as far as that decides the bytes
    lacking: str = ""  # what MLflow has not got of it and never will


def remember(folder: Path, run: TrackedRun) -> None:
    """Note a run that is in MLflow to its end."""
    with (folder / "carried.jsonl").open("ab+") as file:
        if file.tell():
            file.seek(-1, os.SEEK_END)
        begin = b"\n" if file.read(1) not in b"\n" else b""  # after half a line, which a full disk leaves
        file.write(begin + json.dumps(run._asdict()).encode() + b"\n")


def runs_of_execution(execution: str, folder: Path = JOURNALS) -> list[TrackedRun]:
    """The runs of one pipeline execution that this machine knows of, in the order of `all_runs`."""
    return [run for run in all_runs(folder) if run.execution == execution]


def all_runs(folder: Path = JOURNALS) -> list[TrackedRun]:
    """Every run that this machine knows of, in MLflow or not yet, in the order of their ends, then of their starts."""
    waiting = []
    for journal in journals(folder):  # before those carried: what is carried meanwhile is then among both, not in none
        with suppress(FileNotFoundError, ValueError, KeyError):  # carried since it was listed, or damaged
            waiting.append(read_run(journal))
    return _carried(folder) + waiting


def read_run(journal: Path) -> TrackedRun:
    """Read a process's run from its journal.

    Raises FileNotFoundError, and ValueError or KeyError for a journal with a damaged beginning.
    """
    running = is_running(journal)  # asked first: what isn't running is then read to its end
    with journal.open("rb") as file:
        start = json.loads(file.readline())
        last_line = b"".join(deque(file, maxlen=1))
    tags = start["tags"]
    run = TrackedRun(tags["lab.stage"], tags["lab.execution"], status="RUNNING", machine=tags.get("lab.machine", ""))
    if running:
        return run
    try:
        last = json.loads(last_line)
    except ValueError:
        last = {}
    if last.get("event") == "end" and last["run"] == start["run"]:
        status, end, reason = last["status"], last["time"], last.get("reason", "")
    else:
        status, end, reason = "FAILED", journal.stat().st_mtime * 1000, SILENT_END
    return run._replace(status=status, seconds=round((end - start["time"]) / 1000, 1), reason=reason)


def last_seconds(folder: Path = JOURNALS) -> dict[str, float]:
    """How long each process took when it last ran to a good end on this machine."""
    runs = all_runs(folder)
    return {run.stage: run.seconds for run in runs if run.status == "FINISHED" and run.seconds is not None}


def _carried(folder: Path) -> list[TrackedRun]:
    try:
        lines = (folder / "carried.jsonl").read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        return []
    runs = []
    for line in lines:
        with suppress(ValueError, TypeError):  # half a line, from a full disk; or a lab of long ago
            known = json.loads(line)  # the folder may be shared with a lab of another commit
            runs.append(TrackedRun(**{name: value for name, value in known.items() if name in TrackedRun._fields}))
    # By id: a tracker that was killed after it noted a run has noted it twice. Another machine's may have none yet.
    return list({(run.run_id, run.execution, run.stage): run for run in runs}.values())


def diff_of(journal: Path) -> Path:
    """The file with what nobody had committed of the code of a journal's process, until MLflow has it."""
    return journal.with_suffix(".diff")


def _remove_beside(journal: Path) -> None:
    for beside in (_progress_file(journal), room_of(journal), inputs_of(journal), diff_of(journal)):
        beside.unlink(missing_ok=True)


def _progress_file(journal: Path) -> Path:
    return journal.with_suffix(".progress")
