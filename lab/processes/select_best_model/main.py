"""Select the best trained model, test it once, and write it ready to be served.

    dvc repro select_best_model                      when something that it depends on changed
    python -m labkit.launch select_best_model      now

Loads every model that a process has trained, each with that process's packages, and holds its metrics to what it
predicts of the validation rows. Writes the model that is best by selection.metric in MLflow's format with its
preprocessing, its test metrics, and its predictions of the test rows.
"""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.metrics import confusion_matrix

from lab.processes.select_best_model.candidates import Candidate, read_candidates
from lab.processes.select_best_model.packaging import save_served_model
from lab.processes.select_best_model.params import Params
from lab.processes.select_best_model.predictions import ask, check
from labkit.process.files import replacing, write_json
from labkit.process.params import read_params
from labkit.process.tracking import Run, run_process
from labkit.process.trainers import trainers
from lib.data_splits import DIR_PROCESSED, load_data_splits, load_dataset
from lib.metrics import HIGHER_IS_BETTER, best_first, classification_metrics
from lib.viz import plot_confusion_matrix

OUTPUT = Path("artifacts/best_model")


def main(run: Run) -> None:
    """Read the candidates, select, test, and write the result."""
    params = read_params(Params)
    run.log_params(params.model_dump())
    candidates = read_candidates(trainers())
    dataset = load_dataset()
    splits = load_data_splits()
    check_all(candidates, splits.y_val, params.selection.metric)
    ranking = best_first({name: model.metrics for name, model in candidates.items()}, params.selection.metric)
    selected, best = ranking[0], candidates[ranking[0]]

    answers = ask(best.process, {selected: best.file}, DIR_PROCESSED / "X_test.npy")
    probabilities = answers.predictions[selected]
    predicted = probabilities.argmax(axis=1)
    test = classification_metrics(splits.y_test, probabilities)

    write_json(OUTPUT / "metrics.json", {"selected": selected, "test": {**test, "rows": len(splits.y_test)}})
    with replacing(OUTPUT / "comparison.csv") as beside:
        comparison = pd.DataFrame([candidates[name].metrics for name in ranking], index=ranking)
        comparison = comparison.drop(columns="rows", errors="ignore")  # the same for all
        comparison.to_csv(beside, index_label="model")
    with replacing(OUTPUT / "test_predictions.csv") as beside:
        names = np.array(dataset.classes)
        pd.DataFrame({"actual": names[splits.y_test], "predicted": names[predicted]}).to_csv(beside, index=False)
    counts = confusion_matrix(splits.y_test, predicted, labels=range(len(dataset.classes)))
    plot_confusion_matrix(counts, dataset.classes, OUTPUT / "confusion_matrix.png", f"{selected}, test rows")
    save_served_model(OUTPUT / "model", best, answers, DIR_PROCESSED)

    run.set_tags({"lab.selected": selected})
    run.log_metrics({f"test_{name}": value for name, value in test.items()})
    run.log_metrics({f"validation_{name}": value for name, value in best.metrics.items() if name in HIGHER_IS_BETTER})
    run.log_artifact(OUTPUT / "confusion_matrix.png")
    run.log_artifact(OUTPUT / "model")
    print(f"selected {selected} by {params.selection.metric}; test accuracy {test['accuracy']:.3f}")


def check_all(candidates: dict[str, Candidate], y: NDArray[np.int64], metric: str) -> None:
    """Raise InputError unless every candidate can be loaded, and is as good as its metrics say."""
    files: dict[str, dict[str, Path]] = {}
    for name, model in candidates.items():
        files.setdefault(model.process, {})[name] = model.file
    rows = DIR_PROCESSED / "X_val.npy"
    with ThreadPoolExecutor() as pool:
        answers = pool.map(lambda process: ask(process, files[process], rows), files)
    for answer in answers:
        for name, probabilities in answer.predictions.items():
            check(name, candidates[name].metrics, probabilities, y, metric)


if __name__ == "__main__":
    run_process(main)
