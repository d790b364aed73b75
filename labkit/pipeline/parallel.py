"""`dvc repro` with independent stages at the same time.

Each stage is run by a DVC of its own, when all that it needs is done, under the locks that DVC has for that
(`--wait-for-lock`). What has to run is found at once, as `dvc repro` finds it; where nothing can run beside another,
`dvc repro` itself does it. dvc.lock comes out the same to the byte.
"""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import suppress
from functools import partial
from itertools import pairwise
from threading import Event, Thread
from time import monotonic
from typing import NamedTuple

from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.text import Text

from labkit.dvc_adapter.command_line import dvc
from labkit.dvc_adapter.graph import Step, bring_unchanged, steps_here
from labkit.dvc_adapter.repository import open_project
from labkit.paths import ROOT
from labkit.pipeline.order import ordered_as_by_repro
from labkit.pipeline.signals import end_requests_handled, interrupt_with_children
from labkit.pipeline.stages import duration, process_of
from labkit.process.credentials import without_credentials
from labkit.process.errors import InputError
from labkit.terminal import PlainConsole
from labkit.tracking.journal import last_seconds

MEMORY_OF_A_STAGE = 2 << 30  # bytes that must be free for each, where nobody says how many at once
OWN_DVC_SECONDS = 0.9  # what a stage takes longer when a DVC of its own runs it (benchmarks/jobs.py)
COLOURS = ("cyan", "magenta", "green", "yellow", "blue")
# What DVC says after each stage.
ADVICE = re.compile(
    r"|(Updating|Generating) lock file '.*'|To track the changes with git, run:|To enable auto staging, run:"
    r"|\t(git add .*|dvc config core\.autostage true)|Use `dvc push` to send your updates to remote storage\."
)
INTERRUPTED = 130
READING_SECONDS = 1.0  # for a step's last output: a process that it left running may hold the pipe forever

Run = Callable[[Step], int]  # runs a step, and returns its exit code
Tell = Callable[[str, str], None]  # shows what a step says


class Started(NamedTuple):
    """The DVCs that run, and whether to end them."""

    processes: set["subprocess.Popen[str]"]
    ending: Event


def reproduce_here(jobs: int | None) -> int:
    """Do what `dvc repro --pull --keep-going` does, in this lab. The exit code and what is raised are `reproduce`'s."""
    os.chdir(ROOT)
    return reproduce(jobs, os.environ, pull=True)


def reproduce(jobs: int | None, environment: Mapping[str, str], pull: bool = False) -> int:
    """Run what changed and what follows from it, `jobs` stages at once; the exit code is DVC's, or 130 after Ctrl-C.

    As `dvc repro --keep-going`: where one fails, those that do not need it still run; with `pull`, as with `--pull`.
    Raises InputError where DVC refuses dvc.yaml.
    """
    options = ["--pull"] if pull else []
    if pull:
        _bring()
    with open_project() as project:
        steps = steps_here(project)
    stale = [step for step in steps if not step.is_fresh]
    if not stale:
        return 0
    at_once = jobs or allowed_jobs()
    if at_once == 1 or is_chain(stale) or not (jobs or pays(stale, at_once, last_seconds())):
        return _one_by_one(options, environment)
    with ordered_as_by_repro(steps):
        return _at_once(stale, at_once, options, environment)


