"""Bind the runs of a plain `dvc repro` to its results, once dvc.lock has them: beside it, as the tracker.

    python -m labkit.publish.follow 20260101-120000-4711     an execution, named after its `dvc`

The tracker starts it. `python -m lab run` and the workflow do the same themselves.
"""

import os
import sys
import time
from contextlib import suppress

import psutil

from labkit.file_lock import locked
from labkit.launch.launcher import execution_of
from labkit.publish.occurrences import results_here
from labkit.publish.view import shown_in_mlflow
from labkit.tracking.journal import JOURNALS

POLL_SECONDS = 0.5


def main() -> None:
    """Wait for the `dvc` of the execution to end, then show the results that are here; another may wait already."""
    execution = sys.argv[1]
    os.nice(10)
    waiting = JOURNALS / f"{execution}.following"
    with locked(waiting, wait=False) as is_mine:
        if not is_mine:
            return
        with suppress(psutil.NoSuchProcess, ValueError):
            dvc = psutil.Process(int(execution.rpartition("-")[2]))
            while execution_of(dvc) == execution and dvc.is_running() and dvc.status() != psutil.STATUS_ZOMBIE:
                time.sleep(POLL_SECONDS)
        waiting.unlink(missing_ok=True)
    for problem in shown_in_mlflow(results_here(), ask_remote=False):
        print(f"not in MLflow: {problem}")


if __name__ == "__main__":
    main()
