"""Carry the journals of the processes to MLflow, beside the pipeline and without ever holding it up.

Detached, since a process must end when its work does, be the server slow or dead; one for all, since each import of
MLflow takes a second: who holds tracker.lock. It is spawned and polled, since no call of MLflow's ends in time for
sure. Without MLFLOW_TRACKING_URI it leaves a server's journals alone: they name it, but never the password.

The server or database is MLFLOW_TRACKING_URI, or mlflow.db in the repository. A person calls `python -m lab track`;
the launcher starts this module by itself, since the command line's packages would be one more import to wait for.
"""

import logging
import os
import shutil
import sys
import time
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from labkit.detached import start_detached
from labkit.file_lock import locked
from labkit.paths import HOME
from labkit.tracking.journal import (
    EXECUTION_VARIABLE,
    JOURNALS,
    all_runs,
    first_event,
    is_running,
    journals,
    load_progress,
    save_progress,
)

POLL_SECONDS = 0.2
RETRY_SECONDS = 2.0
PATIENCE_SECONDS = 15.0  # how long a failing MLflow is tried after the last process has ended

SETTINGS = {
    "MLFLOW_TRACKING_URI": f"sqlite:///{HOME / 'mlflow.db'}",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "10",  # more for a server that is slow to store large artifacts
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0",  # tried again below: MLflow's own way can make a run twice
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
    "MLFLOW_LOGGING_LEVEL": "WARNING",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "DO_NOT_TRACK": "true",
}


class Pending(NamedTuple):
    """A journal of an ended process that is not in MLflow yet, and why."""

    journal: Path
    reason: str


def deliver(seconds: float, folder: Path = JOURNALS) -> list[Pending]:
    """Send what ended processes have left, for at most `seconds`; return what is not in MLflow then."""
    deadline = time.monotonic() + seconds
    anywhere = is_told_where()
    start_at = 0.0
    while (ended := ended_journals(folder)) and time.monotonic() < deadline:
        if not anywhere and not meant_for_here(ended):
            break
        if time.monotonic() >= start_at:  # the last may have given up; if one works, this one leaves
            start_tracker(folder)
            start_at = time.monotonic() + RETRY_SECONDS
        time.sleep(POLL_SECONDS / 4)
    return [Pending(journal, why_not(journal, anywhere)) for journal in ended]


def is_told_where() -> bool:
    """Whether MLFLOW_TRACKING_URI says where runs go; if so, all go there, wherever they were meant to go."""
    return bool(os.environ.get("MLFLOW_TRACKING_URI"))


def meant_for_another(journal: Path) -> str:
    """The server that the journal's process was told to use, where that is not the repository's own database."""
    try:
        uri = str(first_event(journal).get("uri", ""))
    except (FileNotFoundError, ValueError):
        return ""  # carried since it was listed; or damaged, which the uploader tells
    return "" if uri == SETTINGS["MLFLOW_TRACKING_URI"] else uri


def meant_for_here(found: list[Path]) -> list[Path]:
    """The journals whose processes were told of no server."""
    return [journal for journal in found if not meant_for_another(journal)]


def why_not(journal: Path, anywhere: bool) -> str:
    """Why a journal is not in MLflow."""
    if not anywhere and (uri := meant_for_another(journal)):
        return f"meant for {uri}; set MLFLOW_TRACKING_URI to it, or to another server, and `python -m lab track`"
    return load_progress(journal).failure or f"not tried yet; see {journal.parent / 'tracker.log'}"


def ended_journals(folder: Path) -> list[Path]:
    """The journals whose processes have ended."""
    ended = []
    for journal in journals(folder):
        with suppress(FileNotFoundError):  # carried since it was listed
            if not is_running(journal):
                ended.append(journal)
    return ended