def allowed_jobs() -> int:
    """How many stages this machine can run at once, by its cores and the memory that is free."""
    import psutil

    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return int(max(1, min(cores, psutil.virtual_memory().available // MEMORY_OF_A_STAGE)))


def is_chain(steps: list[Step]) -> bool:
    """Whether each of the steps, which are in order, needs the one before it."""
    return all(before.name in step.needs for before, step in pairwise(steps))


def pays(steps: list[Step], jobs: int, seconds: Mapping[str, float]) -> bool:
    """Whether steps, which are in order, end sooner at once than one by one.

    seconds: how long each process took last time. Where one is not known, it may take hours: yes.
    """
    took = [seconds.get(process_of(step.command)) for step in steps]
    known = [one for one in took if one is not None]
    if len(known) < len(steps):
        return True
    ends: dict[str, float] = {}
    for step, alone in zip(steps, known, strict=True):
        begins = max((ends[name] for name in step.needs if name in ends), default=0.0)
        ends[step.name] = begins + alone + OWN_DVC_SECONDS
    by_cores = (sum(known) + OWN_DVC_SECONDS * len(steps)) / jobs
    return max(*ends.values(), by_cores) < sum(known)


def _bring() -> None:
    """Pull what did not change; where that fails, each stage tries by itself, and says why it can't."""
    try:
        with open_project() as project:
            bring_unchanged(project)
    except InputError:
        raise
    except Exception as error:  # each kind of remote raises its own
        print(f"warning: the DVC remote: {without_credentials(str(error))}", file=sys.stderr, flush=True)


def _one_by_one(options: list[str], environment: Mapping[str, str]) -> int:
    """Run `dvc repro` to its end, also after Ctrl-C: the terminal sends that to DVC too, which then cleans up.

    A request to end reaches this process alone, and is passed on as a Ctrl-C to all that runs.
    """
    command = dvc("repro", "--keep-going", *options)
    with (
        subprocess.Popen(command, env=environment) as process,
        end_requests_handled(lambda *_: interrupt_with_children(process.pid)),
    ):
        while True:
            try:
                return process.wait()
            except KeyboardInterrupt:
                continue


def _at_once(steps: list[Step], jobs: int, options: list[str], environment: Mapping[str, str]) -> int:
    """Run steps, which are in order, and show what they say, each line with its step."""
    console = PlainConsole(highlight=False)
    width, colours = max(len(step.name) for step in steps), {}
    for number, step in enumerate(steps):
        colours[step.name] = COLOURS[number % len(COLOURS)]

    def tell(name: str, line: str) -> None:
        said = Text.assemble((f"{name:{width}} | ", colours[name]), Text.from_ansi(line))
        console.print(said, soft_wrap=True)

    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    started = Started(set(), Event())
    with (
        Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bars,
        ThreadPoolExecutor(jobs) as pool,
    ):

        def run(step: Step) -> int:
            bar = bars.add_task(step.name)
            try:
                command = ["--wait-for-lock", "repro", *options, "--single-item", step.name]
                return _run(command, started, partial(tell, step.name), environment)
            finally:
                bars.remove_task(bar)

        futures: dict[Future[int], Step] = {}
        try:
            with end_requests_handled(signal.default_int_handler):  # as Ctrl-C
                return _schedule(steps, lambda step: pool.submit(run, step), futures, jobs, tell)
        except KeyboardInterrupt:
            _end(started, futures)
            return INTERRUPTED


def _schedule(
    steps: list[Step],
    submit: "Callable[[Step], Future[int]]",
    futures: "dict[Future[int], Step]",
    jobs: int,
    tell: Tell,
) -> int:
    """Submit each step when what it needs is done, the longest first; return the first exit code that is not 0."""
    seconds = last_seconds()
    waiting = sorted(steps, key=lambda step: -seconds.get(process_of(step.command), 0.0))
    undone: dict[str, str] = {}  # what became of steps that others wait for in vain
    exit_codes = []
    while waiting or futures:
        for step in [step for step in steps if step in waiting and undone.keys() & {*step.needs}]:
            lost = next(name for name in step.needs if name in undone)
            tell(step.name, f"skipped: it needs {lost}, which {undone[lost]}")
            undone[step.name] = "was skipped"
            waiting.remove(step)
        missing = {*_names(waiting), *_names(futures.values()), *undone}
        for step in [step for step in waiting if missing.isdisjoint(step.needs)][: jobs - len(futures)]:
            waiting.remove(step)
            futures[submit(step)] = step
        for future in wait(futures, return_when=FIRST_COMPLETED).done:
            step = futures.pop(future)
            if exit_code := future.result():
                exit_codes.append(exit_code)
                undone[step.name] = "failed"
    return next(iter(exit_codes), 0)


def _run(command: list[str], started: Started, tell: Callable[[str], None], environment: Mapping[str, str]) -> int:
    """Run a DVC command of one step, and show what it says."""
    began = monotonic()
    process = subprocess.Popen(
        dvc(*command),
        env={**environment, "PYTHONUNBUFFERED": "1"},  # what it says is shown when it says it
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        errors="replace",
        process_group=0,  # a signal reaches all that it has started
    )
    started.processes.add(process)
    if started.ending.is_set():
        _signal(process, signal.SIGINT)

    def read() -> None:
        for line in process.stdout or ():
            if not ADVICE.fullmatch(line.rstrip()):
                tell(line.rstrip())

    reader = Thread(target=read, daemon=True)
    reader.start()
    exit_code = process.wait()
    reader.join(READING_SECONDS)
    started.processes.discard(process)
    took = duration(monotonic() - began)
    tell(f"failed after {took}" if exit_code else f"done in {took}")
    return exit_code


def _end(started: Started, futures: "dict[Future[int], Step]") -> None:
    """Interrupt all that runs, as Ctrl-C in a terminal does; at the second Ctrl-C, kill it."""
    started.ending.set()
    for number in (signal.SIGINT, signal.SIGKILL):
        for process in [*started.processes]:
            _signal(process, number)
        with suppress(KeyboardInterrupt):
            wait(futures)
            return


def _signal(process: "subprocess.Popen[str]", number: signal.Signals) -> None:
    with suppress(ProcessLookupError):
        os.killpg(process.pid, number)


def _names(steps: Iterable[Step]) -> list[str]:
    return [step.name for step in steps]
