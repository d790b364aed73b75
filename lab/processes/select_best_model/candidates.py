"""The trained models to choose from, as the training processes left them."""

from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from labkit.process.errors import InputError
from labkit.process.files import read_json


class Candidate(NamedTuple):
    """A trained model: its file, and its metrics on the validation rows."""

    file: Path
    metrics: dict[str, float]


def read_candidates(folders: Iterable[Path]) -> dict[str, Candidate]:
    """The models of `folders` by name.

    Raises InputError when a folder holds no metrics, metrics without their model, or a name that another has.
    """
    candidates: dict[str, Candidate] = {}
    for folder in folders:
        found = sorted((folder / "metrics").glob("*.json"))
        if not found:
            raise InputError(f"{folder / 'metrics'} holds no model's metrics; run `dvc repro` (or `dvc pull`) first")
        for metrics in found:
            file = _model_file(folder, metrics.stem)
            if metrics.stem in candidates:
                raise InputError(f"{metrics}: {candidates[metrics.stem].file} has this name too; rename one")
            candidates[metrics.stem] = Candidate(file, read_json(metrics))
    return candidates


def _model_file(folder: Path, name: str) -> Path:
    for file in (folder / "models" / f"{name}.joblib", folder / f"{name}.pt"):
        if file.exists():
            return file
    raise InputError(f"{folder}: {name} has metrics but no model; run `dvc repro` (or `dvc pull`) first")
