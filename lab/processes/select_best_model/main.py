"""Select the best trained model, test it once, and write it ready to be served.

    dvc repro select_best_model                      when something that it depends on changed
    python -m labkit.launch select_best_model      now

Loads every model that a process has trained, each with that process's packages, and holds its metrics to what it
predicts of the validation rows. Writes the model that is best by selection.metric in MLflow's format with its
preprocessing, its test metrics, and its predictions of the test rows; a model that is no better than the baseline
comes with a warning.
"""

from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.metrics import recall_score

from lab.processes.select_best_model.candidates import Candidate, read_candidates
from lab.processes.select_best_model.chance import interval, no_better
from lab.processes.select_best_model.crossed import in_words, means_and_spread, over_all_folds, spread_of
from lab.processes.select_best_model.importance import importance_of, shuffles
from lab.processes.select_best_model.packaging import save_served_model
from lab.processes.select_best_model.params import Params
from lab.processes.select_best_model.predictions import Answers, ask, check
from labkit.process.errors import InputError
from labkit.process.files import replacing, write_json
from labkit.process.params import read_params
from labkit.process.tracking import Run, md5_of, run_process
from labkit.process.trainers import all_trainers
from lib.data_splits import DIR_PROCESSED, ArraySplits, Dataset, count_rows, load_data_splits, load_dataset, load_folds
from lib.metrics import BASELINE, CROSS_VALIDATION, HIGHER_IS_BETTER, best_first
from lib.task import Task, in_short, selection_metric, task_of
from lib.viz import plot_importance

OUTPUT = Path("artifacts/best_model")
COMPARED_BY = "compared_by"
COUNTS = ("rows", "training_rows")
RARE = 0.1  # of the training rows: a class with less is told by itself


def main(run: Run) -> None:
    """Read the candidates, select, test, and write the result."""
    params = read_params(Params)
    run.log_params(params.model_dump())
    candidates = read_candidates(all_trainers())
    dataset = load_dataset()
    splits = load_data_splits()
    run.log_input(str(DIR_PROCESSED), md5_of(DIR_PROCESSED), count_rows(splits))
    task, metric = task_of(dataset), selection_metric(params.selection.metric, dataset.task)
    folds = load_folds()
    refuse_lacking(candidates, metric, len(folds))
    crossed = over_all_folds(candidates, folds, task) if folds else {}
    compared = {name: model.metrics for name, model in candidates.items()}
    compared[BASELINE] = task.metrics(splits.y_val, task.baseline(splits.y_train, len(splits.y_val)))
    compared[BASELINE] |= {"rows": len(splits.y_val), "training_rows": len(splits.y_train)}
    table = means_and_spread(crossed, metric) if folds else compared
    ranking = best_first(table, metric)
    selected = next(name for name in ranking if name != BASELINE)
    best = candidates[selected]

    asked = shuffles(dataset, splits.y_val)
    answers = ask_all(candidates, selected, asked.request())
    check_all(candidates, answers, splits.y_val, dataset, metric)
    on_validation, predictions = answers[selected].predictions[selected]
    test = {**task.metrics(splits.y_test, predictions), "rows": len(splits.y_test)}
    test |= lowest_recall(splits.y_test, predictions)
    warnings = [
        *no_better(selected, task, metric, "validation", splits.y_val, on_validation, splits.y_train),
        *no_better(selected, task, metric, "test", splits.y_test, predictions, splits.y_train),
        *never_found(selected, splits.y_test, predictions, dataset.classes),
    ]
    expected = task.metrics(splits.y_test, task.baseline(splits.y_train, len(splits.y_test)))
    spread = spread_of(selected, crossed, metric, folds) if folds else {}
    result = {
        "selected": selected,
        "metric": metric,
        "test": test,
        "test_interval": interval(task, metric, splits.y_test, predictions),
        BASELINE: expected,
        "warnings": warnings,
        **({CROSS_VALIDATION: spread} if spread else {}),
        **rare_classes(splits, predictions, dataset.classes),
    }
    write_json(OUTPUT / "metrics.json", result)
    write_comparison([table[name] for name in ranking], ranking, metric)
    with replacing(OUTPUT / "test_predictions.csv") as beside:
        told_of_rows(splits.y_test, predictions, task, dataset).to_csv(beside, index=False)
    write_confusion(*task.grouped(splits.y_test, predictions, dataset.classes))
    shuffled = answers[selected].shuffled[selected]
    write_importance(importance_of(asked, shuffled, splits.y_val, on_validation, task, metric), metric)
    task.plot(splits.y_test, predictions, dataset.classes, OUTPUT / "predictions.png", f"{selected}, test rows")
    save_served_model(OUTPUT / "model", best, answers[selected], DIR_PROCESSED)
    log(run, selected, best.metrics, test, expected, warnings)
    print(f"selected {selected} by {metric}{in_words(spread)}; test {in_short(task, test)}")


def write_comparison(rows: list[dict[str, float]], models: list[str], metric: str) -> None:
    """Write the table of models, best first; without counts that are the same for all: they tell nothing of a model.

    The metric stands there twice, once under a name that holds for every metric: that of the plot's axis.
    """
    comparison = pd.DataFrame(rows, index=models)
    comparison[COMPARED_BY] = comparison[metric]
    same = [name for name in COUNTS if comparison.get(name, pd.Series()).nunique(dropna=False) == 1]
    with replacing(OUTPUT / "comparison.csv") as beside:
        comparison.drop(columns=same).to_csv(beside, index_label="model")


def write_confusion(actual: NDArray[Any], predicted: NDArray[Any]) -> None:
    """Write of each test row the class, or the interval of numbers, that it is in and that it is predicted to be in."""
    with replacing(OUTPUT / "confusion.csv") as beside:
        pd.DataFrame({"actual": actual, "predicted": predicted}).to_csv(beside, index=False)


