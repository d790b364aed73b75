"""The packaged model: raw rows in, label and probabilities out, the same bytes each time and anywhere."""

import json
import os
import platform
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

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

from lab.processes.select_best_model import packaging, served_model
from lab.processes.select_best_model.candidates import Candidate
from lab.processes.select_best_model.packaging import PYTHON, save_served_model
from lab.processes.select_best_model.predictions import Answers, ask
from labkit.paths import PROCESSES
from labkit.process.files import read_json, write_json
from labkit.process.trainers import code_of
from lib.columns import Column, date_features
from lib.pytorch import build_network, network_bytes, predict

pytestmark = pytest.mark.integration

CLASSES = ["no", "perhaps", "yes"]


class Trained(NamedTuple):
    """A trained model, and what it took to load it."""

    candidate: Candidate
    answers: Answers


@pytest.fixture
def rows() -> pd.DataFrame:
    return raw_rows()


def raw_rows() -> pd.DataFrame:
    """(60, 3) raw rows: far from scaled, one column of whole numbers."""
    rng = np.random.default_rng(0)
    return pd.DataFrame(
        {"size": rng.normal(50, 9, 60), "age": rng.integers(1, 90, 60), "dose": rng.normal(0, 1e-3, 60)}
    )


# People remove those that they do not need.
HERE = [name for name in ("train_standard_classifiers", "train_dnn_pytorch") if (PROCESSES / name / "main.py").exists()]


@pytest.fixture(scope="module")
def processed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder as prepare_data leaves it, as far as packaging reads it."""
    folder, rows = tmp_path_factory.mktemp("processed"), raw_rows()
    columns = [Column(str(name), "number") for name in rows]
    write_json(folder / "columns.json", [column._asdict() for column in columns])
    write_json(folder / "dataset.json", {"target": "t", "features": list(rows), "classes": CLASSES})
    joblib.dump(StandardScaler().fit(rows), folder / "preprocessing.joblib")
    rows.head().to_csv(folder / "example_rows.csv", index=False)
    return folder


def prepared(processed: Path, rows: pd.DataFrame) -> NDArray[np.float32]:
    """The rows as models are trained on them."""
    return np.asarray(joblib.load(processed / "preprocessing.joblib").transform(rows), dtype=np.float32)


@pytest.fixture(scope="module", params=HERE)
def trained(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, processed: Path) -> Trained:
    """A model of either process, loaded with that process's own packages."""
    folder, X = tmp_path_factory.mktemp("trained"), prepared(processed, raw_rows())
    if request.param == "train_dnn_pytorch":
        file = folder / "net.pt"
        file.write_bytes(network_bytes(build_network(3, [4], 3, dropout=0.0)))
    else:
        file = folder / "lr.joblib"
        joblib.dump(LogisticRegression().fit(X, np.arange(60) % 3), file)
    np.save(folder / "rows.npy", X)
    return Trained(Candidate(request.param, file, {}), ask(request.param, {"m": file}, folder / "rows.npy"))


def probabilities(classifier: Path, X: NDArray[np.float32]) -> NDArray[np.float64]:
    """What the trained model itself answers."""
    if classifier.suffix == ".pt":
        from lib.pytorch import load_network

        return predict(load_network(classifier), X)
    return np.asarray(joblib.load(classifier).predict_proba(X))


def test_raw_rows_give_the_answers_of_the_trained_model(
    tmp_path: Path, processed: Path, trained: Trained, rows: pd.DataFrame
) -> None:
    save_served_model(tmp_path / "model", *trained, processed)
    answer = mlflow.pyfunc.load_model(str(tmp_path / "model")).predict(rows)
    expected = probabilities(trained.candidate.file, prepared(processed, rows))
    assert list(answer) == ["label", "probability_no", "probability_perhaps", "probability_yes"]
    np.testing.assert_array_equal(answer.drop(columns="label").to_numpy(), expected)
    assert list(answer["label"]) == [CLASSES[i] for i in expected.argmax(axis=1)]


@pytest.mark.parametrize("kind", ["int64", "float64", "float32", "Int64", "object", "str"])
def test_whole_numbers_may_come_as_any_type(
    tmp_path: Path, processed: Path, trained: Trained, rows: pd.DataFrame, kind: Any
) -> None:
    save_served_model(tmp_path / "model", *trained, processed)
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
    tmp_path: Path, processed: Path, trained: Trained, rows: pd.DataFrame, value: object, told: str
) -> None:
    save_served_model(tmp_path / "model", *trained, processed)
    spoilt = rows.assign(size=pd.Series([value, *rows["size"][1:]], dtype=object))
    with pytest.raises(ValueError, match=told):
        mlflow.pyfunc.load_model(str(tmp_path / "model")).predict(spoilt)


