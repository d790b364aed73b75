"""Train the dense network, on the device that params.yaml names.

    dvc repro train_dnn_pytorch                      when something that it depends on changed
    python -m labkit.launch train_dnn_pytorch      now

    OMP_NUM_THREADS=1 torchrun --nproc-per-node=2 -m lab.processes.train_dnn_pytorch.main      on two devices or cores

Keeps the weights of the best validation epoch; writes them with the history of all epochs, the validation metrics and
a plot of the predictions. After a kill the next run goes on from the last checkpoint, and ends with the same bytes; the
folds of a cross-validation, which come first, it trains again.
"""

import csv
from collections import deque
from collections.abc import Iterator, Sequence
from pathlib import Path
from time import monotonic
from typing import Any

import torch
from torch import Tensor

from lab.processes.train_dnn_pytorch.checkpoint import checkpoint_path, read_checkpoint, resume, write_checkpoint
from lab.processes.train_dnn_pytorch.data_parallel import Worker, broadcast, join_process_group
from lab.processes.train_dnn_pytorch.densenet import (
    History,
    Rows,
    State,
    best_epoch,
    in_the_targets_unit,
    initial_state,
    train,
)
from lab.processes.train_dnn_pytorch.device import chosen_device
from lab.processes.train_dnn_pytorch.params import Params, Training
from lab.processes.train_dnn_pytorch.progress import show_progress
from labkit.process.errors import InputError
from labkit.process.files import replacing, write_json
from labkit.process.params import read_params
from labkit.process.tracking import Run, md5_of, run_process
from lib.data_splits import (
    DIR_PROCESSED,
    Dataset,
    Fold,
    TensorSplits,
    count_rows,
    load_data_splits,
    load_dataset,
    load_folds,
)
from lib.metrics import CROSS_VALIDATION, over_folds
from lib.pytorch import make_deterministic, network_bytes, predict
from lib.task import in_short, task_of
from lib.viz import plot_training_history

OUTPUT = Path("artifacts/train_dnn_pytorch")
CHECKPOINT_SECONDS = 30.0  # a kill costs this much work at most, and the epoch that it falls into


def main(run: Run) -> None:
    """Read the splits, train, and write the result."""
    params = read_params(Params)
    device = chosen_device(params.training.device)
    make_deterministic()
    with join_process_group(device) as worker:
        if worker.rank == 0:
            run.log_params(params.model_dump())
        splits = load_data_splits(as_type="tensor")
        dataset = load_dataset()
        outputs, unit = len(dataset.classes) or 1, unit_of(splits.y_train)
        if outputs == 1 and params.training.class_weight is not None:
            raise InputError("params.yaml: training.class_weight is balanced, but a number has no classes; remove it")
        measured = [
            measure(fold, dataset, params.training, device, worker)
            for fold in told_one_by_one(load_folds(), is_told=worker.rank == 0)
        ]
        training = Rows(splits.X_train.to(device), scaled(splits.y_train, unit).to(device))
        validation = Rows(splits.X_val.to(device), scaled(splits.y_val, unit).to(device))
        state = initial_state(training.X.shape[1], outputs, params.training, device)
        checkpoint = checkpoint_path(params.training, training, validation, outputs, worker.world_size)
        found = broadcast(read_checkpoint(checkpoint) if worker.rank == 0 else None, worker)
        if found is not None:
            state = resume(state, found)
        trained = train(state, training, validation, params.training, worker)
        if worker.rank > 0:
            deque(trained, maxlen=0)  # it only trains: rank 0 writes files, logs and prints
            return
        watch(run, trained, state.history, params.training.epochs, len(training.X), checkpoint)
    run.log_input(str(DIR_PROCESSED), md5_of(DIR_PROCESSED), count_rows(splits))
    write_results(run, state, splits, dataset, measured)
    checkpoint.unlink(missing_ok=True)


def told_one_by_one(folds: Sequence[Fold], is_told: bool) -> Iterator[Fold]:
    """The folds, each with a word of which it is: to train on one may take long."""
    for number, fold in enumerate(folds, 1):
        if is_told:
            print(f"fold {number} of {len(folds)}", flush=True)
        yield fold


