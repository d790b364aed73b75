"""Fit seven families of scikit-learn's classifiers, or their regressors, and compare them on the validation rows.

    dvc repro train_standard_classifiers                      when something that it depends on changed
    python -m labkit.launch train_standard_classifiers      now

Writes each family's model, metrics and plot of its predictions, and a plot of the families side by side. Beyond
classifiers.max_rows_quadratic rows the families whose cost grows with the square are fitted on a sample.
"""

import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from time import perf_counter
from typing import Any

import joblib
import numpy as np
from numpy.typing import NDArray
from sklearn.utils.class_weight import compute_sample_weight

from lab.processes.train_standard_classifiers.classifiers import (
    QUADRATIC,
    Rows,
    create_classifiers,
    fit,
    stratified_subsample,
)
from lab.processes.train_standard_classifiers.params import Classifiers, Params
from lab.processes.train_standard_classifiers.regressors import create_regressors
from labkit.process.files import replacing, write_json
from labkit.process.params import read_params
from labkit.process.progress import telling_it_lives
from labkit.process.tracking import Run, md5_of, run_process
from lib.data_splits import DIR_PROCESSED, Dataset, count_rows, load_data_splits, load_dataset, load_folds
from lib.metrics import BASELINE, CROSS_VALIDATION, over_folds
from lib.task import in_short, task_of
from lib.viz import plot_comparison

OUTPUT = Path("artifacts/train_standard_classifiers")


def main(run: Run) -> None:
    """Read the splits, train each family in a run of its own, and compare them."""
    params = read_params(Params)
    run.log_params(params.model_dump())
    splits = load_data_splits()
    run.log_input(str(DIR_PROCESSED), md5_of(DIR_PROCESSED), count_rows(splits))
    dataset = load_dataset()
    task = task_of(dataset)
    models, training = families(params.classifiers, splits.X_train, splits.y_train, dataset)
    folds = [
        (*families(params.classifiers, fold.X_train, fold.y_train, dataset), Rows(fold.X_val, fold.y_val))
        for fold in load_folds()
    ]

    shutil.rmtree(OUTPUT, ignore_errors=True)  # nothing stays of a family that is no more
    metrics = {}
    for name, model in models.items():
        with run.nested(name) as child:
            child.log_params(getattr(params.classifiers, name).model_dump())
            own = [(of_fold[name], rows[name], held_out) for of_fold, rows, held_out in folds]
            validation = Rows(splits.X_val, splits.y_val)
            metrics[name] = train(child, name, model, training[name], validation, dataset, own)
    metrics[BASELINE] = task.metrics(splits.y_val, task.baseline(splits.y_train, len(splits.y_val)))
    plot_comparison(metrics, task.default, OUTPUT / "comparison.png")
    run.log_artifact(OUTPUT / "comparison.png")


def families(
    params: Classifiers, X: NDArray[np.float32], y: NDArray[Any], dataset: Dataset
) -> tuple[dict[str, Any], dict[str, Rows]]:
    """The families, not yet fitted, and of the training rows (X, y) those that each is fitted on."""
    strata = y if dataset.classes else np.zeros(len(y), dtype=np.int64)
    sample = stratified_subsample(strata, params.max_rows_quadratic, params.seed)
    models: dict[str, Any] = {}
    if dataset.task == "classification":
        models |= create_classifiers(params, y[sample])
    else:
        models |= create_regressors(params, len(sample))
    return models, {name: rows_of(X, y, sample if name in QUADRATIC else slice(None), params) for name in models}


def rows_of(X: NDArray[np.float32], y: NDArray[Any], rows: NDArray[np.int64] | slice, params: Classifiers) -> Rows:
    """Some of the training rows, with their weights where classes are to count alike."""
    weights = compute_sample_weight("balanced", y[rows]) if params.class_weight == "balanced" else None
    return Rows(X[rows], y[rows], weights)


def train(
    run: Run,
    name: str,
    model: Any,
    training: Rows,
    validation: Rows,
    dataset: Dataset,
    folds: Sequence[tuple[Any, Rows, Rows]] = (),
) -> dict[str, float]:
    """Fit one family, write and log what comes of it, and return its validation metrics.

    folds: of each fold of a cross-validation the model to fit, its training rows, and those held out.
    """
    started = perf_counter()
    with telling_it_lives(f"{name}: fitting {len(training.y)} rows"):
        fit(name, model, training)
    fitted = perf_counter()
    predictions = (model.predict_proba if dataset.classes else model.predict)(validation.X)
    predicted = perf_counter()

    task = task_of(dataset)
    metrics = task.metrics(validation.y, predictions)
    told: dict[str, Any] = {**metrics, "rows": len(validation.y), "training_rows": len(training.y)}
    if folds:
        told[CROSS_VALIDATION] = crossed = over_folds([*measure(name, folds, dataset)])
        run.log_metrics({f"cross_validation_{metric}": found["mean"] for metric, found in crossed.items()})
    write_json(OUTPUT / "metrics" / f"{name}.json", told)
    with replacing(OUTPUT / "models" / f"{name}.joblib") as beside:
        joblib.dump(model, beside)
    plot = OUTPUT / "predictions" / f"{name}.png"
    task.plot(validation.y, predictions, dataset.classes, plot, f"{name.replace('_', ' ')}, validation rows")

    run.log_metrics({f"validation_{metric}": value for metric, value in metrics.items()})
    run.log_metrics({"training_rows": len(training.y)})
    run.log_timings({"fit_seconds": fitted - started, "predict_seconds": predicted - fitted})
    run.log_artifact(plot)
    print(f"{name:24}{in_short(task, metrics)}   {predicted - started:.2f} s", flush=True)
    return metrics


def measure(name: str, folds: Sequence[tuple[Any, Rows, Rows]], dataset: Dataset) -> Iterator[dict[str, float]]:
    """Fit one family on the training rows of each fold; its metrics on the rows that are held out, fold by fold."""
    for number, (model, training, held_out) in enumerate(folds, 1):
        with telling_it_lives(f"{name}: fold {number} of {len(folds)}"):
            fit(name, model, training)
        predictions = (model.predict_proba if dataset.classes else model.predict)(held_out.X)
        yield task_of(dataset).metrics(held_out.y, predictions)


if __name__ == "__main__":
    run_process(main)
