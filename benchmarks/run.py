"""How fast the lab is, as ratios measured in one run: machines are noisy, so no figure stands without its neighbour.

    python -m benchmarks.run             the pipeline and its parts
    python -m benchmarks.growth          how cost grows from 569 to 1,000,000 rows

Works in a copy of this repository. The pipeline and the floor take turns, and the medians are compared.
"""

import os
import shutil
import statistics
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path
from time import perf_counter, sleep

import numpy as np
import torch
from rich.console import Console
from rich.table import Table

from lab.processes.train_dnn_pytorch.data_parallel import Worker
from lab.processes.train_dnn_pytorch.densenet import Rows, initial_state, train
from lab.processes.train_dnn_pytorch.params import Params
from labkit.paths import ROOT
from labkit.process.params import read_params
from lib.pytorch import build_network

TURNS = 5


def seconds(action: Callable[[], object]) -> float:
    """Wall seconds of one call."""
    started = perf_counter()
    action()
    return perf_counter() - started


def command(line: str, cwd: Path, **variables: str) -> Callable[[], object]:
    """A call that runs a command line, and fails when the command does."""
    environment = {**os.environ, "PATH": f"{ROOT / '.venv' / 'bin'}:{os.environ['PATH']}", **variables}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)  # nobody's imports are to be compiled again in each run
    return lambda: subprocess.run(line, shell=True, cwd=cwd, env=environment, check=True, capture_output=True)


def copy_of_the_lab(target: Path) -> Path:
    """The files that Git knows, in a repository of their own."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True)
    for name in filter(None, listed.stdout.split("\0")):
        (target / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, target / name)
    command("git init --quiet && git add --all && git -c user.name=b -c user.email=b@b commit -qm lab", target)()
    return target


def pipeline_against_floor(lab: Path, table: Table) -> None:
    """Cold `dvc repro` (environments made, no results, nothing cached) against the plain script, turn by turn."""
    repro, floor = command("dvc repro", lab), command("python benchmarks/floor.py", lab)
    settle = command("python -m labkit.tracking.tracker", lab)
    repro()
    floor()  # bytecode, MLflow's tables, disk caches
    cold, plain, unchanged = [], [], []
    for _ in range(TURNS):
        settle()
        for made in ("artifacts", "data/processed", ".dvc/cache", ".dvc/tmp"):
            shutil.rmtree(lab / made, ignore_errors=True)
        cold.append(seconds(repro))
        settle()
        sleep(1)  # the tracker of the last stage has left
        plain.append(seconds(floor))
        unchanged.append(seconds(repro))
    row(table, "cold `dvc repro`", cold, "the floor: one plain script", plain, "2 or less")
    row(table, "`dvc repro`, nothing changed", unchanged, "the floor", plain, "0.6 s or less")
    imports = [seconds(command("python -c 'import dvc.repo.reproduce, dvc.commands.repro'", lab)) for _ in range(TURNS)]
    row(table, "`dvc repro`, nothing changed", unchanged, "importing DVC alone", imports, "")


def environments(table: Table) -> None:
    """Making the environments of all processes, with uv's cache warm, against `pipenv sync` of one of them."""
    with tempfile.TemporaryDirectory(dir=Path.home()) as cache:
        warm = []
        for turn in range(TURNS):
            make = command(
                "python -m labkit.launch.environments", ROOT, XDG_CACHE_HOME=f"{cache}/{turn}", UV_CACHE_DIR=uv_cache()
            )
            warm.append(seconds(make))
    nothing = [seconds(command("python -m labkit.launch.environments", ROOT)) for _ in range(TURNS)]
    row(table, "all environments, warm", warm, "all environments, there already", nothing, "2 s or less")


def uv_cache() -> str:
    """Where uv keeps what it has downloaded."""
    uv = ROOT / ".venv" / "bin" / "uv"
    return subprocess.run([uv, "cache", "dir"], capture_output=True, text=True, check=True).stdout.strip()


def network_against_bare_loop(table: Table, rows: int = 30_000) -> None:
    """One epoch of the DNN's training against the same steps with nothing around them, turn by turn."""
    torch.set_num_threads(1)
    params = read_params(Params, ROOT / "params.yaml").training.model_copy(update={"epochs": 1})
    rng = np.random.default_rng(0)
    data = Rows(
        torch.from_numpy(rng.normal(size=(rows, 30)).astype("float32")), torch.from_numpy(rng.integers(0, 2, rows))
    )
    few = Rows(data.X[:2], data.y[:2])
    network = build_network(30, params.hidden_layers, 2, params.dropout)
    optimizer = torch.optim.Adam(network.parameters(), lr=params.lr, weight_decay=params.weight_decay, fused=True)

    def ours() -> None:
        state = initial_state(30, 2, params, torch.device("cpu"))
        list(train(state, data, few, params, Worker(0, 1)))

    def bare() -> None:
        network.train()
        for batch in torch.split(torch.randperm(rows), params.batch_size):
            optimizer.zero_grad()
            torch.autograd.backward(torch.nn.functional.cross_entropy(network(data.X[batch]), data.y[batch]))
            optimizer.step()

    ours()  # warm
    bare()
    pairs = [(rows / seconds(ours), rows / seconds(bare)) for _ in range(TURNS)]
    ours_rate, bare_rate = (list(column) for column in zip(*pairs, strict=True))
    row(table, "DNN, samples/s", ours_rate, "a bare loop, samples/s", bare_rate, "0.9 or more", unit="")


def row(
    table: Table, name: str, values: list[float], other: str, others: list[float], aim: str, unit: str = " s"
) -> None:
    """Add medians, and the median of the ratios turn by turn."""
    digits = 2 if unit else 0
    ratio = statistics.median(a / b for a, b in zip(values, others, strict=True))
    medians = (f"{statistics.median(numbers):,.{digits}f}{unit}" for numbers in (values, others))
    mine, theirs = medians
    table.add_row(name, mine, other, theirs, f"{ratio:.2f}", aim)


def main() -> None:
    """Measure everything and print one table."""
    table = Table(title=f"medians of {TURNS} turns on {os.cpu_count()} cores")
    for heading in ("what", "", "against", "", "ratio", "aim"):
        table.add_column(heading, justify="right" if not heading or heading == "ratio" else "left")
    network_against_bare_loop(table)
    environments(table)
    with tempfile.TemporaryDirectory() as folder:
        pipeline_against_floor(copy_of_the_lab(Path(folder)), table)
    Console(width=140).print(table)


if __name__ == "__main__":
    main()
