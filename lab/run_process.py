"""Run a process in the environment of its own Pipfile.lock: what every stage of dvc.yaml calls.

    python -m lab.run_process prepare_data

It makes the environment where it is missing, opens the run's journal, starts the tracker beside it,
and then becomes the process: from there on nothing of the lab stands between the process and DVC.
"""

import fcntl
import os
import platform
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

import psutil

from lab.environments import PROCESSES, ROOT, process_python
from lib.tracking import JOURNAL_VARIABLE, Run

JOURNALS = ROOT / ".lab" / "journals"
CHAIN_VARIABLE = "LAB_CHAIN_ID"

# The same bytes on every machine of a kind: one thread, a fixed hash order, and the kernels that all x86-64
# machines of the last ten years share instead of the newest that this one happens to have.
DETERMINISTIC = {
    "PYTHONHASHSEED": "0",
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "CUBLAS_WORKSPACE_CONFIG": ":4096:8",
}
if platform.machine() == "x86_64":
    DETERMINISTIC |= {"OPENBLAS_CORETYPE": "Haswell", "MKL_CBWR": "AVX2", "ATEN_CPU_CAPABILITY": "avx2"}


def chain_id() -> str:
    """One name for all the processes of one pipeline execution: the one given, else the `dvc` that started this."""
    if given := os.environ.get(CHAIN_VARIABLE):
        return given
    parents = psutil.Process().parents()
    dvc = next((p for p in parents if any(Path(word).name == "dvc" for word in p.cmdline()[:2])), psutil.Process())
    return f"{datetime.fromtimestamp(dvc.create_time(), UTC):%Y%m%d-%H%M%S}-{dvc.pid}"


def git_state() -> dict[str, str]:
    """Commit, branch and dirtiness of the code; dvc.lock is left out, since the pipeline itself writes it."""
    command = ["git", "status", "--porcelain=v2", "--branch", "--untracked-files=normal", "--", ".", ":!dvc.lock"]
    answer = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    lines = answer.stdout.splitlines()
    head = dict(line[2:].split(" ", 1) for line in lines if line.startswith("# branch."))
    dirty = any(not line.startswith("#") for line in lines)
    return {
        "mlflow.source.git.commit": head.get("branch.oid", "unknown"),
        "mlflow.source.git.branch": head.get("branch.head", "unknown"),
        "lab.git.dirty": str(dirty).lower(),
    }


def open_journal(process: str) -> Path:
    """Begin the run's journal and hold its lock, which the kernel drops with the process, however that ends."""
    JOURNALS.mkdir(parents=True, exist_ok=True)
    journal = JOURNALS / f"{time.time_ns()}-{process}.jsonl"
    held = os.open(journal, os.O_CREAT | os.O_WRONLY)
    fcntl.flock(held, fcntl.LOCK_EX)
    os.set_inheritable(held, True)
    tags = {"lab.stage": process, "lab.chain": chain_id(), "mlflow.source.name": f"lab/processes/{process}/main.py"}
    Run(journal)._write("start", name=process, parent=None, tags=tags | git_state())
    return journal


def main() -> None:
    """Become the process named on the command line."""
    process, *arguments = sys.argv[1:] or [""]
    if not (PROCESSES / process / "main.py").is_file():
        known = ", ".join(sorted(main.parent.name for main in PROCESSES.glob("*/main.py")))
        sys.exit(f"error: no process {process!r} in lab/processes; there are: {known}")
    try:
        python = process_python(process)
    except (RuntimeError, OSError) as error:
        sys.exit(f"error: {process}: {error}")
    environment = {**os.environ, **DETERMINISTIC, "PYTHONPATH": str(ROOT)}
    # The environment's bytecode is compiled once, whatever the caller's shell says.
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    environment[JOURNAL_VARIABLE] = str(open_journal(process))
    subprocess.Popen(
        [sys.executable, "-m", "lab.tracker"],
        cwd=ROOT,
        start_new_session=True,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=(JOURNALS / "tracker.log").open("a"),
    )
    os.execve(python, [str(python), "-m", f"lab.processes.{process}.main", *arguments], environment)


if __name__ == "__main__":
    main()
