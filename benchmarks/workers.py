"""What workers in clones of their own bring, and what a stage costs there: ratios to `dvc repro`, measured in one run.

    python -m benchmarks.workers

Pipelines 2, 4 and 8 stages wide, on 2 to 8 workers, and what the call for one stage costs. A worker is a clone with a
cache of its own, and calls what every engine calls; they share a Git remote and a DVC remote on the disk, and all of
them this one machine: more workers than cores gain with stages that wait, and not with stages that compute. Publishing
the results is not in it.
"""

import os
import shutil
import tempfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from queue import SimpleQueue
from statistics import median

from rich.console import Console
from rich.table import Table

from benchmarks.jobs import WIDTHS, wide_stages
from benchmarks.run import command, copy_of_the_lab, seconds
from labkit.testing.example_lab import write_yaml

# As stages do that wait for a disk, a server or a GPU; and a few seconds of one core.
WAIT, COMPUTE = "sleep 10", 'python -c "sum(range(300_000_000))"'
WORKERS = (2, 4, 8)
TURNS = 3
OWN = [["prepare_data"], ["train_standard_classifiers", "train_dnn_pytorch"], ["select_best_model"]]

Levels = list[list[str]]


def wide_levels(width: int) -> Levels:
    """The stages of `wide_stages`, each after those of the levels before it."""
    return [["first"], [f"stage{number}" for number in range(width)], ["last"]]


def shared_lab(place: Path, stages: dict[str, dict[str, object]] | None) -> Path:
    """A lab of these stages, or of its own, without results, with its origin and its remote beside it."""
    lab = copy_of_the_lab(place / "lab")
    (lab / "dvc.lock").unlink(missing_ok=True)
    if stages:
        shutil.rmtree(lab / "lab" / "processes")
        write_yaml(lab / "dvc.yaml", {"stages": stages})
        (lab / "raw").write_text("1\n")
    commit = "git add --all && git -c user.name=b -c user.email=b@b commit --quiet --no-verify --message shared"
    command(f"dvc remote add --force --quiet --default share ../share && {commit}", lab)()
    command("git init --quiet --bare ../origin && git remote add origin ../origin", lab)()
    command("git push --quiet origin HEAD:main", lab)()
    return lab


def seconds_of_workers(place: Path, levels: Levels, workers: int) -> float:
    """Seconds until workers have run all stages and one of them has put the results together, from empty caches."""
    shutil.rmtree(place / "share", ignore_errors=True)
    clones: SimpleQueue[Path] = SimpleQueue()
    for number in range(workers):
        clone = place / f"worker{number}of{workers}"
        command(f"git clone --quiet --branch main origin {clone.name}", place)()
        clones.put(clone)

    def call(words: str) -> None:
        clone = clones.get()
        command(f"python -m labkit.distribute {words} --execution {workers}-workers", clone)()
        clones.put(clone)

    def run_all(pool: ThreadPoolExecutor) -> None:
        for level in levels:
            list(pool.map(call, [f"task {stage}" for stage in level]))
        call("collect")

    with ThreadPoolExecutor(workers) as pool:
        return seconds(partial(run_all, pool))


def cost(action: Callable[[], object]) -> tuple[float, float]:
    """Seconds of a call, and the processor's seconds of what it started."""
    before = os.times()
    took = seconds(action)
    after = os.times()
    return took, sum(after[2:4]) - sum(before[2:4])  # of children


def one_stage(table: Table) -> None:
    """A stage that copies a line, called as an engine does, and by `dvc repro`; medians of turns."""
    with tempfile.TemporaryDirectory() as name:
        lab = shared_lab(Path(name), {"first": wide_stages(1, WAIT)["first"]})
        clear = command("rm -rf dvc.lock .dvc/cache start", lab)
        alone, called = [], []
        for turn in range(TURNS):
            alone.append(cost(command("dvc repro", lab)))
            clear()
            called.append(cost(command(f"python -m labkit.distribute task first --execution turn-{turn}", lab)))
            clear()
    for number, of in enumerate(("seconds", "processor's seconds")):
        mine, theirs = ([pair[number] for pair in pairs] for pairs in (alone, called))
        ratio = median(b / a for a, b in zip(mine, theirs, strict=True))
        table.add_row(of, f"{median(mine):.1f}", f"{median(theirs):.1f}", f"{ratio:.1f}")


def pipelines(table: Table) -> None:
    """Each pipeline once with each number of workers that it can use, against `dvc repro`."""
    cores = os.cpu_count() or 1
    wide = [
        (what, wide_stages(width, work), wide_levels(width), min(width, most))
        for what, work, most in (("wait for 10 s", WAIT, max(WORKERS)), ("compute", COMPUTE, cores))
        for width in WIDTHS
    ]
    for what, stages, levels, most in [*wide, ("the lab has", None, OWN, 2)]:
        with tempfile.TemporaryDirectory() as name:
            lab = shared_lab(Path(name), stages)
            took = {count: seconds_of_workers(Path(name), levels, count) for count in WORKERS if count <= most}
            alone = seconds(command("dvc repro", lab))
        ratios = (f"{alone / took[count]:.2f}" if count in took else "" for count in WORKERS)
        table.add_row(what, str(max(map(len, levels))), f"{alone:.1f}", *ratios)
        Console(width=120).print(table)  # it takes long: what there is, is shown


def main() -> None:
    """Measure both, and print a table of each."""
    load = os.getloadavg()[0]
    first = Table("one stage", "`dvc repro`", "an engine's call", "ratio", title=f"medians of {TURNS} turns")
    one_stage(first)
    Console(width=120).print(first)
    second = Table(
        "stages that", "wide", "`dvc repro`, s", *map(str, WORKERS), title="`dvc repro` to N workers, one turn"
    )
    pipelines(second)
    print(f"{os.cpu_count()} cores, load at the start {load:.1f}, at the end {os.getloadavg()[0]:.1f}")


if __name__ == "__main__":
    main()