def measure(fold: Fold, dataset: Dataset, params: Training, device: torch.device, worker: Worker) -> dict[str, float]:
    """Train a network on a fold of a cross-validation, stopped by some of its training rows.

    Its metrics on the rows that are held out, which it has not seen.
    """
    y_train = torch.from_numpy(fold.y_train)
    unit = unit_of(y_train)
    X, y = torch.from_numpy(fold.X_train).to(device), scaled(y_train, unit).to(device)
    stops = torch.from_numpy(fold.stops).to(device)
    state = initial_state(X.shape[1], len(dataset.classes) or 1, params, device)
    deque(train(state, Rows(X[~stops], y[~stops]), Rows(X[stops], y[stops]), params, worker), maxlen=0)
    state.network.load_state_dict(state.best_weights)
    if unit:
        in_the_targets_unit(state.network, *unit)
    return task_of(dataset).metrics(fold.y_val, predict(state.network, fold.X_val))


def unit_of(y_train: Tensor) -> tuple[float, float] | None:
    """Mean and standard deviation of numbers, by which they are scaled; classes have none."""
    if not y_train.is_floating_point():
        return None
    exact = y_train.double()
    return exact.mean().item(), exact.std(correction=0).item() or 1.0


def scaled(y: Tensor, unit: tuple[float, float] | None) -> Tensor:
    """Numbers in terms of their unit; classes as they are."""
    return y if unit is None else ((y.double() - unit[0]) / unit[1]).float()


def watch(
    run: Run, trained: Iterator[State], history: History, epochs: int, training_rows: int, checkpoint: Path
) -> None:
    """Let the training run; after each epoch log it, show it, and write a checkpoint when it is time for one."""
    if history["epoch"]:
        print(f"going on after epoch {history['epoch'][-1]} of a run that was killed", flush=True)
    for row in range(len(history["epoch"])):
        log_epoch(run, history, row)
    with show_progress(epochs) as show:
        started = written = monotonic()
        for state in trained:
            now = monotonic()
            log_epoch(run, state.history, -1)
            run.log_timings({"samples_per_second": training_rows / (now - started)}, step=int(history["epoch"][-1]))
            show(state.history)
            if now - written >= CHECKPOINT_SECONDS:
                write_checkpoint(checkpoint, state)
                written = now
            started = monotonic()


def log_epoch(run: Run, history: History, row: int) -> None:
    """Log one row of the history, at its epoch; by names that tell it from the metrics of the network that is kept."""
    metrics = {name: column[row] for name, column in history.items()}
    step = int(metrics.pop("epoch"))
    run.log_metrics({f"epoch_{name}": value for name, value in metrics.items()}, step=step)


def write_results(
    run: Run, state: State, splits: TensorSplits, dataset: Dataset, measured: Sequence[dict[str, float]] = ()
) -> None:
    """Write the best epoch's network, its validation metrics and plots, and the history of all epochs.

    measured: the metrics of each fold of a cross-validation.
    """
    network, history = state.network, state.history
    network.load_state_dict(state.best_weights)
    if unit := unit_of(splits.y_train):
        in_the_targets_unit(network, *unit)
    task, y_val = task_of(dataset), splits.y_val.numpy()
    predictions = predict(network, splits.X_val.numpy())
    metrics = task.metrics(y_val, predictions)

    with replacing(OUTPUT / "models" / "densenet.pt") as beside:
        beside.write_bytes(network_bytes(network))
    write_history(history, OUTPUT / "training_history.csv")
    told: dict[str, Any] = {**metrics, "rows": len(y_val), "training_rows": len(splits.y_train)}
    if measured:
        told[CROSS_VALIDATION] = crossed = over_folds(measured)
        run.log_metrics({f"cross_validation_{name}": found["mean"] for name, found in crossed.items()})
    write_json(OUTPUT / "metrics" / "densenet.json", told)
    plot_training_history(history, OUTPUT / "training_history.png", best_epoch(history))
    task.plot(y_val, predictions, dataset.classes, OUTPUT / "predictions.png", "Dense network, validation rows")

    # One step after the last epoch, where the best epoch's weights are back: a run shows its latest values.
    run.log_metrics({f"validation_{name}": value for name, value in metrics.items()}, len(history["epoch"]) + 1)
    for name in ("models/densenet.pt", "training_history.csv", "training_history.png", "predictions.png"):
        run.log_artifact(OUTPUT / name)
    print(f"best epoch {best_epoch(history)}: validation {in_short(task, metrics)}")


def write_history(history: History, path: Path) -> None:
    """Write one line for each epoch, its numbers to the last digit."""
    with replacing(path) as beside, beside.open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(history)
        table.writerows(zip(*history.values(), strict=True))


if __name__ == "__main__":
    run_process(main)