def test_dates_an_absent_column_and_no_rows_are_refused(
    tmp_path: Path, processed: Path, trained: Trained, rows: pd.DataFrame
) -> None:
    save_served_model(tmp_path / "model", *trained, processed)
    model = mlflow.pyfunc.load_model(str(tmp_path / "model"))
    with pytest.raises(ValueError, match="no numbers in age"):
        model.predict(rows.assign(age=pd.Timestamp("2026-01-01")))
    with pytest.raises(ValueError, match="no rows; give at least one"):
        model.predict(rows.iloc[:0])
    with pytest.raises(ValueError, match=r"missing inputs \['age'\]"):
        model.predict(rows.drop(columns="age"))


@pytest.mark.parametrize("column", [{"age": [30, 40]}, {"age": [30.5, 40]}, {"age": [True, "40"]}])
def test_a_server_takes_numbers_of_any_type(
    tmp_path: Path, processed: Path, trained: Trained, rows: pd.DataFrame, column: dict[str, Any]
) -> None:
    save_served_model(tmp_path / "model", *trained, processed)
    model = mlflow.pyfunc.load_model(str(tmp_path / "model"))
    asked = json.dumps({"dataframe_split": rows.head(2).assign(**column).to_dict(orient="split")})
    answer = invocations(asked, "application/json", model, model.metadata.get_input_schema())
    assert [set(row) for row in json.loads(answer.response)["predictions"]] == [
        {"label", *(f"probability_{name}" for name in CLASSES)}
    ] * 2


@pytest.mark.parametrize("value", [np.nan, np.inf, 1e300])
def test_a_value_that_no_model_can_read_is_refused_with_its_column(
    tmp_path: Path, processed: Path, trained: Trained, rows: pd.DataFrame, value: float
) -> None:
    save_served_model(tmp_path / "model", *trained, processed)
    rows.loc[3, "size"] = value
    with pytest.raises(ValueError, match="values in size"):
        mlflow.pyfunc.load_model(str(tmp_path / "model")).predict(rows)


def test_the_same_model_is_the_same_bytes_in_another_folder(tmp_path: Path, processed: Path, trained: Trained) -> None:
    def contents(folder: Path) -> dict[str, bytes]:
        save_served_model(folder / "model", *trained, processed)
        return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}

    (tmp_path / "here").mkdir()
    (tmp_path / "there").mkdir()
    first = contents(tmp_path / "here")
    assert first == contents(tmp_path / "there")
    assert not [name for name, data in first.items() if str(Path.cwd()).encode() in data]


def test_mlflow_itself_writes_the_same_bytes(tmp_path: Path, processed: Path, trained: Trained) -> None:
    processed = Path(shutil.copytree(processed, tmp_path / "processed"))
    columns = [*read_json(processed / "columns.json"), Column("größe", "category", optional=True)._asdict()]
    write_json(processed / "columns.json", columns)
    example = raw_rows().head(3).assign(größe=["1", np.nan, "ü"], dose=[0.5, np.nan, 1e-9])
    example.to_csv(processed / "example_rows.csv", index=False)
    ours, theirs = tmp_path / "ours", tmp_path / "theirs"
    save_served_model(ours, *trained, processed)

    answer = served_model.answer(np.full((1, 3), 1 / 3), CLASSES, pd.RangeIndex(1))
    described = mlflow.models.Model(
        model_uuid=mlflow.models.Model.load(str(ours)).model_uuid, utc_time_created="1970-01-01 00:00:00"
    )
    mlflow.pyfunc.save_model(
        theirs,
        loader_module=next((ours / "code").glob("served_model_*.py")).stem,
        data_path=ours / "data" / "model",
        code_paths=[str(path) for path in sorted((ours / "code").iterdir())],
        signature=mlflow.models.infer_signature(model_output=answer),
        input_example=example,
        pip_requirements=(ours / "requirements.txt").read_text().split(),
        mlflow_model=described,
        metadata={"columns": columns},
    )

    def contents(folder: Path) -> dict[str, str]:
        found = {str(file.relative_to(folder)): file for file in folder.rglob("*") if file.is_file()}
        texts = {name: file.read_bytes().decode("latin-1") for name, file in found.items() if "__pycache__" not in name}
        for name in ("conda.yaml", "python_env.yaml"):  # a build tool's version, where this environment has the tool
            texts[name] = re.sub(r"- (pip|setuptools|wheel)[=<]=\S+", r"- \1", texts[name])
        return texts

    def of_any_patch(texts: dict[str, str]) -> dict[str, str]:
        whole = platform.python_version()  # in quotes without its last part: else it is a number in YAML
        return {
            name: text.replace(f": {whole}", f": '{PYTHON}'").replace(whole, PYTHON) for name, text in texts.items()
        }

    assert contents(ours) == of_any_patch(contents(theirs))
    assert of_any_patch(contents(ours)) == contents(ours)  # the next patch of Python makes the same bytes


