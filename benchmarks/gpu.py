"""The network's training loop against a bare loop, and a GPU against the CPU, for three sizes of network and batch.

    python3 -m benchmarks.gpu

Any Python with torch and NumPy runs it, without the lab's environments: a machine with a GPU has its own. Where torch
finds no CUDA device it says so and measures the CPU alone. The bare loop is torch.optim.Adam over the same batches.
The lab's loop also measures every training row after each epoch, so the bare loop is given with that and without.
One thread, as the lab trains on a CPU, timed by its processor time; labkit/launch/kernels.yaml does not apply here.
"""

import math
import platform
from collections import deque
from statistics import median
from time import perf_counter, process_time
from types import SimpleNamespace
from typing import Any, NamedTuple

import torch

from lab.processes.train_dnn_pytorch.data_parallel import Worker
from lab.processes.train_dnn_pytorch.densenet import Rows, evaluate, initial_state, loss_of, train
from lib.pytorch import build_network, make_deterministic

TURNS = 3
LEAST_SECONDS = 1.0  # that each loop runs for, in each turn
CLASSES = 2


class Size(NamedTuple):
    """A network, and an epoch of so many batches."""

    name: str
    features: int
    hidden_layers: list[int]
    batch_size: int
    batches: int


class Rates(NamedTuple):
    """Samples/s of the two loops, and the lab's to those of the bare one, without and with measuring each epoch."""

    lab: float
    bare: float
    to_bare: float
    to_bare_measuring: float


SIZES = (
    Size("small: the lab's own", 30, [64, 32], batch_size=30, batches=1000),
    Size("medium", 256, [1024, 1024], batch_size=256, batches=40),
    Size("large", 1024, [4096, 4096], batch_size=2048, batches=2),
)


def measure(size: Size, device: str) -> Rates:
    """Medians over turns in which the loops run one after the other; ratios are taken within a turn."""
    torch.manual_seed(0)
    n_rows = size.batch_size * size.batches
    data = Rows(torch.randn(n_rows, size.features, device=device), torch.randint(CLASSES, (n_rows,), device=device))
    few = Rows(data.X[:CLASSES], data.y[:CLASSES])
    params: Any = SimpleNamespace(  # not the class of params.py, which needs pydantic
        seed=0,
        hidden_layers=size.hidden_layers,
        dropout=0.1,
        lr=3e-4,
        weight_decay=1e-4,
        batch_size=size.batch_size,
        class_weight=None,
    )
    network = build_network(size.features, size.hidden_layers, CLASSES, params.dropout).to(device)
    optimizer = torch.optim.Adam(network.parameters(), lr=params.lr, weight_decay=params.weight_decay)

    def lab(epochs: int) -> float:
        lasting: Any = SimpleNamespace(**vars(params), epochs=epochs)
        state = initial_state(size.features, CLASSES, params, torch.device(device))
        started = now(device)
        deque(train(state, data, few, lasting, Worker()), maxlen=0)
        return (now(device) - started) / epochs

    def bare(epochs: int) -> float:
        network.train()
        started = now(device)
        for _ in range(epochs):
            order = torch.randperm(n_rows, device=device)
            for x, y in zip(data.X[order].split(size.batch_size), data.y[order].split(size.batch_size), strict=True):
                optimizer.zero_grad()
                torch.autograd.backward(torch.nn.functional.cross_entropy(network(x), y))
                optimizer.step()
        return (now(device) - started) / epochs

    def measuring(epochs: int) -> float:
        started = now(device)
        for _ in range(epochs):
            evaluate(network, data, loss_of(data, params), Worker())
        return (now(device) - started) / epochs

    bare(1)  # what only the first use costs
    measuring(1)
    epochs = max(1, math.ceil(LEAST_SECONDS / lab(1)))
    turns = [(lab(epochs), bare(epochs), measuring(epochs)) for _ in range(TURNS)]
    return Rates(
        lab=n_rows / median(seconds for seconds, _, _ in turns),
        bare=n_rows / median(seconds for _, seconds, _ in turns),
        to_bare=median(theirs / ours for ours, theirs, _ in turns),
        to_bare_measuring=median((theirs + after) / ours for ours, theirs, after in turns),
    )


def now(device: str) -> float:
    """Seconds of a clock, once the device has done all that it was given."""
    if device == "cpu":
        return process_time()  # one thread's work: what else the machine does is not counted
    torch.cuda.synchronize()
    return perf_counter()


def main() -> None:
    """Measure each size on each device and print one table."""
    make_deterministic()
    devices = ["cpu", "cuda"] if torch.cuda.is_available() else ["cpu"]
    name = torch.cuda.get_device_name() if "cuda" in devices else "torch finds no CUDA device here: the CPU alone"
    print(f"{name}; Python {platform.python_version()}, torch {torch.__version__}, {TURNS} turns\n")
    print("| network | batch | device | lab, samples/s | bare | lab to bare | to bare that measures | to the CPU |")
    print("|---|---|---|---|---|---|---|---|")
    for size in SIZES:
        of_cpu = 0.0
        for device in devices:
            rates = measure(size, device)
            of_cpu = of_cpu or rates.lab
            widths = " x ".join(map(str, [size.features, *size.hidden_layers, CLASSES]))
            print(
                f"| {size.name}, {widths} | {size.batch_size} | {device} | {rates.lab:,.0f} | {rates.bare:,.0f} "
                f"| {rates.to_bare:.2f} | {rates.to_bare_measuring:.2f} | {rates.lab / of_cpu:.1f} |",
                flush=True,
            )


if __name__ == "__main__":
    main()
