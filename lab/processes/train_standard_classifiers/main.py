"""Fit seven families of scikit-learn's classifiers and compare them on the validation rows.

    dvc repro train_standard_classifiers                      when something that it depends on changed
    python -m labkit.launch train_standard_classifiers      now

Writes each family's model, metrics and confusion matrix, and the families side by side. Beyond
classifiers.max_rows_quadratic rows the families whose cost grows with the square are fitted on a sample.
"""

import csv
import shutil
from pathlib import Path
from time import perf_counter

import joblib
from sklearn.base import ClassifierMixin
from sklearn.metrics import confusion_matrix
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
from labkit.process.files import replacing, write_json
from labkit.process.params import read_params
from labkit.process.tracking import Run, run_process
from lib.data_splits import load_data_splits, load_dataset
from lib.metrics import BASELINE, HIGHER_IS_BETTER, best_first, class_frequencies, classification_metrics
from lib.viz import plot_comparison, plot_confusion_matrix

OUTPUT = Path("artifacts/train_standard_classifiers")


def main(run: Run) -> None:
    """Read the splits, train each family in a run of its own, and compare them."""
    params = read_params(Params)
    run.log_params(params.model_dump())
    splits = load_data_splits()
    classes = load_dataset().classes
    sample = stratified_subsample(splits.y_train, params.classifiers.max_rows_quadratic, params.classifiers.seed)
    classifiers = create_classifiers(params.classifiers, splits.y_train[sample])

    shutil.rmtree(OUTPUT, ignore_errors=True)  # nothing stays of a family that is no more
    metrics = {}
    for name, classifier in classifiers.items():
        rows = sample if name in QUADRATIC else slice(None)
        y = splits.y_train[rows]
        weights = compute_sample_weight("balanced", y) if params.classifiers.class_weight == "balanced" else None
        training = Rows(splits.X_train[rows], y, weights)
        with run.nested(name) as child:
            child.log_params(getattr(params.classifiers, name).model_dump())
            metrics[name] = train(child, name, classifier, training, Rows(splits.X_val, splits.y_val), classes)
    metrics[BASELINE] = classification_metrics(splits.y_val, class_frequencies(splits.y_train, len(splits.y_val)))
    write_comparison(metrics)
    run.log_artifact(OUTPUT / "comparison.csv")
    run.log_artifact(OUTPUT / "comparison.png")


def train(
    run: Run, name: str, classifier: ClassifierMixin, training: Rows, validation: Rows, classes: list[str]
) -> dict[str, float]:
    """Fit one family, write and log what comes of it, and return its validation metrics."""
    started = perf_counter()
    with telling_it_lives(f"{name}: fitting {len(training.y)} rows"):
        fit(name, classifier, training)
    fitted = perf_counter()
    probabilities = classifier.predict_proba(validation.X)
    predicted = perf_counter()

    metrics = classification_metrics(validation.y, probabilities)
    write_json(
        OUTPUT / "metrics" / f"{name}.json", {**metrics, "rows": len(validation.y), "training_rows": len(training.y)}
    )
    with replacing(OUTPUT / "models" / f"{name}.joblib") as beside:
        joblib.dump(classifier, beside)
    counts = confusion_matrix(validation.y, probabilities.argmax(axis=1), labels=range(len(classes)))
    plot = OUTPUT / "confusion_matrix" / f"{name}.png"
    plot_confusion_matrix(counts, classes, plot, f"{name.replace('_', ' ')}, validation rows")

    run.log_metrics({f"validation_{metric}": value for metric, value in metrics.items()})
    run.log_metrics(
        {
            "training_rows": len(training.y),
            "fit_seconds": fitted - started,  # to the run alone: a file with times is never the same twice
            "predict_seconds": predicted - fitted,
        }
    )
    run.log_artifact(plot)
    quality = f"accuracy {metrics['accuracy']:.3f}   log loss {metrics['log_loss']:.4f}"
    print(f"{name:24}{quality}   {predicted - started:.2f} s", flush=True)
    return metrics


def write_comparison(metrics: dict[str, dict[str, float]]) -> None:
    """Write the families, the baseline and their metrics, best log loss first, as a table and as a plot."""
    with replacing(OUTPUT / "comparison.csv") as beside, beside.open("w", newline="") as file:
        table = csv.DictWriter(file, ["model", *HIGHER_IS_BETTER], lineterminator="\n")
        table.writeheader()
        table.writerows({"model": name, **metrics[name]} for name in best_first(metrics, "log_loss"))
    plot_comparison(metrics, "log_loss", OUTPUT / "comparison.png")


if __name__ == "__main__":
    run_process(main)
