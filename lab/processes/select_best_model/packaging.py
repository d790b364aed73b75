"""Writing the selected model in MLflow's model format, as the same bytes each time."""

import hashlib
import logging
import shutil
import tempfile
from collections.abc import Iterable
from importlib.metadata import version
from pathlib import Path

import mlflow.pyfunc
import numpy as np
import pandas as pd
from mlflow.models import Model, infer_signature

import lib
from lab.processes.select_best_model import served_model
from lab.processes.select_best_model.candidates import Candidate
from lab.processes.select_best_model.predictions import Answers
from labkit.process.files import read_json
from labkit.process.trainers import code_of
from lib.columns import load_columns

# It would tell at each run that this environment has no pip, and that it checks the example.
logging.getLogger("mlflow").setLevel(logging.ERROR)

# What preparing raw rows takes, whatever the model needs: packages, and modules of lib.
PREPROCESSING = ("joblib", "numpy", "pandas", "scikit-learn")
SERVED_CODE = ("__init__.py", "columns.py")


def save_served_model(target: Path, model: Candidate, answers: Answers, dir_processed: Path) -> None:
    """Write an MLflow model to `target`, which is replaced: model, preprocessing, columns, input example.

    answers: what the model took to be loaded.

    MLflow would write down a random identity, the time of day and where this repository lies; the model gets an
    identity made of its content and none of the rest, so that a result that did not change keeps its bytes.
    """
    artifacts = {
        "code": code_of(model.process),
        "columns": dir_processed / "columns.json",
        "dataset": dir_processed / "dataset.json",
        "model": model.file,
        "preprocessing": dir_processed / "preprocessing.joblib",
    }
    columns = load_columns(artifacts["columns"])
    example = pd.read_csv(
        dir_processed / "example_rows.csv",
        dtype={column.name: "str" for column in columns if column.kind != "number"},
    )
    # The signature tells the answer alone. Of the columns, MLflow's check would refuse whole numbers (int64) where it
    # is told of floats, and takes seconds for a million values where it is told of any type: the model casts and checks
    # them by itself, column by column, and the metadata tells their types.
    signature = infer_signature(model_output=_answer(read_json(artifacts["dataset"])["classes"]))
    described = Model(model_uuid=_digest(artifacts.values()), utc_time_created="1970-01-01 00:00:00")
    with tempfile.TemporaryDirectory(dir=target.parent) as scratch:
        saved = Path(scratch) / "model"
        mlflow.pyfunc.save_model(
            saved,
            python_model=served_model.__file__,
            artifacts={key: str(file) for key, file in artifacts.items()},
            code_paths=[str(_copied(answers.modules, Path(scratch) / "lib"))],
            signature=signature,
            input_example=example,
            pip_requirements=_requirements(answers.packages),
            mlflow_model=described,
            metadata={"columns": [column._asdict() for column in columns]},
        )
        flavor = described.flavors["python_function"]
        flavor["model_code_path"] = Path(served_model.__file__).name
        flavor["artifacts"]["code"]["uri"] = f"lab/processes/{model.process}/{artifacts['code'].name}"
        described.save(saved / "MLmodel")
        shutil.rmtree(target, ignore_errors=True)
        saved.rename(target)


def _digest(places: Iterable[Path]) -> str:
    """32 hexadecimal digits, as a UUID has, of files and folders."""
    files = [file for place in places for file in ([place] if place.is_file() else sorted(place.rglob("*")))]
    return hashlib.sha256(b"".join(file.read_bytes() for file in files if file.is_file())).hexdigest()[:32]


def _answer(classes: list[str]) -> pd.DataFrame:
    """An answer's columns, without asking the model: its packages are not here."""
    predictions = np.full((1, len(classes)), 1 / len(classes)) if classes else np.zeros(1)
    return served_model.answer(predictions, classes, pd.RangeIndex(1))


def _copied(modules: list[Path], folder: Path) -> Path:
    """A copy of lib with only what the model needs: the whole of it would make every helper a part of the model."""
    root = Path(str(lib.__file__)).parent
    for file in [*(root / name for name in SERVED_CODE), *modules]:
        (folder / file.relative_to(root)).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(file, folder / file.relative_to(root))
    return folder


def _requirements(packages: dict[str, str]) -> list[str]:
    """What serving needs: the packages that the model was loaded with, and those that prepare the rows."""
    pinned = {package: version(package) for package in PREPROCESSING} | packages
    return [f"mlflow=={version('mlflow-skinny')}", *(f"{name}=={pinned[name]}" for name in sorted(pinned))]
