"""How cost grows from 569 to 1,000,000 rows: seconds of each family and of one epoch of the network.

    python -m benchmarks.growth

30 features, 2 classes, 60% of the rows for training and 20% for validation, the parameters of params.yaml. The last
column says by what power of the rows the cost grew over the last tenfold step: 1 is linear, 2 is quadratic. Families
whose cost is quadratic are fitted on classifiers.max_rows_quadratic rows at most; the column `rows fitted` shows it.
"""

import math
from time import perf_counter

import numpy as np
import torch
from rich.console import Console
from rich.table import Table
from sklearn.datasets import make_classification

import lab.processes.train_dnn_pytorch.densenet as densenet
import lab.processes.train_standard_classifiers.classifiers as families
from lab.processes.train_dnn_pytorch.data_parallel import Worker
from lab.processes.train_dnn_pytorch.params import Params as Network
from lab.processes.train_standard_classifiers.params import Params as Standard
from labkit.paths import ROOT
from labkit.process.params import read_params

SIZES = (569, 10_000, 100_000, 1_000_000)


def measure(rows: int) -> tuple[dict[str, float], dict[str, int]]:
    """Seconds to fit and to predict the validation rows, and the rows fitted, by model."""
    X, y = make_classification(rows, 30, n_informative=10, random_state=0)
    X, y = X.astype(np.float32), y.astype(np.int64)
    train, validation = slice(0, rows * 6 // 10), slice(rows * 6 // 10, rows * 8 // 10)
    params = read_params(Standard, ROOT / "params.yaml").classifiers
    sample = families.stratified_subsample(y[train], params.max_rows_quadratic, params.seed)
    seconds, fitted = {}, {}
    for name, classifier in families.create_classifiers(params, y[train][sample]).items():
        chosen = sample if name in families.QUADRATIC else np.arange(rows)[train]
        started = perf_counter()
        families.fit(name, classifier, families.Rows(X[chosen], y[chosen]))
        classifier.predict_proba(X[validation])
        seconds[name], fitted[name] = perf_counter() - started, len(chosen)
    training = read_params(Network, ROOT / "params.yaml").training.model_copy(update={"epochs": 1})
    started = perf_counter()
    rows_of = [densenet.Rows(torch.from_numpy(X[part]), torch.from_numpy(y[part])) for part in (train, validation)]
    state = densenet.initial_state(30, 2, training, torch.device("cpu"))
    list(densenet.train(state, rows_of[0], rows_of[1], training, Worker()))
    seconds["densenet, one epoch"], fitted["densenet, one epoch"] = perf_counter() - started, train.stop
    return seconds, fitted


def main() -> None:
    """Measure each size and print one table."""
    torch.set_num_threads(1)
    measure(SIZES[0])  # imports and threads that the first use starts
    measured = {rows: measure(rows) for rows in SIZES}
    table = Table(title="seconds to fit and to predict the validation rows")
    table.add_column("model")
    for rows in SIZES:
        table.add_column(f"{rows:,} rows", justify="right")
    table.add_column("rows fitted at the most", justify="right")
    table.add_column("power", justify="right")
    for name, fitted in measured[SIZES[-1]][1].items():
        times = [measured[rows][0][name] for rows in SIZES]
        power = f"{math.log10(times[-1] / times[-2]):.2f}"
        table.add_row(name, *(f"{time:.2f}" for time in times), f"{fitted:,}", power)
    Console(width=140).print(table)


if __name__ == "__main__":
    main()
