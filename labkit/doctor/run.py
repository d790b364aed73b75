"""`python -m lab doctor`: run all checks, say what each found, and how to fix it."""

import time
from collections.abc import Callable, Iterator
from multiprocessing import TimeoutError, get_context

from rich.markup import escape

from labkit.doctor import clone, results, services
from labkit.doctor.check import Check, problem
from labkit.github import error_line, on_runner
from labkit.terminal import PlainConsole

# A runner's checkout keeps no token, commits nothing, and is not worked in: publishing brings what it needs. Its run
# goes by the locks that are there: whether they are those of the Pipfiles, only pipenv tells, which is slow to import.
OF_A_PERSON = {
    "git identity": clone.check_identity,
    "git hooks": clone.check_hooks,
    "git files": results.check_tracked,
    "git remote": services.check_origin,
    "locks": clone.check_locks,
}
OF_EVERYONE = {
    "settings": clone.check_settings,
    "environment": clone.check_environment,
    "process environments": clone.check_process_environments,
    "dvc.lock": results.check_lock_file,
    "raw data": results.check_raw_data,
    "DVC remote": services.check_remote,
    "MLflow": services.check_mlflow,
    "DVC's site cache": clone.check_site_cache,
    "disk": clone.check_disk,
    "GPU": clone.check_gpu,
}
COLOURS = {"ok": "green", "warning": "yellow", "problem": "bold red"}
# Each check of a service has its own, shorter limits; this is for what hangs nevertheless, also on a busy machine.
SECONDS = 120.0


def examine() -> int:
    """Print every check as it is done; return 1 when one of them found a problem, else 0."""
    console = PlainConsole(soft_wrap=True, emoji=False)
    states = set()
    for check in checks(OF_EVERYONE if on_runner() else OF_A_PERSON | OF_EVERYONE):
        console.print(f"[{COLOURS[check.state]}]{check.state:8}[/]{escape(f'{check.subject}: {check.found}')}")
        if check.state != "ok" and check.fix:
            console.print(f"{'':8}{escape(f'fix: {check.fix}')}")
        if check.state == "problem" and on_runner():
            print(annotation(check), flush=True)
        states.add(check.state)
    return 1 if "problem" in states else 0


def checks(named: dict[str, Callable[[], Check]], seconds: float = SECONDS) -> Iterator[Check]:
    """Do all checks at once, each in a process of its own: what takes long is imports, and threads share one core."""
    with get_context("fork").Pool(len(named)) as pool:  # left by ending its processes, also those that hang
        deadline = time.monotonic() + seconds
        answers = {name: pool.apply_async(_guarded, (name, check)) for name, check in named.items()}
        for name, answer in answers.items():
            try:
                yield answer.get(max(0.0, deadline - time.monotonic()))
            except TimeoutError:
                yield problem(name, f"this check was not done within {seconds:.0f} s", "")


def _guarded(name: str, check: Callable[[], Check]) -> Check:
    try:
        return check()
    except Exception as error:  # the other checks are still of use
        return problem(name, f"{type(error).__name__}: {error}", "")


def annotation(check: Check) -> str:
    """Format the problem as an annotation, which GitHub shows at the top of the run."""
    return error_line(check.subject, "\n".join(filter(None, [check.found, check.fix and f"fix: {check.fix}"])))