def test_two_versions_in_one_program_each_run_their_own_code(
    tmp_path: Path, processed: Path, trained: Trained, rows: pd.DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    save_served_model(tmp_path / "first", *trained, processed)
    changed = tmp_path / packaging.SERVED_MODEL.name
    code = packaging.SERVED_MODEL.read_text(encoding="utf-8")
    changed.write_text(code.replace('"label"', '"class"'), encoding="utf-8")
    monkeypatch.setattr(packaging, "SERVED_MODEL", changed)
    save_served_model(tmp_path / "second", *trained, processed)
    answers = [mlflow.pyfunc.load_model(str(tmp_path / name)).predict(rows) for name in ("first", "second")]
    assert [answer.columns[0] for answer in answers] == ["label", "class"]


def test_the_requirements_are_what_the_model_was_loaded_with_and_what_prepares_rows(
    tmp_path: Path, processed: Path, trained: Trained
) -> None:
    save_served_model(tmp_path / "model", *trained, processed)
    required = [line.split("==")[0] for line in (tmp_path / "model/requirements.txt").read_text().split()]
    torch = ["torch"] if trained.candidate.process == "train_dnn_pytorch" else []
    assert required == ["mlflow", "joblib", "numpy", "pandas", "scikit-learn", *torch]
    lock = read_json(code_of(trained.candidate.process).with_name("Pipfile.lock"))["default"]
    for package, version in trained.answers.packages.items():
        assert lock[package]["version"] == f"=={version}"


def test_a_packaged_model_needs_nothing_of_this_repository(
    tmp_path: Path, processed: Path, trained: Trained, rows: pd.DataFrame
) -> None:
    # With a step of the preprocessing that is a function of lib.
    processed = Path(shutil.copytree(processed, tmp_path / "processed"))
    months = FunctionTransformer(date_features, kw_args={"parts": ["month"]})
    steps = ColumnTransformer([("number", StandardScaler(), ["size", "age"]), ("date", months, ["day"])])
    dated = rows[["size", "age"]].assign(day=pd.Timestamp(2026, 12, 24))
    joblib.dump(steps.fit(dated), processed / "preprocessing.joblib")
    columns = [Column("size", "number"), Column("age", "number"), Column("day", "date", date_format="%d.%m.%Y")]
    write_json(processed / "columns.json", [column._asdict() for column in columns])
    dated.head().assign(day="24.12.2026").to_csv(processed / "example_rows.csv", index=False)
    save_served_model(tmp_path / "model", *trained, processed)
    code = (
        "import mlflow.pyfunc, pandas; model = mlflow.pyfunc.load_model('model');"
        f"print(len(model.predict(pandas.read_csv({str(processed / 'example_rows.csv')!r}))))"
    )
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env=environment, capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == ["5"]


def test_the_packaged_model_tells_its_columns_and_checks_them_by_itself(
    tmp_path: Path, processed: Path, trained: Trained
) -> None:
    save_served_model(tmp_path / "model", *trained, processed)
    saved = mlflow.models.Model.load(str(tmp_path / "model"))
    assert saved.get_input_schema() is None  # MLflow's own check goes cell by cell
    columns = (saved.metadata or {})["columns"]
    assert [(column["name"], column["kind"]) for column in columns] == [(n, "number") for n in ("size", "age", "dose")]


@pytest.mark.parametrize("form", ["dataframe_split", "dataframe_records", "inputs", "text/csv"])
def test_a_server_takes_every_form_of_rows(
    form: str, tmp_path: Path, processed: Path, trained: Trained, rows: pd.DataFrame
) -> None:
    save_served_model(tmp_path / "model", *trained, processed)
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
