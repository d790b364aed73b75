import json
import os
import shutil
import subprocess
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pytest
from sklearn.base import clone

from lab.processes.train_standard_classifiers import main as process
from lab.processes.train_standard_classifiers.classifiers import QUADRATIC
from lab.processes.train_standard_classifiers.main import OUTPUT, main
from labkit.launch.environments import process_python
from labkit.launch.kernels import deciding_variables
from labkit.paths import ROOT
from labkit.process.files import read_json, write_json
from labkit.process.params import PARAMS_FILE
from labkit.process.run_file import RUN_FILE_VARIABLE
from labkit.process.tracking import JOURNAL_VARIABLE, Run
from labkit.testing.example_lab import example_params, write_yaml
from lib.data_splits import DIR_PROCESSED, ArraySplits, Dataset, Fold, load_data_splits, save_data_splits, save_folds
from lib.metrics import METRICS, classification_metrics
from lib.task import task_of

pytestmark = pytest.mark.integration

TOLD = {RUN_FILE_VARIABLE: f"{OUTPUT}/run.json"}


def run_main(folder: Path, *before: str, **variables: str) -> None:
    """Run the process in its own environment, every warning an error; `before` are words to put before the command."""
    python = str(process_python("train_standard_classifiers"))
    subprocess.run(
        [*before, python, "-W", "error", "-m", "lab.processes.train_standard_classifiers.main"],
        cwd=folder,
        env={**os.environ, **deciding_variables("portable"), "PYTHONPATH": str(ROOT), **TOLD, **variables},
        check=True,
    )


