"""Fit seven families of scikit-learn's classifiers, or their regressors, and compare them on the validation rows.

    dvc repro train_standard_classifiers                      when something that it depends on changed
    python -m labkit.launch train_standard_classifiers      now

Writes each family's model, metrics and plot of its predictions, and the families side by side. Beyond
classifiers.max_rows_quadratic rows the families whose cost grows with the square are fitted on a sample.
"""

import csv
import shutil
from pathlib import Path
from time import perf_counter
from typing import Any

import joblib
import numpy as np
from sklearn.utils.class_weight import compute_sample_weight

from lab.processes.train_standard_classifiers.classifiers import (
    QUADRATIC,
    Rows,
    create_classifiers,
    fit,
    stratified_subsample,
)
from lab.processes.train_standard_classifiers.params import Params
from lab.processes.train_standard_classifiers.progress import telling_it_lives
from lab.processes.train_standard_classifiers.regressors import create_regressors
from labkit.process.files import replacing, write_json
from labkit.process.params import read_params
from labkit.process.tracking import Run, run_process
from lib.data_splits import Dataset, load_data_splits, load_dataset
from lib.metrics import BASELINE, best_first
from lib.task import in_short, task_of
from lib.viz import plot_comparison

OUTPUT = Path("artifacts/train_standard_classifiers")


def main(run: Run) -> None:
    """Read the splits, train each family in a run of its own, and compare them."""
    params = read_params(Params)
    run.log_params(params.model_dump())
    splits = load_data_splits()
    dataset = load_dataset()
    task = task_of(dataset)
    strata = splits.y_train if dataset.classes else np.zeros(len(splits.y_train), dtype=np.int64)
    sample = stratified_subsample(strata, params.classifiers.max_rows_quadratic, params.classifiers.seed)
    models: dict[str, Any] = {}
    if dataset.task == "classification":
        models |= create_classifiers(params.classifiers, splits.y_train[sample])
    else:
        models |= create_regressors(params.classifiers, len(sample))

    shutil.rmtree(OUTPUT, ignore_errors=True)  # nothing stays of a family that is no more
    metrics = {}
    for name, model in models.items():
        rows = sample if name in QUADRATIC else slice(None)
        y = splits.y_train[rows]
        weights = compute_sample_weight("balanced", y) if params.classifiers.class_weight == "balanced" else None
        training = Rows(splits.X_train[rows], y, weights)
        with run.nested(name) as child:
            child.log_params(getattr(params.classifiers, name).model_dump())
            metrics[name] = train(child, name, model, training, Rows(splits.X_val, splits.y_val), dataset)
    metrics[BASELINE] = task.metrics(splits.y_val, task.baseline(splits.y_train, len(splits.y_val)))
    write_comparison(metrics, task.default)
    run.log_artifact(OUTPUT / "comparison.csv")
    run.log_artifact(OUTPUT / "comparison.png")


def train(run: Run, name: str, model: Any, training: Rows, validation: Rows, dataset: Dataset) -> dict[str, float]:
    """Fit one family, write and log what comes of it, and return its validation metrics."""
    started = perf_counter()
    with telling_it_lives(f"{name}: fitting {len(training.y)} rows"):
        fit(name, model, training)
    fitted = perf_counter()
    predictions = (model.predict_proba if dataset.classes else model.predict)(validation.X)
    predicted = perf_counter()

    task = task_of(dataset)
    metrics = task.metrics(validation.y, predictions)
    write_json(
        OUTPUT / "metrics" / f"{name}.json", {**metrics, "rows": len(validation.y), "training_rows": len(training.y)}
    )
    with replacing(OUTPUT / "models" / f"{name}.joblib") as beside:
        joblib.dump(model, beside)
    plot = OUTPUT / "predictions" / f"{name}.png"
    task.plot(validation.y, predictions, dataset.classes, plot, f"{name.replace('_', ' ')}, validation rows")

    run.log_metrics({f"validation_{metric}": value for metric, value in metrics.items()})
    run.log_metrics(
        {
            "training_rows": len(training.y),
            "fit_seconds": fitted - started,  # to the run alone: a file with times is never the same twice
            "predict_seconds": predicted - fitted,
        }
    )
    run.log_artifact(plot)
    print(f"{name:24}{in_short(task, metrics)}   {predicted - started:.2f} s", flush=True)
    return metrics


def write_comparison(metrics: dict[str, dict[str, float]], metric: str) -> None:
    """Write the families, the baseline and their metrics, the best by `metric` first, as a table and as a plot."""
    with replacing(OUTPUT / "comparison.csv") as beside, beside.open("w", newline="") as file:
        table = csv.DictWriter(file, ["model", *metrics[BASELINE]], lineterminator="\n")
        table.writeheader()
        table.writerows({"model": name, **metrics[name]} for name in best_first(metrics, metric))
    plot_comparison(metrics, metric, OUTPUT / "comparison.png")


if __name__ == "__main__":
    run_process(main)
