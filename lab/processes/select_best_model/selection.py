"""Choosing among trained models by their validation metrics."""

from collections.abc import Iterable
from pathlib import Path

from lib.errors import InputError
from lib.files import read_json
from lib.metrics import HIGHER_IS_BETTER


def read_candidates(folders: Iterable[Path]) -> dict[Path, dict[str, float]]:
    """Each candidate's model file, with its validation metrics.

    Raises InputError when a folder holds no metrics, or metrics without their model.
    """
    candidates = {}
    for folder in folders:
        found = sorted((folder / "metrics").glob("*.json"))
        if not found:
            raise InputError(f"{folder / 'metrics'} holds no model's metrics; run `dvc repro` (or `dvc pull`) first")
        for metrics in found:
            candidates[_model_file(folder, metrics.stem)] = read_json(metrics)
    return candidates


def ranked(candidates: dict[Path, dict[str, float]], metric: str) -> list[Path]:
    """The candidates, best by `metric` first; equals go by name, so that the order is always the same."""
    sign = -1 if HIGHER_IS_BETTER[metric] else 1
    return sorted(candidates, key=lambda model: (sign * candidates[model][metric], model.stem))


def _model_file(folder: Path, name: str) -> Path:
    for file in (folder / "models" / f"{name}.joblib", folder / f"{name}.pt"):
        if file.exists():
            return file
    raise InputError(f"{folder}: {name} has metrics but no model; run `dvc repro` (or `dvc pull`) first")
