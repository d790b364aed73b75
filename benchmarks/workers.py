"""What workers in clones of their own bring, and what a stage costs there: ratios to `dvc repro`, measured in one run.

    python benchmarks/workers.py

Pipelines 2, 4 and 8 stages wide, on 1 to 8 workers. A worker is a clone with a cache of its own, and calls what every
engine calls; they share a Git remote and a DVC remote on the disk, and all of them this one machine: more workers than
cores gain with stages that wait, and not with stages that compute. Publishing the results is not in it.
"""

import os
import shutil
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from queue import SimpleQueue

from rich.console import Console
from rich.table import Table

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))  # run as a script, Python looks in benchmarks alone

from benchmarks.jobs import WIDTHS, wide_stages  # noqa: E402
from benchmarks.run import command, copy_of_the_lab, seconds  # noqa: E402
from labkit.testing.example_lab import write_yaml  # noqa: E402

# As stages do that wait for a disk, a server or a GPU; and a few seconds of one core.
WAIT, COMPUTE = "sleep 10", 'python -c "sum(range(300_000_000))"'
WORKERS = (1, 2, 4, 8)
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


def main() -> None:
    """Measure each pipeline once with each number of workers that it can use, and print one table."""
    cores = os.cpu_count() or 1
    pipelines = [
        (what, wide_stages(width, work), wide_levels(width), min(width, most))
        for what, work, most in (("wait for 10 s", WAIT, max(WORKERS)), ("compute", COMPUTE, cores))
        for width in WIDTHS
    ]
    table = Table(title=f"`dvc repro` to workers, one turn, {cores} cores")
    for heading in ("stages that", "wide", "`dvc repro`, s", *map(str, WORKERS), "a stage costs, s"):
        table.add_column(heading, justify="left" if heading == "stages that" else "right")
    for what, stages, levels, most in [*pipelines, ("the lab has", None, OWN, 2)]:
        with tempfile.TemporaryDirectory() as name:
            lab = shared_lab(Path(name), stages)
            took = {count: seconds_of_workers(Path(name), levels, count) for count in WORKERS if count <= most}
            alone = seconds(command("dvc repro", lab))
        ratios = (f"{alone / took[count]:.2f}" if count in took else "" for count in WORKERS)
        more = (took[1] - alone) / sum(map(len, levels))
        table.add_row(what, str(max(map(len, levels))), f"{alone:.1f}", *ratios, f"{more:.1f}")
        Console(width=120).print(table)  # it takes long: what there is, is shown
    print(f"load of the machine at the end: {os.getloadavg()[0]:.1f}")


if __name__ == "__main__":
    main()
