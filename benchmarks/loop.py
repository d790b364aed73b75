"""Where the time goes from a pushed tag to its results, on the sandbox, against `dvc repro` of the same change here.

    python -m benchmarks.loop

cold: the runner's first run, with nothing in its caches but downloaded packages. warm: a parameter changed since.
unchanged: the same commit again.
"""

import shutil
import sys
import tempfile
from pathlib import Path
from statistics import median
from time import perf_counter

from rich.console import Console
from rich.table import Table

from benchmarks.run import command, copy_of_the_lab, seconds
from labkit.testing.ports import free_port
from runtimes.sandbox.runs import recorded_runs
from runtimes.sandbox.start import down, up
from runtimes.sandbox.state import Sandbox
from runtimes.sandbox.watch import follow_newest

TURNS = 3
STEPS = ("Set up", "Check the services", "Run", "Publish")


def change(rate: float) -> str:
    """The command that asks for another learning rate, and commits that."""
    commit = "git -c user.name=b -c user.email=b@b commit --quiet --no-verify --all --message change"
    return f"sed -i 's/^  lr: [0-9.]*/  lr: {rate}/' params.yaml && {commit}"


def tag_to_results(sandbox: Sandbox, tag: str) -> tuple[float, list[float]]:
    """Seconds from pushing a tag to the end of its run, and those of each step."""
    command(f"git push --quiet --no-verify origin HEAD && git tag {tag}", sandbox.clone)()
    started = perf_counter()
    command(f"git push --quiet --no-verify origin {tag}", sandbox.clone)()
    log: list[str] = []
    if follow_newest(sandbox, log.append):
        sys.exit("\n".join(log))
    total = perf_counter() - started
    took = {step.name: step.seconds for step in recorded_runs(sandbox)[-1].steps}
    command("git pull --quiet", sandbox.clone)()
    return total, [took[name] for name in STEPS]


def main() -> None:
    """Measure the three cases and print one table."""
    table = Table(title=f"seconds; medians of {TURNS} turns where there are turns")
    for heading in ("case", "tag to results", *STEPS, "the rest", "`dvc repro` here", "overhead"):
        table.add_column(heading, justify="left" if heading == "case" else "right")

    def row(case: str, turns: list[tuple[float, list[float], float]]) -> None:
        totals, steps, local = zip(*turns, strict=True)
        each = [median(column) for column in zip(*steps, strict=True)]
        rest = median(total - sum(parts) for total, parts in zip(totals, steps, strict=True))
        overhead = median(total - alone for total, alone in zip(totals, local, strict=True))
        numbers = [median(totals), *each, rest, median(local), overhead]
        table.add_row(case, *(f"{number:.1f}" for number in numbers))

    with tempfile.TemporaryDirectory() as folder:
        lab = copy_of_the_lab(Path(folder) / "here")
        repro = command("dvc repro", lab)
        sandbox = up(Path(folder) / "sandbox", free_port(), free_port(), source=lab)
        try:
            shutil.rmtree(lab / "artifacts", ignore_errors=True)
            row("cold", [(*tag_to_results(sandbox, "run-example-cold"), seconds(repro))])
            warm, unchanged = [], []
            for turn in range(TURNS):
                rate = 0.001 + turn / 10_000
                command(change(rate), lab)()
                command(change(rate), sandbox.clone)()
                warm.append((*tag_to_results(sandbox, f"run-example-warm-{turn}"), seconds(repro)))
                unchanged.append((*tag_to_results(sandbox, f"run-example-same-{turn}"), seconds(repro)))
            row("warm", warm)
            row("unchanged", unchanged)
        finally:
            down(sandbox.folder)
    Console(width=150).print(table)


if __name__ == "__main__":
    main()
