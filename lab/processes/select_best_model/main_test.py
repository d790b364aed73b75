"""The whole of the process on a small table: what is selected, and what is said of it."""

import json
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.tree import DecisionTreeRegressor

from lab.processes.select_best_model import main as process
from labkit.paths import PROCESSES, ROOT
from labkit.process.errors import InputError
from labkit.process.files import read_json, write_json
from labkit.process.params import PARAMS_FILE
from labkit.process.tracking import Run
from labkit.testing.example_lab import example_params, write_yaml
from lib.data_splits import DIR_PROCESSED, load_data_splits, load_dataset, load_folds
from lib.metrics import over_folds
from lib.task import task_of

TRAINER = "train_standard_classifiers"
is_there = (PROCESSES / TRAINER / "main.py").exists()
pytestmark = [pytest.mark.integration, pytest.mark.skipif(not is_there, reason=f"{TRAINER} is gone")]


def prepare(table: pd.DataFrame, folds: int | None = None, **params: dict[str, Any]) -> None:
    """Leave in the working folder what prepare_data makes of a table, whose column `id` is no feature."""
    preparation = pytest.importorskip("lab.processes.prepare_data.preparation", reason="prepare_data is not here")
    wanted = pytest.importorskip("lab.processes.prepare_data.params")
    data = wanted.Data(source="table", target="target", drop=["id"] if "id" in table else [])
    prepared = preparation.prepare(table, data, wanted.Split(validation=0.25, test=0.25, seed=1, folds=folds))
    preparation.save_prepared(prepared, DIR_PROCESSED)
    write_yaml(PARAMS_FILE, example_params(ROOT) | params)


def leave(name: str, model: Any) -> None:
    """Leave a fitted model and its metrics, as a training process does."""
    splits = load_data_splits()
    model.fit(splits.X_train, splits.y_train)
    predict = getattr(model, "predict_proba", None) or model.predict
    metrics = task_of(load_dataset()).metrics(splits.y_val, predict(splits.X_val))
    told: dict[str, Any] = metrics | {"rows": len(splits.y_val), "training_rows": len(splits.y_train)}
    if folds := load_folds():
        of_fold = [(fold, clone(model).fit(fold.X_train, fold.y_train)) for fold in folds]
        told["cross_validation"] = over_folds(
            [task_of(load_dataset()).metrics(fold.y_val, found.predict_proba(fold.X_val)) for fold, found in of_fold]
        )
    write_json(f"artifacts/{TRAINER}/metrics/{name}.json", told)
    Path(f"artifacts/{TRAINER}/models").mkdir(parents=True, exist_ok=True)
    joblib.dump(model, f"artifacts/{TRAINER}/models/{name}.joblib")


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(process, "all_trainers", lambda: [TRAINER])


@pytest.mark.parametrize(
    ("metric", "seed"),
    [
        ("log_loss", 0),
        *(pytest.param(*two, marks=pytest.mark.nightly) for two in [("balanced_accuracy", 1), ("roc_auc", 2)]),
    ],
)
def test_of_a_random_target_it_is_said_that_no_model_is_better_than_the_baseline_but_for_chance(
    metric: str, seed: int, capsys: pytest.CaptureFixture[str]
) -> None:
    random = np.random.default_rng(seed)
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
    *no_better, lost = result["warnings"]
    assert f"{result['selected']} finds none of the test rows of 1 class(es) (yes (" in lost
    assert no_better
    assert all("better than the baseline" in warning for warning in no_better)
    assert all(f"warning: {warning}" in said for warning in result["warnings"])
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
    fifths = pd.read_csv("artifacts/best_model/confusion.csv")
    assert fifths["actual"].nunique() == 5
    assert (fifths["actual"] == fifths["predicted"]).mean() > 0.5
    needed = pd.read_csv("artifacts/best_model/importance.csv", index_col="column")["importance"]
    assert [needed.index[0], {*needed.index}] == ["a", {*"abc"}]
    assert needed["a"] > 5 > abs(needed["b"])
    low, high = result["test_interval"]
    assert 0.6 < low < result["test"]["rmse"] < high < 1.6
    assert "lowest_recall" not in result["test"]
    compared = pd.read_csv("artifacts/best_model/comparison.csv")
    assert compared["compared_by"].tolist() == compared["rmse"].tolist()


