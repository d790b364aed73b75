"""What it brings to run stages at once: serial against parallel, as ratios measured in one run.

    python -m benchmarks.jobs

The first table is of pipelines 2, 4 and 8 stages wide, whose stages compute or only wait. The second is of the lab's
own pipeline, cold and unchanged.
"""

import os
import shutil
import statistics
import tempfile
from collections.abc import Callable
from pathlib import Path
from time import sleep

from rich.console import Console
from rich.table import Table

from benchmarks.run import command, copy_of_the_lab, seconds
from labkit.paths import ROOT
from labkit.testing.example_lab import write_yaml

TURNS = 3
WIDTHS = (2, 4, 8)
# The same work on each machine, a second or more of one core; and a second without any.
WORK = {"computing": 'python -c "sum(range(100_000_000))"', "waiting": "sleep 2"}
AT_ONCE = "import os, sys; from labkit.pipeline.parallel import reproduce; sys.exit(reproduce({jobs}, os.environ))"


def wide_stages(width: int, work: str) -> dict[str, dict[str, object]]:
    """So many independent stages between a first and a last, for dvc.yaml."""
    middle: dict[str, dict[str, object]] = {
        f"stage{number}": {"cmd": f"{work} && cp start made{number}", "deps": ["start"], "outs": [f"made{number}"]}
        for number in range(width)
    }
    outs = [f"made{number}" for number in range(width)]
    return {
        "first": {"cmd": "cp raw start", "deps": ["raw"], "outs": ["start"]},
        **middle,
        "last": {"cmd": f"cat {' '.join(outs)} > joined", "deps": outs, "outs": ["joined"]},
    }


def wide(folder: Path, width: int, work: str) -> None:
    """Make a pipeline of them."""
    write_yaml(folder / "dvc.yaml", {"stages": wide_stages(width, work)})
    command("git init --quiet && dvc init --quiet && echo 1 > raw", folder)()


def turns(kinds: dict[str, Callable[[], object]], before: Callable[[], object]) -> dict[str, list[float]]:
    """Seconds of each kind, in turns, each after `before`."""
    found: dict[str, list[float]] = {name: [] for name in kinds}
    for _ in range(TURNS):
        for name, action in kinds.items():
            before()
            found[name].append(seconds(action))
    return found


def add_row(table: Table, what: str, found: dict[str, list[float]]) -> None:
    """Add the medians, and the median of the ratios of the first two kinds turn by turn."""
    first, second = [*found.values()][:2]
    ratio = statistics.median(a / b for a, b in zip(first, second, strict=True))
    table.add_row(what, *(f"{statistics.median(values):.2f} s" for values in found.values()), f"{ratio:.2f}")


def widths(table: Table) -> None:
    """Pipelines of each width and kind of work, cold, serial against as many at once as there are stages or cores."""
    for kind, work in WORK.items():
        for width in WIDTHS:
            jobs = width if kind == "waiting" else min(width, os.cpu_count() or 1)
            with tempfile.TemporaryDirectory() as name:
                folder = Path(name)
                wide(folder, width, work)
                at_once = f"python -c '{AT_ONCE.format(jobs=jobs)}'"
                found = turns(
                    {"serial": command("dvc repro", folder), "at once": command(at_once, folder, PYTHONPATH=str(ROOT))},
                    before=command("rm -rf dvc.lock .dvc/cache .dvc/tmp start made* joined", folder),
                )
            add_row(table, f"{width} stages, {kind}, {jobs} at once", found)


def own_pipeline(table: Table) -> None:
    """The lab's pipeline against the floor, and with nothing changed against the import of DVC."""
    with tempfile.TemporaryDirectory() as name:
        lab = copy_of_the_lab(Path(name))
        serial, at_once = command("dvc repro", lab), command("python -m lab run", lab)
        floor = command("python benchmarks/floor.py", lab)

        def clear() -> None:
            command("python -m labkit.tracking.tracker", lab)()
            sleep(1)
            for made in ("artifacts", "data/processed", ".dvc/cache", ".dvc/tmp"):
                shutil.rmtree(lab / made, ignore_errors=True)

        at_once()
        floor()  # bytecode, MLflow's tables, disk caches
        cold = turns({"at once": at_once, "the floor": floor, "serial": serial}, clear)
        add_row(table, "cold: `lab run`, the floor, `dvc repro`", cold)
        serial()
        command("python -m labkit.tracking.tracker", lab)()
        imports = command("python -c 'import dvc.repo.reproduce, dvc.commands.repro'", lab)
        same = turns({"at once": at_once, "import": imports, "serial": serial}, lambda: None)
        add_row(table, "unchanged: `lab run`, importing DVC, `dvc repro`", same)


def main() -> None:
    """Measure both and print the tables."""
    first = Table("pipeline", "serial", "at once", "ratio", title=f"medians of {TURNS} turns, {os.cpu_count()} cores")
    widths(first)
    Console(width=120).print(first)
    second = Table("what", "first", "second", "third", "first / second")
    own_pipeline(second)
    Console(width=120).print(second)


if __name__ == "__main__":
    main()