@pytest.fixture(scope="module")
def workspace(temp_data_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder where the process has run once, on the default data."""
    folder = tmp_path_factory.mktemp("workspace")
    shutil.copytree(temp_data_dir, folder / DIR_PROCESSED)
    write_yaml(folder / PARAMS_FILE, example_params(ROOT))
    (folder / "journal").touch()
    run_main(folder, **{JOURNAL_VARIABLE: str(folder / "journal")})
    return folder


def output_bytes(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in (folder / OUTPUT).rglob("*") if path.is_file()}


def families() -> list[str]:
    sections = example_params(ROOT)["classifiers"]
    return [name for name, section in sections.items() if isinstance(section, dict)]


@pytest.mark.parametrize("pattern", ["models/{}.joblib", "metrics/{}.json", "predictions/{}.png"])
def test_every_family_has_its_files_and_no_other_has(workspace: Path, pattern: str) -> None:
    found = {path.name for path in (workspace / OUTPUT / pattern).parent.iterdir()}

    assert found == {Path(pattern.format(name)).name for name in families()}


def test_the_metrics_are_those_of_the_written_model(workspace: Path) -> None:
    splits = load_data_splits(workspace / DIR_PROCESSED)
    for name in families():
        classifier = joblib.load(workspace / OUTPUT / "models" / f"{name}.joblib")
        metrics = read_json(workspace / OUTPUT / "metrics" / f"{name}.json")

        assert metrics.pop("training_rows") == len(splits.y_train)
        assert metrics.pop("rows") == len(splits.y_val)
        assert metrics == pytest.approx(classification_metrics(splits.y_val, classifier.predict_proba(splits.X_val)))


def test_every_family_is_a_nested_run_that_also_has_the_times(workspace: Path) -> None:
    events: list[dict[str, Any]] = [
        json.loads(line) for line in (workspace / "journal").read_text(encoding="utf-8").splitlines()
    ]
    names = {event["run"]: event["name"] for event in events if event["event"] == "start"}
    logged: dict[str, set[str]] = {name: set() for name in names.values()}
    for event in events:
        if event["event"] == "metrics":
            logged[names[event["run"]]] |= event["metrics"].keys()

    expected = {f"validation_{metric}" for metric in METRICS["classification"]} | {
        "training_rows",
        "fit_seconds",
        "predict_seconds",
    }
    assert logged == dict.fromkeys(families(), expected)


def test_another_hash_seed_on_one_core_writes_the_same_bytes_and_clears_what_is_old(workspace: Path) -> None:
    before = output_bytes(workspace)
    (workspace / OUTPUT / "models" / "removed_family.joblib").touch()

    run_main(workspace, "taskset", "--cpu-list", str(min(os.sched_getaffinity(0))), PYTHONHASHSEED="1")

    assert output_bytes(workspace) == before


def test_rows_beyond_the_limit_are_kept_from_the_quadratic_families_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    params = example_params(ROOT)
    params["classifiers"]["max_rows_quadratic"] = 100
    random = np.random.default_rng(0)
    y = random.integers(0, 3, 150)
    X = (random.normal(size=(150, 2)) + y[:, None]).astype(np.float32)
    monkeypatch.chdir(tmp_path)
    write_yaml(PARAMS_FILE, params)
    save_data_splits(ArraySplits(X, X, X, y, y, y), DIR_PROCESSED)
    write_json(DIR_PROCESSED / "dataset.json", {"target": "t", "features": ["a", "b"], "classes": ["x", "y", "z"]})

    main(Run(None))

    rows = {name: read_json(OUTPUT / "metrics" / f"{name}.json")["training_rows"] for name in families()}
    assert rows == {name: 100 if name in QUADRATIC else 150 for name in families()}


def fold_of(X: np.ndarray[Any, Any], y: np.ndarray[Any, Any], held_out: slice) -> Fold:
    """The rows held out, and all others."""
    kept = np.ones(len(y), dtype=bool)
    kept[held_out] = False
    return Fold(X[kept], y[kept], np.zeros(kept.sum(), dtype=bool), X[~kept], y[~kept])


@pytest.mark.parametrize("classes", [["no", "yes"], []], ids=["classes", "numbers"])
def test_each_family_is_measured_on_each_fold(
    classes: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    random = np.random.default_rng(0)
    X = random.normal(size=(90, 3)).astype(np.float32)
    y = (X[:, 0] > 0).astype(np.int64) if classes else X[:, 0].astype(np.float64)
    params = example_params(ROOT)
    only = ("seed", "max_rows_quadratic", "logistic_regression")
    params["classifiers"] = {key: value if key in only else None for key, value in params["classifiers"].items()}
    monkeypatch.chdir(tmp_path)
    write_yaml(tmp_path / PARAMS_FILE, params)
    save_data_splits(ArraySplits(X[:60], X[60:75], X[75:], y[:60], y[60:75], y[75:]), DIR_PROCESSED)
    dataset = Dataset("kind", ["a", "b", "c"], classes, "classification" if classes else "regression")
    write_json(DIR_PROCESSED / "dataset.json", dataset._asdict())
    folds = [fold_of(X[:75], y[:75], slice(start, start + 25)) for start in (0, 25, 50)]
    save_folds(folds, DIR_PROCESSED)
    monkeypatch.setattr(process, "telling_it_lives", lambda what: nullcontext(print(what)))
    main(Run(None))

    said = capsys.readouterr().out
    assert all(f"logistic_regression: fold {number} of 3\n" in said for number in (1, 2, 3))
    told = read_json(OUTPUT / "metrics" / "logistic_regression.json")
    metric = "log_loss" if classes else "rmse"
    assert len(told["cross_validation"][metric]["folds"]) == 3
    model = clone(joblib.load(OUTPUT / "models" / "logistic_regression.joblib"))
    model.fit(folds[1].X_train, folds[1].y_train)
    predicted = (model.predict_proba if classes else model.predict)(folds[1].X_val)
    by_hand = task_of(dataset).metrics(folds[1].y_val, predicted)[metric]
    assert told["cross_validation"][metric]["folds"][1] == pytest.approx(by_hand)
    assert told[metric] != pytest.approx(by_hand)
