"""The whole of the process on a small table: what is selected, and what is said of it."""

from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.tree import DecisionTreeRegressor

from lab.processes.select_best_model import main as process
from labkit.paths import ROOT
from labkit.process.files import read_json, write_json
from labkit.process.params import PARAMS_FILE
from labkit.process.tracking import Run
from labkit.testing.example_lab import example_params, write_yaml
from lib.data_splits import DIR_PROCESSED, load_data_splits, load_dataset
from lib.task import task_of

pytestmark = pytest.mark.integration
TRAINER = "train_standard_classifiers"


def prepare(table: pd.DataFrame, **params: dict[str, Any]) -> None:
    """Leave in the working folder what prepare_data makes of a table."""
    preparation = pytest.importorskip("lab.processes.prepare_data.preparation", reason="prepare_data is not here")
    wanted = pytest.importorskip("lab.processes.prepare_data.params")
    data = wanted.Data(source="table", target="target")
    prepared = preparation.prepare(table, data, wanted.Split(validation=0.25, test=0.25, seed=1))
    preparation.save_prepared(prepared, DIR_PROCESSED)
    write_yaml(PARAMS_FILE, example_params(ROOT) | params)


def leave(name: str, model: Any) -> None:
    """Leave a fitted model and its metrics, as a training process does."""
    splits = load_data_splits()
    model.fit(splits.X_train, splits.y_train)
    predict = getattr(model, "predict_proba", None) or model.predict
    metrics = task_of(load_dataset()).metrics(splits.y_val, predict(splits.X_val))
    write_json(
        f"artifacts/{TRAINER}/metrics/{name}.json",
        metrics | {"rows": len(splits.y_val), "training_rows": len(splits.y_train)},
    )
    Path(f"artifacts/{TRAINER}/models").mkdir(parents=True, exist_ok=True)
    joblib.dump(model, f"artifacts/{TRAINER}/models/{name}.joblib")


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(process, "trainers", lambda: [TRAINER])


@pytest.mark.parametrize("metric", ["log_loss", "balanced_accuracy"])
def test_of_a_random_target_it_is_said_that_no_model_is_better_than_the_baseline(
    metric: str, capsys: pytest.CaptureFixture[str]
) -> None:
    random = np.random.default_rng(0)
    table = pd.DataFrame(random.normal(size=(1000, 5)), columns=list("abcde"))
    prepare(table.assign(target=np.where(random.random(1000) < 0.04, "yes", "no")), selection={"metric": metric})
    leave("linear", LogisticRegression())
    leave("constant", LogisticRegression(C=1e-9))
    process.main(Run(None))

    said = capsys.readouterr().out
    result = read_json("artifacts/best_model/metrics.json")
    compared = pd.read_csv("artifacts/best_model/comparison.csv")
    assert set(compared["model"]) == {"baseline", "linear", "constant"}
    assert result["selected"] != "baseline"
    assert result["warnings"]
    for warning in result["warnings"]:
        assert warning.startswith("no model is better than the baseline")
        assert f"warning: {warning}" in said
    assert result["recall"].keys() == {"no", "yes"}


def test_a_number_is_selected_for_by_its_rmse_and_written_as_it_is() -> None:
    random = np.random.default_rng(0)
    table = pd.DataFrame(random.normal(size=(300, 3)), columns=list("abc"))
    prepare(table.assign(target=10 * table["a"] + random.normal(size=300)), selection={"metric": "auto"})
    leave("linear", LinearRegression())
    leave("coarse", DecisionTreeRegressor(max_depth=1))
    process.main(Run(None))

    result = read_json("artifacts/best_model/metrics.json")
    assert (result["selected"], result["metric"], result["warnings"]) == ("linear", "rmse", [])
    assert pd.read_csv("artifacts/best_model/comparison.csv")["model"].tolist() == ["linear", "coarse", "baseline"]
    rows = pd.read_csv("artifacts/best_model/test_predictions.csv")
    assert rows["actual"].corr(rows["predicted"]) > 0.9


def test_a_model_that_has_learned_is_selected_without_a_word() -> None:
    random = np.random.default_rng(0)
    table = pd.DataFrame(random.normal(size=(300, 3)), columns=list("abc"))
    prepare(table.assign(target=np.where(table["a"] > 0, "yes", "no")))
    leave("linear", LogisticRegression())
    process.main(Run(None))

    result = read_json("artifacts/best_model/metrics.json")
    assert (result["selected"], result["warnings"]) == ("linear", [])
    assert result["test"]["log_loss"] < result["baseline"]["log_loss"]
    assert "recall" not in result
    assert pd.read_csv("artifacts/best_model/comparison.csv")["model"].tolist() == ["linear", "baseline"]
    assert "training_rows" not in pd.read_csv("artifacts/best_model/comparison.csv")
