"""The packaged model: raw rows in, label and probabilities out, the same bytes each time and anywhere."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from time import perf_counter
from typing import Any

import joblib
import mlflow.pyfunc
import numpy as np
import pandas as pd
import pytest
from mlflow.pyfunc.scoring_server import invocations
from numpy.typing import NDArray
from sklearn.compose import ColumnTransformer
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from lab.processes.select_best_model.packaging import save_served_model
from labkit.process.files import write_json
from lib.columns import Column, date_features
from lib.pytorch import build_network, network_bytes, predict_probabilities

pytestmark = pytest.mark.integration

CLASSES = ["no", "perhaps", "yes"]


@pytest.fixture
def rows() -> pd.DataFrame:
    """(60, 3) raw rows: far from scaled, one column of whole numbers."""
    rng = np.random.default_rng(0)
    return pd.DataFrame(
        {"size": rng.normal(50, 9, 60), "age": rng.integers(1, 90, 60), "dose": rng.normal(0, 1e-3, 60)}
    )


@pytest.fixture
def processed(tmp_path: Path, rows: pd.DataFrame) -> Path:
    """A folder as prepare_data leaves it, as far as packaging reads it."""
    folder = tmp_path / "processed"
    columns = [Column(str(name), "number") for name in rows]
    write_json(folder / "columns.json", [column._asdict() for column in columns])
    write_json(folder / "dataset.json", {"target": "t", "features": list(rows), "classes": CLASSES})
    joblib.dump(StandardScaler().fit(rows), folder / "preprocessing.joblib")
    rows.head().to_csv(folder / "example_rows.csv", index=False)
    return folder


def prepared(processed: Path, rows: pd.DataFrame) -> NDArray[np.float32]:
    """The rows as models are trained on them."""
    return np.asarray(joblib.load(processed / "preprocessing.joblib").transform(rows), dtype=np.float32)


@pytest.fixture(params=["joblib", "pt"])
def classifier(request: pytest.FixtureRequest, tmp_path: Path, processed: Path, rows: pd.DataFrame) -> Path:
    """A trained model of either kind."""
    if request.param == "pt":
        (tmp_path / "net.pt").write_bytes(network_bytes(build_network(3, [4], 3, dropout=0.0)))
        return tmp_path / "net.pt"
    labels = np.arange(60) % 3
    joblib.dump(LogisticRegression().fit(prepared(processed, rows), labels), tmp_path / "lr.joblib")
    return tmp_path / "lr.joblib"


def probabilities(classifier: Path, X: NDArray[np.float32]) -> NDArray[np.float64]:
    """What the trained model itself answers."""
    if classifier.suffix == ".pt":
        from lib.pytorch import load_network

        return predict_probabilities(load_network(classifier), X)
    return np.asarray(joblib.load(classifier).predict_proba(X))


def test_raw_rows_give_the_answers_of_the_trained_model(
    tmp_path: Path, processed: Path, classifier: Path, rows: pd.DataFrame
) -> None:
    save_served_model(tmp_path / "model", classifier, processed)
    answer = mlflow.pyfunc.load_model(str(tmp_path / "model")).predict(rows)
    expected = probabilities(classifier, prepared(processed, rows))
    assert list(answer) == ["label", "probability_no", "probability_perhaps", "probability_yes"]
    np.testing.assert_array_equal(answer.drop(columns="label").to_numpy(), expected)
    assert list(answer["label"]) == [CLASSES[i] for i in expected.argmax(axis=1)]


@pytest.mark.parametrize("kind", ["int64", "float64", "float32", "Int64", "object", "str"])
def test_whole_numbers_may_come_as_any_type(
    tmp_path: Path, processed: Path, classifier: Path, rows: pd.DataFrame, kind: Any
) -> None:
    save_served_model(tmp_path / "model", classifier, processed)
    model = mlflow.pyfunc.load_model(str(tmp_path / "model"))
    whole = rows.round()
    pd.testing.assert_frame_equal(model.predict(whole.astype("int64").astype(kind)), model.predict(whole))


@pytest.mark.parametrize(
    ("value", "told"),
    [
        ("many", "no numbers in size: could not convert string to float: 'many'"),
        ([1], "no numbers in size"),
        (pd.Timestamp("2026-01-01"), "no numbers in size"),
        (10**400, "no numbers in size: int too large"),
        (None, "missing values in size"),
        (pd.NA, "missing values in size"),
    ],
)
def test_what_is_no_number_is_refused_with_its_column(
    tmp_path: Path, processed: Path, classifier: Path, rows: pd.DataFrame, value: object, told: str
) -> None:
    save_served_model(tmp_path / "model", classifier, processed)
    spoilt = rows.assign(size=pd.Series([value, *rows["size"][1:]], dtype=object))
    with pytest.raises(ValueError, match=told):
        mlflow.pyfunc.load_model(str(tmp_path / "model")).predict(spoilt)


def test_dates_an_absent_column_and_no_rows_are_refused(
    tmp_path: Path, processed: Path, classifier: Path, rows: pd.DataFrame
) -> None:
    save_served_model(tmp_path / "model", classifier, processed)
    model = mlflow.pyfunc.load_model(str(tmp_path / "model"))
    with pytest.raises(ValueError, match="no numbers in age"):
        model.predict(rows.assign(age=pd.Timestamp("2026-01-01")))
    with pytest.raises(ValueError, match="no rows; give at least one"):
        model.predict(rows.iloc[:0])
    with pytest.raises(ValueError, match=r"missing inputs \['age'\]"):
        model.predict(rows.drop(columns="age"))


@pytest.mark.parametrize("column", [{"age": [30, 40]}, {"age": [30.5, 40]}, {"age": [True, "40"]}])
def test_a_server_takes_numbers_of_any_type(
    tmp_path: Path, processed: Path, classifier: Path, rows: pd.DataFrame, column: dict[str, Any]
) -> None:
    save_served_model(tmp_path / "model", classifier, processed)
    model = mlflow.pyfunc.load_model(str(tmp_path / "model"))
    asked = json.dumps({"dataframe_split": rows.head(2).assign(**column).to_dict(orient="split")})
    answer = invocations(asked, "application/json", model, model.metadata.get_input_schema())
    assert [set(row) for row in json.loads(answer.response)["predictions"]] == [
        {"label", *(f"probability_{name}" for name in CLASSES)}
    ] * 2


@pytest.mark.parametrize("value", [np.nan, np.inf, 1e300])
def test_a_value_that_no_model_can_read_is_refused_with_its_column(
    tmp_path: Path, processed: Path, classifier: Path, rows: pd.DataFrame, value: float
) -> None:
    save_served_model(tmp_path / "model", classifier, processed)
    rows.loc[3, "size"] = value
    with pytest.raises(ValueError, match="values in size"):
        mlflow.pyfunc.load_model(str(tmp_path / "model")).predict(rows)


def test_the_same_model_is_the_same_bytes_in_another_folder(tmp_path: Path, processed: Path, classifier: Path) -> None:
    def contents(folder: Path) -> dict[str, bytes]:
        save_served_model(folder / "model", classifier, processed)
        return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}

    (tmp_path / "here").mkdir()
    (tmp_path / "there").mkdir()
    first = contents(tmp_path / "here")
    assert first == contents(tmp_path / "there")
    assert not [name for name, data in first.items() if str(Path.cwd()).encode() in data]


def test_a_packaged_model_needs_nothing_of_this_repository(
    tmp_path: Path, processed: Path, classifier: Path, rows: pd.DataFrame
) -> None:
    # With a step of the preprocessing that is a function of lib.
    months = FunctionTransformer(date_features, kw_args={"parts": ["month"]})
    steps = ColumnTransformer([("number", StandardScaler(), ["size", "age"]), ("date", months, ["day"])])
    dated = rows[["size", "age"]].assign(day=pd.Timestamp(2026, 12, 24))
    joblib.dump(steps.fit(dated), processed / "preprocessing.joblib")
    columns = [Column("size", "number"), Column("age", "number"), Column("day", "date", date_format="%d.%m.%Y")]
    write_json(processed / "columns.json", [column._asdict() for column in columns])
    dated.head().assign(day="24.12.2026").to_csv(processed / "example_rows.csv", index=False)
    save_served_model(tmp_path / "model", classifier, processed)
    code = (
        "import mlflow.pyfunc, pandas, sys; model = mlflow.pyfunc.load_model('model');"
        "print(len(model.predict(pandas.read_csv('processed/example_rows.csv'))))"
    )
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env=environment, capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == ["5"]


def test_a_large_table_is_scored_as_fast_as_by_the_model_alone(
    tmp_path: Path, processed: Path, classifier: Path, rows: pd.DataFrame
) -> None:
    save_served_model(tmp_path / "model", classifier, processed)
    model = mlflow.pyfunc.load_model(str(tmp_path / "model"))
    many = pd.concat([rows] * 1000, ignore_index=True)

    def seconds(score: Callable[[], Any]) -> float:
        started = perf_counter()
        score()
        return perf_counter() - started

    alone = min(seconds(lambda: model.unwrap_python_model().predict(None, many)) for _ in range(3))
    assert min(seconds(lambda: model.predict(many)) for _ in range(3)) < 2 * alone


def test_the_packaged_model_tells_its_columns(tmp_path: Path, processed: Path, classifier: Path) -> None:
    save_served_model(tmp_path / "model", classifier, processed)
    columns = (mlflow.models.Model.load(str(tmp_path / "model")).metadata or {})["columns"]
    assert [(column["name"], column["kind"]) for column in columns] == [(n, "number") for n in ("size", "age", "dose")]


@pytest.mark.parametrize("form", ["dataframe_split", "dataframe_records", "inputs", "text/csv"])
def test_a_server_takes_every_form_of_rows(
    form: str, tmp_path: Path, processed: Path, classifier: Path, rows: pd.DataFrame
) -> None:
    save_served_model(tmp_path / "model", classifier, processed)
    model = mlflow.pyfunc.load_model(str(tmp_path / "model"))
    few = rows.head(3)
    bodies: dict[str, Any] = {
        "dataframe_split": few.to_dict(orient="split"),
        "dataframe_records": few.to_dict(orient="records"),
        "inputs": few.to_dict(orient="list"),
    }
    if form == "text/csv":
        asked, content_type = few.to_csv(index=False), form
    else:
        asked, content_type = json.dumps({form: bodies[form]}), "application/json"
    answer = invocations(asked, content_type, model, model.metadata.get_input_schema())
    labels = [row["label"] for row in json.loads(answer.response)["predictions"]]
    assert labels == model.predict(few)["label"].tolist()
