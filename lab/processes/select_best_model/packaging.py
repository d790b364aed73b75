"""Writing the selected model in MLflow's model format, as the same bytes each time."""

import hashlib
import logging
import shutil
import tempfile
from collections.abc import Iterable
from importlib.metadata import version
from pathlib import Path

import mlflow.pyfunc
import pandas as pd
from mlflow.models import Model, infer_signature

from lab.processes.select_best_model import served_model
from lib.columns import load_columns

# It would tell at each run that this environment has no pip, and that it checks the example.
logging.getLogger("mlflow").setLevel(logging.ERROR)

# What a served model imports of the lab's code, and what a network does besides.
SERVED_CODE = ("__init__.py", "columns.py")
NETWORK_CODE = ("pytorch.py",)


def save_served_model(target: Path, classifier: Path, dir_processed: Path) -> None:
    """Write an MLflow model to `target`, which is replaced: classifier, preprocessing, columns, input example.

    MLflow would write down a random identity, the time of day and where this repository lies; the model gets an
    identity made of its content and none of the rest, so that a result that did not change keeps its bytes.
    """
    artifacts = {
        "classifier": classifier,
        "columns": dir_processed / "columns.json",
        "dataset": dir_processed / "dataset.json",
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
    signature = infer_signature(model_output=_predict(artifacts, example))
    model = Model(model_uuid=_digest(artifacts.values()), utc_time_created="1970-01-01 00:00:00")
    with tempfile.TemporaryDirectory(dir=target.parent) as scratch:
        saved = Path(scratch) / "model"
        mlflow.pyfunc.save_model(
            saved,
            python_model=served_model.__file__,
            artifacts={key: str(file) for key, file in artifacts.items()},
            code_paths=[str(_served_code(Path(scratch), classifier))],
            signature=signature,
            input_example=example,
            pip_requirements=_requirements(classifier),
            mlflow_model=model,
            metadata={"columns": [column._asdict() for column in columns]},
        )
        model.flavors["python_function"]["model_code_path"] = Path(served_model.__file__).name
        model.save(saved / "MLmodel")
        shutil.rmtree(target, ignore_errors=True)
        saved.rename(target)


def _digest(files: Iterable[Path]) -> str:
    """32 hexadecimal digits, as a UUID has."""
    return hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()[:32]


def _predict(artifacts: dict[str, Path], rows: pd.DataFrame) -> pd.DataFrame:
    model = served_model.ServedModel()
    context = mlflow.pyfunc.PythonModelContext({key: str(file) for key, file in artifacts.items()}, model_config=None)
    model.load_context(context)
    return model.predict(context, rows)


def _served_code(scratch: Path, classifier: Path) -> Path:
    """A copy of lib with only what the model needs: the whole of it would make every helper a part of the model."""
    (scratch / "lib").mkdir()
    for file in (*SERVED_CODE, *(NETWORK_CODE if classifier.suffix == ".pt" else ())):
        shutil.copy(Path("lib") / file, scratch / "lib" / file)
    return scratch / "lib"


def _requirements(classifier: Path) -> list[str]:
    """What serving needs, at the versions that trained; a build's own mark (torch's "+cpu") is left to the server."""
    packages = ["joblib", "numpy", "pandas", "scikit-learn", *(["torch"] if classifier.suffix == ".pt" else [])]
    pinned = [f"{package}=={version(package).split('+')[0]}" for package in packages]
    return [f"mlflow=={version('mlflow-skinny')}", *pinned]
