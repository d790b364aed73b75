"""How the cost of comparing two models row by row grows: `python -m benchmarks.compare`.

Predictions of 10,000, 100,000 and 1,000,000 test rows, of two classes and of numbers: seconds to read both tables and
to test them, and the memory of the process at its most. The power is that by which the seconds grew over the last
tenfold step: 1 is linear. Each size is measured in a process of its own.
"""

import math
import resource
from multiprocessing import get_context
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter

import numpy as np
from rich.console import Console
from rich.table import Table

from labkit.report.paired import differences
from labkit.report.predictions import Paired, Predictions, read_paired

SIZES = (10_000, 100_000, 1_000_000)
NOTHING = Paired(2, {"mae": np.eye(2)})


def write(file: Path, kind: str, rows: int, seed: int) -> Predictions:
    """Predictions of the same rows by another model for each seed."""
    y = np.random.default_rng(0).random(rows)
    p = np.clip(y + np.random.default_rng(seed).normal(0, 0.3, rows), 0.001, 0.999)
    with file.open("w", encoding="utf-8") as table:
        if kind == "numbers":
            table.write("row,actual,predicted\n")
            table.writelines(f"{row},{a:.6f},{b:.6f}\n" for row, (a, b) in enumerate(zip(y, p, strict=True)))
        else:
            table.write("row,actual,predicted,probability_c0,probability_c1\n")
            table.writelines(
                f"{row},c{int(a > 0.5)},c{int(b > 0.5)},{1 - b:.6f},{b:.6f}\n"
                for row, (a, b) in enumerate(zip(y, p, strict=True))
            )
    return Predictions(file, file.name, file.name)


def measure(kind: str, rows: int) -> tuple[float, float, float]:
    """Seconds to read and to test, and the most memory, MiB."""
    with TemporaryDirectory() as folder:
        sides = [write(Path(folder, name), kind, rows, seed) for seed, name in ((1, "A"), (2, "B"))]
        differences(NOTHING)  # imports
        started = perf_counter()
        paired = read_paired(*sides)
        read = perf_counter()
        differences(paired)
        ended = perf_counter()
    return read - started, ended - read, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main() -> None:
    """Measure each size and print one table."""
    table = Table(title="two models, row by row")
    for name in ("test rows", "of", "read, s", "test, s", "memory, MiB", "power"):
        table.add_column(name, justify="right")
    for kind in ("classes", "numbers"):
        before = 0.0
        for rows in SIZES:
            with get_context("spawn").Pool(1) as pool:
                read, tested, memory = pool.apply(measure, (kind, rows))
            total = read + tested
            power = f"{math.log10(total / before):.2f}" if before else ""
            table.add_row(f"{rows:,}", kind, f"{read:.2f}", f"{tested:.2f}", f"{memory:.0f}", power)
            before = total
    Console(width=100).print(table)


if __name__ == "__main__":
    main()