def start_tracker(folder: Path = JOURNALS) -> None:
    """Start a tracker, which outlives the process that it carries the journal of."""
    environment = {**os.environ, "LAB_JOURNALS": str(folder)}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)  # MLflow's import takes 3 s instead of 1 s without bytecode
    with (folder / "tracker.log").open("a") as log:
        start_detached([sys.executable, "-m", "labkit.tracking.tracker"], HOME, environment, log)


def main() -> None:
    """Be the tracker, unless another one is."""
    os.nice(10)  # the cores belong to the training
    anywhere = is_told_where()  # asked before `configure` sets it
    left: set[Path] = set()
    while set(journals(JOURNALS)) - left:  # asked again without the lock: a run that just began found a tracker at work
        with locked(JOURNALS / "tracker.lock", wait=False) as is_mine:
            if not is_mine:
                return
            left = carry_all(JOURNALS, anywhere)
            shutil.rmtree(JOURNALS / "outgoing", ignore_errors=True)
    if not left:
        follow()
    else:
        sys.exit(f"{len(left)} journals are not in MLflow; the next run tries again, or `python -m lab track`")


def follow() -> None:
    """Have the runs of a plain `dvc repro` bound to its results: labkit/publish/follow.py, once `dvc` has ended."""
    runs = all_runs(JOURNALS)
    if runs and EXECUTION_VARIABLE not in os.environ:  # else whoever set it does so itself
        command = [sys.executable, "-m", "labkit.publish.follow", runs[-1].execution]
        start_detached(command, HOME, os.environ, sys.stderr)


def carry_all(folder: Path, anywhere: bool = True) -> set[Path]:
    """Carry until no journal is left, or until MLflow has failed for too long; return the journals that are left.

    Unless runs may go `anywhere`, those stay that were meant for a server, which this tracker does not know of.
    """
    configure()
    from labkit.tracking import uploader  # MLflow takes a second to import: not before there is something to do

    store: uploader.Store | None = None
    uploaders: dict[Path, uploader.Uploader] = {}
    retry_at: dict[Path, float] = {}
    give_up_at = time.monotonic() + PATIENCE_SECONDS
    while True:
        found = journals(folder)
        pending = found if anywhere else meant_for_here(found)
        if not pending or (not set(pending) - retry_at.keys() and time.monotonic() >= give_up_at):
            return set(found)
        running = set(filter(is_running, pending))  # the others are then read to their ends
        if running:
            give_up_at = time.monotonic() + PATIENCE_SECONDS
        for journal in pending:
            if time.monotonic() < retry_at.get(journal, 0):
                continue
            try:
                store = store or uploader.connect()
                if journal not in uploaders:
                    uploaders[journal] = uploader.Uploader(store, journal)
                uploaders[journal].carry(journal in running)
                retry_at.pop(journal, None)
                give_up_at = time.monotonic() + PATIENCE_SECONDS
            except Exception as error:
                failed = [journal] if store else pending
                note_failure(failed, uploader.explain(error))
                for one in failed:
                    uploaders.pop(one, None)
                    retry_at[one] = time.monotonic() + RETRY_SECONDS
                if store is None:
                    break
                store = None  # the next journal may fare better, if MLflow answers at all
        time.sleep(POLL_SECONDS)


def configure() -> None:
    """Set the variables that the environment lacks, before MLflow reads them."""
    logging.basicConfig(format="%(asctime)s %(message)s")
    bars = {"MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": str(sys.stderr.isatty()).lower()}  # not in a log
    for name, value in (SETTINGS | bars).items():
        os.environ[name] = os.environ.get(name) or value


def note_failure(failed: list[Path], reason: str) -> None:
    """Keep the reason beside the journals, and in the log when it is a new one."""
    before = {journal: load_progress(journal) for journal in failed}
    news = {journal: progress for journal, progress in before.items() if progress.failure != reason}
    for journal, progress in news.items():
        save_progress(journal, replace(progress, failure=reason))
    if news:
        logging.warning("%s: %s", ", ".join(journal.stem for journal in news), reason)


if __name__ == "__main__":
    main()