def write_importance(table: pd.DataFrame, metric: str) -> None:
    """Write how much the selected model needs each raw column, as a table and as a plot."""
    with replacing(OUTPUT / "importance.csv") as beside:
        table.to_csv(beside, index=False)
    lost, std = (table[name].to_numpy() for name in ("importance", "std"))
    plot_importance(table["column"].tolist(), lost, std, metric, OUTPUT / "importance.png")


def log(
    run: Run,
    selected: str,
    validation: Mapping[str, float],
    test: Mapping[str, float],
    baseline: Mapping[str, float],
    warnings: list[str],
) -> None:
    """Log what was selected and how good it is, and print the warnings."""
    run.set_tags({"lab.selected": selected})
    run.set_tags({f"lab.warning.{number}": warning for number, warning in enumerate(warnings, 1)})
    for part, metrics in (("test", test), ("validation", validation), (BASELINE, baseline)):
        run.log_metrics({f"{part}_{name}": value for name, value in metrics.items() if name in HIGHER_IS_BETTER})
    run.log_artifact(OUTPUT / "importance.png")
    run.log_artifact(OUTPUT / "predictions.png")
    run.log_artifact(OUTPUT / "model")
    for warning in warnings:
        print(f"warning: {warning}", flush=True)


def told_of_rows(y: NDArray[Any], predictions: NDArray[Any], task: Task, dataset: Dataset) -> pd.DataFrame:
    """Of each test row what people know it by, what is true, what is predicted, and each class's probability."""
    rows = pd.read_csv(DIR_PROCESSED / "test_rows.csv", dtype=str, keep_default_na=False)
    rows["actual"], rows["predicted"] = (task.answers(found, dataset.classes) for found in (y, predictions))
    for number, name in enumerate(dataset.classes):
        rows[f"probability_{name}"] = predictions[:, number]
    return rows


def lowest_recall(y: NDArray[Any], predictions: NDArray[np.floating]) -> dict[str, float]:
    """Of the classes that the rows hold, the recall of the one that is known least: at 0 it is lost."""
    if predictions.ndim == 1:
        return {}
    recall = recall_score(y, predictions.argmax(axis=1), labels=np.unique(y), average=None)
    return {"lowest_recall": float(recall.min())}


def never_found(selected: str, y: NDArray[Any], predictions: NDArray[np.floating], classes: list[str]) -> Iterator[str]:
    """The warning that a model finds not one row of a class; of a regression there is none."""
    predicted = predictions.argmax(axis=1) if classes else y
    lost = [
        f"{classes[number]} ({sum(y == number)})"
        for number in np.unique(y)
        if not any(predicted[y == number] == number)
    ]
    if lost:
        yield (
            f"{selected} finds none of the test rows of {len(lost)} class(es) ({', '.join(lost)}): get more rows of "
            "them, set class_weight: balanced in classifiers and training, or select by balanced_accuracy"
        )


def rare_classes(
    splits: ArraySplits, predictions: NDArray[np.floating], classes: list[str]
) -> dict[str, dict[str, float]]:
    """The recall of each class on the test rows, where one is rare: one number for all would hide it."""
    if not classes or np.bincount(splits.y_train).min() >= RARE * len(splits.y_train):
        return {}
    predicted = predictions.argmax(axis=1)
    recall = recall_score(splits.y_test, predicted, labels=range(len(classes)), average=None, zero_division=0.0)
    return {"recall": dict(zip(classes, recall.tolist(), strict=True))}


def refuse_lacking(candidates: dict[str, Candidate], metric: str, folds: int) -> None:
    """Raise InputError where a candidate was not measured by what it is selected by, or not on each fold."""
    unfolded = [
        name
        for name, model in candidates.items()
        if folds and len(model.crossed.get(metric, {}).get("folds", ())) != folds
    ]
    if unfolded:
        raise InputError(
            f"split.folds asks for {folds} folds, and {', '.join(unfolded)} tell no {metric} of each; let the process "
            "that trains them measure them on lib.data_splits.load_folds(), as train_standard_classifiers does"
        )
    if lacking := [name for name, model in candidates.items() if metric not in model.metrics]:
        raise InputError(f"{', '.join(lacking)}: the metrics have no {metric}; correct what the process writes")


def check_all(
    candidates: dict[str, Candidate], answers: dict[str, Answers], y: NDArray[Any], dataset: Dataset, metric: str
) -> None:
    """Raise InputError unless every candidate is as good as its metrics say; y: of the validation rows."""
    for name, model in candidates.items():
        check(name, model.metrics, answers[name].predictions[name][0], y, dataset, metric)


def ask_all(candidates: dict[str, Candidate], selected: str, shuffle: Mapping[str, Any]) -> dict[str, Answers]:
    """What every candidate answers for the validation rows, and the selected one, asked alone, for the test rows too.

    shuffle: which shuffled validation rows the selected one is asked for as well.

    Alone, since its answers tell what just this model takes to be loaded.
    """
    groups: dict[tuple[str, bool], dict[str, Path]] = {}
    for name, model in candidates.items():
        groups.setdefault((model.process, name == selected), {})[name] = model.file

    def answer(group: tuple[str, bool]) -> Answers:
        process, is_selected = group
        parts = ("X_val.npy", "X_test.npy") if is_selected else ("X_val.npy",)
        rows = (DIR_PROCESSED / part for part in parts)
        return ask(process, groups[group], *rows, shuffle=shuffle if is_selected else None)

    with ThreadPoolExecutor() as pool:
        return {name: answers for answers in pool.map(answer, groups) for name in answers.predictions}


if __name__ == "__main__":
    run_process(main)
