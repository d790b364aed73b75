"""Run a process in the environment of its own Pipfile.lock: what every stage of dvc.yaml calls.

    python -m labkit.launch prepare_data

It makes the environment where it is missing, opens the run's journal, starts the tracker beside it,
and then execs the process: no wrapper is left between it and DVC.
"""

import fcntl
import os
import sys
import time
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from labkit.launch.environments import process_python
from labkit.launch.facts import facts_of, uncommitted
from labkit.launch.inputs import note_inputs
from labkit.launch.kernels import Choice, all_variables, chosen, deciding_variables
from labkit.launch.limits import Limit, limit_here, start_watch
from labkit.launch.machine import refuse_missing_device
from labkit.launch.run_name import name_of_run
from labkit.launch.stage import run_file_variable
from labkit.paths import HOME, PROCESSES, ROOT
from labkit.process.credentials import without_credentials
from labkit.process.errors import InputError
from labkit.process.inputs import LAB_PYTHON_VARIABLE
from labkit.process.tracking import JOURNAL_VARIABLE, ROOM_BYTES, ROOT_RUN, append, inputs_of, md5_of, room_of
from labkit.tracking.journal import DIFF, EXECUTION_VARIABLE, JOURNALS, diff_of, runs_of_execution
from labkit.tracking.tracker import start_tracker

if TYPE_CHECKING:
    from psutil import Process


def execution_id() -> str:
    """One name for all the processes of one pipeline execution: the one given, or after the `dvc` that runs them."""
    if given := os.environ.get(EXECUTION_VARIABLE):
        return given
    import psutil  # not above: it costs a stage start 20 ms, and `python -m lab run` gives the name

    this = psutil.Process()
    for dvc in [*this.parents(), this]:
        if any(Path(word).name == "dvc" for word in dvc.as_dict(["cmdline"], ad_value=[])["cmdline"]):
            break
    return execution_of(dvc)


def execution_of(process: "Process") -> str:
    """The name of the execution that a process runs."""
    return f"{time.strftime('%Y%m%d-%H%M%S', time.gmtime(process.create_time()))}-{process.pid}"


def processes_of(execution: str) -> list[str]:
    """The processes that have run in one pipeline execution, whether MLflow has them already or not."""
    return list(dict.fromkeys(run.stage for run in runs_of_execution(execution)))


def open_journal(process: str, choice: Choice | None, limit: Limit | None = None) -> Path:
    """Begin the run's journal and hold its lock, which the kernel drops with the process, however that ends.

    `choice` is what it runs on, or None for one that can't run. Raises OSError when it can't be written.
    """
    tags = facts_of(process, execution_id(), choice, limit)
    for folder in (HOME / ".lab", JOURNALS):
        folder.mkdir(parents=True, exist_ok=True)
        with suppress(PermissionError):  # another user's, who lends it
            folder.chmod(0o700)  # journals, checkpoints and the sandbox's keys are the owner's alone
    journal = JOURNALS / f"{time.time_ns()}-{process}.jsonl"
    beginning = journal.with_suffix(".beginning")  # a tracker must not see it before its lock is held
    held = os.open(beginning, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666)
    fcntl.flock(held, fcntl.LOCK_EX)
    os.set_inheritable(held, True)
    # A tracker that is not told where runs go leaves those alone that were for a server.
    server = without_credentials(os.environ.get("MLFLOW_TRACKING_URI", ""))
    append(beginning, ROOT_RUN, "start", name=name_of_run(process), tags=tags, uri=server)
    if tags.get("lab.git.dirty") == "true" and (text := uncommitted()):
        diff = diff_of(journal)
        diff.write_text(text, encoding="utf-8")
        append(beginning, ROOT_RUN, "artifact", path=str(diff), target=DIFF, md5=md5_of(diff))
    with suppress(OSError):
        room_of(journal).write_bytes(os.urandom(ROOM_BYTES))  # what no file system compresses
    return beginning.rename(journal)


def refuse(process: str, error: Exception) -> NoReturn:
    """End a process that can't begin, with the reason here, in its run and so on the page."""
    reason = without_credentials(str(error))
    with suppress(OSError):
        append(open_journal(process, None), ROOT_RUN, "end", status="FAILED", reason=reason)
        start_tracker()
    sys.exit(f"error: {process}: {reason}")


def is_made(venv: Path) -> bool:
    """Whether `make setup` has brought an environment up to the lab's lock."""
    made = venv / "made"
    return made.exists() and made.read_bytes() == (ROOT / "Pipfile.lock").read_bytes()


def main() -> None:
    """Become the process named on the command line."""
    if missing := [package for package in ("mlflow", "psutil") if find_spec(package) is None]:
        own = ROOT / ".venv" / "bin" / "python"
        if own.exists() and Path(sys.prefix).resolve() != own.parents[1].resolve() and is_made(own.parents[1]):
            os.execv(own, [str(own), "-m", "labkit.launch", *sys.argv[1:]])
        sys.exit(
            f"error: {sys.executable} is not the lab's Python: it lacks {' and '.join(missing)}\n"
            "Run `rm -rf .venv && make setup` and `source .venv/bin/activate`; "
            "or `pipenv sync --dev` and then `pipenv run dvc repro`."
        )
    process, *arguments = sys.argv[1:] or [""]
    if not (PROCESSES / process / "main.py").is_file():
        known = ", ".join(sorted(main.parent.name for main in PROCESSES.glob("*/main.py")))
        sys.exit(f"error: no process {process!r} in lab/processes; there are: {known}")
    try:
        choice, limit = chosen(process), limit_here()
        refuse_missing_device(process, choice)
        python = process_python(process)
        deciding = deciding_variables(choice.kernels)
        decided = all_variables()
        run_file = run_file_variable(ROOT)
        kept = {name: value for name, value in os.environ.items() if name not in decided}
    except (InputError, RuntimeError, OSError) as error:
        refuse(process, error)
    environment = {**kept, **deciding, "PYTHONPATH": str(ROOT), LAB_PYTHON_VARIABLE: sys.executable, **run_file}
    # The environment's bytecode is compiled once, whatever the caller's shell says.
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    try:
        journal = open_journal(process, choice, limit)
        environment[JOURNAL_VARIABLE] = str(journal)
        environment |= note_inputs(inputs_of(journal), ROOT)
        start_tracker()
    except OSError as error:  # a process runs, tracked or not
        print(f"warning: {process} is not tracked: {error}", file=sys.stderr, flush=True)
    if limit:
        environment |= start_watch(limit, environment.get(JOURNAL_VARIABLE, ""))
    os.chdir(ROOT)
    os.execve(python, [str(python), "-m", f"lab.processes.{process}.main", *arguments], environment)