def test_a_model_that_has_learned_is_selected_without_a_word() -> None:
    random = np.random.default_rng(0)
    table = pd.DataFrame(random.normal(size=(300, 3)), columns=list("abc"))
    prepare(table.assign(target=np.where(table["a"] > 0, "yes", "no")))
    leave("linear", LogisticRegression())
    (journal := Path("journal")).touch()
    process.main(Run(journal))

    result = read_json("artifacts/best_model/metrics.json")
    assert (result["selected"], result["warnings"]) == ("linear", [])
    assert result["test"]["log_loss"] < result["baseline"]["log_loss"]
    events = [json.loads(line) for line in journal.read_text(encoding="utf-8").splitlines()]
    logged = {name: value for event in events for name, value in event.get("metrics", {}).items()}
    assert {f"baseline_{name}": value for name, value in result["baseline"].items()}.items() <= logged.items()
    assert logged["test_log_loss"] == result["test"]["log_loss"]
    assert "recall" not in result
    rows = pd.read_csv("artifacts/best_model/test_predictions.csv")
    right = (rows["actual"] == rows["predicted"]).groupby(rows["actual"]).mean()
    assert result["test"]["lowest_recall"] == right.min() > 0.8
    low, high = result["test_interval"]
    assert low < result["test"]["log_loss"] < high < result["baseline"]["log_loss"]
    assert pd.read_csv("artifacts/best_model/confusion.csv").equals(rows[["actual", "predicted"]])
    assert pd.read_csv("artifacts/best_model/importance.csv")["column"][0] == "a"
    assert Path("artifacts/best_model/importance.png").read_bytes().startswith(b"\x89PNG")
    assert pd.read_csv("artifacts/best_model/comparison.csv")["model"].tolist() == ["linear", "baseline"]
    assert "training_rows" not in pd.read_csv("artifacts/best_model/comparison.csv")


def test_the_test_rows_are_told_by_their_number_and_what_people_know_them_by() -> None:
    random = np.random.default_rng(0)
    table = pd.DataFrame({"id": [f"007{number}" for number in range(300)], "a": random.normal(size=300)})
    table["target"] = np.where(table["a"] > 0, "yes", "no")
    prepare(table)
    leave("linear", LogisticRegression())
    process.main(Run(None))

    rows = pd.read_csv("artifacts/best_model/test_predictions.csv", dtype={"id": str})
    assert [*rows] == ["row", "id", "actual", "predicted", "probability_no", "probability_yes"]
    of_table = table.iloc[rows["row"] - 1]
    assert rows["id"].tolist() == of_table["id"].tolist()
    assert rows["actual"].tolist() == of_table["target"].tolist()
    likely = np.where(rows["probability_yes"] > rows["probability_no"], "yes", "no")
    assert likely.tolist() == rows["predicted"].tolist()


def test_with_folds_the_mean_over_them_selects_and_chance_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    random = np.random.default_rng(1)
    table = pd.DataFrame(random.normal(size=(240, 3)), columns=list("abc"))
    prepare(table.assign(target=np.where(table["a"] + random.normal(size=240) > 0, "yes", "no")), folds=5)
    leave("linear", LogisticRegression())
    leave("alike", LogisticRegression(C=0.9))
    leave("constant", LogisticRegression(C=1e-9))
    process.main(Run(None))

    compared = pd.read_csv("artifacts/best_model/comparison.csv", index_col="model")
    result = read_json("artifacts/best_model/metrics.json")
    told = {name: read_json(f"artifacts/{TRAINER}/metrics/{name}.json") for name in ("linear", "alike", "constant")}
    for name, metrics in told.items():
        values = metrics["cross_validation"]["log_loss"]["folds"]
        assert len(values) == 5
        assert compared.loc[name, "log_loss"] == pytest.approx(np.mean(values))
        assert compared.loc[name, "log_loss_std"] == pytest.approx(np.std(values, ddof=1))
    best = min(told, key=lambda name: told[name]["cross_validation"]["log_loss"]["mean"])
    other = {"linear": "alike", "alike": "linear"}[best]
    assert result["selected"] == best
    assert result["cross_validation"]["as_good_but_for_chance"] == [other]
    assert f"over 5 folds; but for chance, as good: {other})" in capsys.readouterr().out


def test_a_model_that_was_not_measured_on_the_folds_is_refused() -> None:
    table = pd.DataFrame({"a": np.arange(120.0), "target": ["yes", "no"] * 60})
    prepare(table, folds=3)
    leave("linear", LogisticRegression())
    file = f"artifacts/{TRAINER}/metrics/linear.json"
    write_json(file, {name: value for name, value in read_json(file).items() if name != "cross_validation"})
    with pytest.raises(InputError, match=r"split\.folds asks for 3 folds, and linear tell no log_loss of each"):
        process.main(Run(None))
