"""Writing the selected model in MLflow's model format, as the same bytes each time.

By hand, since to import MLflow takes longer than all else that select_best_model does; a test holds each byte to what
MLflow itself writes. https://mlflow.org/docs/latest/ml/model/#storage-format
"""

import hashlib
import json
import shutil
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pandas as pd
import yaml

import lib
from lab.processes.select_best_model.candidates import Candidate
from lab.processes.select_best_model.predictions import Answers
from labkit.process.files import read_json, replacing
from labkit.process.trainers import code_of
from lib.columns import Column, load_columns

# Not imported: it runs where the model is served.
SERVED_MODEL = Path(__file__).with_name("served_model.py")
# What preparing raw rows takes, whatever the model needs: packages, and modules of lib.
PREPROCESSING = ("joblib", "numpy", "pandas", "scikit-learn")
SERVED_CODE = ("__init__.py", "columns.py")
# What served_model.py loads.
DATA = "data/model"
# Without its last part, which MLflow takes as well: a later patch of Python makes no other result.
PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}"


def save_served_model(target: Path, model: Candidate, answers: Answers, dir_processed: Path) -> None:
    """Write an MLflow model to `target`, which is replaced: model, preprocessing, columns, input example.

    answers: what the model took to be loaded.

    MLflow would write down a random identity, the time of day and where this repository lies; the model gets an
    identity made of its content and none of the rest, so that a result that did not change keeps its bytes.
    """
    columns = load_columns(dir_processed / "columns.json")
    with replacing(target) as folder:
        for name in ("columns.json", "dataset.json", "preprocessing.joblib"):
            _copy(dir_processed / name, folder / DATA / name)
        _copy(code_of(model.process), folder / DATA / "model.py")
        _copy(model.file, folder / DATA / "trained" / model.file.name)
        _write_example(folder, dir_processed / "example_rows.csv", columns)
        size = sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
        loader = _copy_code(answers.modules, folder / "code")
        _write_requirements(folder, answers.packages)
        described = {
            "flavors": {"python_function": _flavor(loader)},
            "metadata": {"columns": [column._asdict() for column in columns]},
            "mlflow_version": version("mlflow-skinny"),
            "model_id": None,
            "model_size_bytes": size,
            "model_uuid": _digest(folder),
            "prompts": None,
            "saved_input_example_info": {
                "artifact_path": "input_example.json",
                "pandas_orient": "split",
                "serving_input_path": "serving_input_example.json",
                "type": "dataframe",
            },
            "is_signature_from_type_hint": False,
            "signature": _signature(read_json(dir_processed / "dataset.json")["classes"]),
            "type_hint_from_example": False,
            "utc_time_created": "1970-01-01 00:00:00",
        }
        _write_yaml(folder / "MLmodel", described)


def _flavor(loader: str) -> dict[str, Any]:
    """How the model is loaded, by MLflow and by others: the module `loader` in `code` is given `data`."""
    return {
        "code": "code",
        "data": DATA,
        "env": {"conda": "conda.yaml", "virtualenv": "python_env.yaml"},
        "loader_module": loader,
        "python_version": PYTHON,
        "streamable": False,
    }


def _signature(classes: list[str]) -> dict[str, Any]:
    """The types of the answer alone, as served_model.py makes it.

    Of the columns, MLflow's check would refuse whole numbers (int64) where it is told of floats, and takes seconds for
    a million values where it is told of any type: the model casts and checks them by itself, column by column, and the
    metadata tells their types.
    """
    types = {"label": "string"} | {f"probability_{name}": "double" for name in classes}
    columns = types if classes else {"prediction": "double"}
    told = [{"type": kind, "name": name, "required": True} for name, kind in columns.items()]
    return {"inputs": None, "outputs": json.dumps(told), "params": None}


def _write_example(folder: Path, rows: Path, columns: list[Column]) -> None:
    """Raw rows, as MLflow shows them to people and as a server takes them."""
    example = pd.read_csv(rows, dtype={column.name: "str" for column in columns if column.kind != "number"})
    split = example.where(example.notna(), None).to_dict(orient="split")
    told = {"columns": split["columns"], "data": split["data"]}
    (folder / "input_example.json").write_text(json.dumps(told))
    (folder / "serving_input_example.json").write_text(json.dumps({"dataframe_split": told}, indent=2))


def _write_requirements(folder: Path, packages: dict[str, str]) -> None:
    """What serving needs: the packages that the model was loaded with, and those that prepare the rows."""
    pinned = {package: version(package) for package in PREPROCESSING} | packages
    lines = [f"mlflow=={version('mlflow-skinny')}", *(f"{name}=={pinned[name]}" for name in sorted(pinned))]
    conda = {
        "channels": ["conda-forge"],
        "dependencies": [f"python={PYTHON}", "pip", {"pip": lines}],
        "name": "mlflow-env",
    }
    build = {
        "python": PYTHON,
        "build_dependencies": ["pip", "setuptools", "wheel"],
        "dependencies": ["-r requirements.txt"],
    }
    (folder / "requirements.txt").write_text("\n".join(lines))
    _write_yaml(folder / "conda.yaml", conda)
    _write_yaml(folder / "python_env.yaml", build, sort_keys=False)


def _write_yaml(path: Path, content: dict[str, Any], sort_keys: bool = True) -> None:
    path.write_text(yaml.safe_dump(content, sort_keys=sort_keys), encoding="utf-8")


def _copy(source: Path, target: Path) -> None:
    """Copy a file or a folder."""
    target.parent.mkdir(parents=True, exist_ok=True)
    if source.is_dir():
        shutil.copytree(source, target)
    else:
        shutil.copy(source, target)


def _copy_code(modules: list[Path], folder: Path) -> str:
    """Copy what runs where the model is served; the name of the module that loads it.

    Of lib only what the model needs: the whole of it would make every helper a part of the model.
    """
    root = Path(str(lib.__file__)).parent
    for file in [*(root / name for name in SERVED_CODE), *modules]:
        _copy(file, folder / "lib" / file.relative_to(root))
    # Python imports a name once: two versions loaded in one program are each to run their own code.
    loader = f"{SERVED_MODEL.stem}_{_digest(SERVED_MODEL)[:8]}"
    _copy(SERVED_MODEL, folder / f"{loader}.py")
    return loader


def _digest(place: Path) -> str:
    """32 hexadecimal digits, as a UUID has, of a file or a folder."""
    files = [place] if place.is_file() else sorted(place.rglob("*"))
    return hashlib.sha256(b"".join(file.read_bytes() for file in files if file.is_file())).hexdigest()[:32]
