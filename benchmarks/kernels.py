"""What portable bytes cost: the network's training with the portable kernels, as a ratio to the processor's own.

    python -m benchmarks.kernels

Each choice gets interpreters of its own, since libraries choose their kernels when they start; the two take turns.
Training is measured in seconds of the processor, on its one thread.
"""

import os
import statistics
import subprocess
import sys
from time import process_time

import torch
from rich.console import Console
from rich.table import Table

from lab.processes.train_dnn_pytorch.data_parallel import Worker
from lab.processes.train_dnn_pytorch.densenet import Rows, initial_state, train
from lab.processes.train_dnn_pytorch.params import Params, Training
from labkit.launch.kernels import deciding_variables
from labkit.launch.machine import this_machine
from labkit.paths import ROOT
from labkit.process.params import read_params
from lib.pytorch import make_deterministic

TURNS = 3
FEATURES = 30
# Hidden layers, rows of a batch, rows of an epoch.
SIZES = (([64, 32], 30, 30_000), ([256, 256], 256, 30_000), ([1024, 1024, 1024], 256, 5_000))


def measure() -> list[float]:
    """Processor seconds of one epoch of each size."""
    make_deterministic()
    return [epoch_seconds(*size) for size in SIZES]


def epoch_seconds(hidden_layers: list[int], batch_size: int, rows: int) -> float:
    """Processor seconds of the second epoch: the first also chooses and compiles kernels."""
    torch.manual_seed(0)
    data = Rows(torch.randn(rows, FEATURES), torch.randint(0, 2, (rows,)))
    few = Rows(data.X[:2], data.y[:2])
    changed = {"hidden_layers": hidden_layers, "batch_size": batch_size, "epochs": 2}
    params: Training = read_params(Params, ROOT / "params.yaml").training.model_copy(update=changed)
    epochs = train(initial_state(FEATURES, 2, params, torch.device("cpu")), data, few, params, Worker())
    next(epochs)
    started = process_time()
    next(epochs)
    return process_time() - started


def seconds_with(kernels: str) -> list[float]:
    """What `measure` says in an interpreter with these kernels."""
    ours = deciding_variables("portable").keys() | deciding_variables("native").keys()
    kept = {name: value for name, value in os.environ.items() if name not in ours}
    environment = {**kept, **deciding_variables(kernels)}
    command = [sys.executable, "-m", "benchmarks.kernels", "--measure"]
    said = subprocess.run(command, env=environment, check=True, stdout=subprocess.PIPE, text=True).stdout
    return [float(number) for number in said.split()]


def main() -> None:
    """Measure both, turn by turn, and print one table."""
    turns = [(seconds_with("portable"), seconds_with("native")) for _ in range(TURNS)]
    table = Table(title=f"one epoch, medians of {TURNS} turns, {' '.join(this_machine())}")
    for heading in ("hidden layers", "batch", "portable", "native", "portable / native"):
        table.add_column(heading, justify="left" if heading == "hidden layers" else "right")
    for number, (hidden_layers, batch_size, _) in enumerate(SIZES):
        portable, native = ([turn[choice][number] for turn in turns] for choice in (0, 1))
        ratio = statistics.median(a / b for a, b in zip(portable, native, strict=True))
        medians = [f"{statistics.median(seconds):.2f} s" for seconds in (portable, native)]
        table.add_row(str(hidden_layers), str(batch_size), *medians, f"{ratio:.2f}")
    Console(width=100).print(table)


if __name__ == "__main__":
    if sys.argv[1:] == ["--measure"]:
        print(*measure())
    else:
        main()
