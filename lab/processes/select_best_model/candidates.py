"""The trained models to choose from, as the training processes left them."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

from labkit.process.errors import InputError
from labkit.process.files import read_json
from labkit.process.trainers import results_of
from lib.metrics import BASELINE, CROSS_VALIDATION


class Candidate(NamedTuple):
    """A trained model: the process that trained it, its file or folder, and its metrics on the validation rows.

    crossed: each metric over the folds of a cross-validation, as lib.metrics.over_folds tells it; empty without.
    """

    process: str
    file: Path
    metrics: dict[str, float]
    crossed: Mapping[str, Any] = MappingProxyType({})


def read_candidates(processes: Iterable[str]) -> dict[str, Candidate]:
    """The models that `processes` trained, by name.

    Raises InputError when one left no metrics, metrics without their model, or a name that another has.
    """
    candidates: dict[str, Candidate] = {}
    for process in processes:
        metrics, models = map(Path, results_of(process))
        found = sorted(metrics.glob("*.json"))
        if not found:
            raise InputError(f"{metrics} holds no model's metrics; run `dvc repro` (or `dvc pull`) first")
        for file in found:
            name = file.stem
            if name == BASELINE:
                raise InputError(f"{file}: {BASELINE} is what models are compared with; rename the model")
            if name in candidates:
                raise InputError(f"{file}: {candidates[name].file} has this name too; rename one")
            metrics = read_json(file)
            crossed = metrics.pop(CROSS_VALIDATION, {})
            candidates[name] = Candidate(process, _model_file(models, name), metrics, crossed)
    if not candidates:
        raise InputError("no process trains models: `python -m lab new-process --model NAME` adds one")
    return candidates


def _model_file(folder: Path, name: str) -> Path:
    found = [path for path in folder.glob(f"{name}*") if path.name == name or path.stem == name]
    if len(found) > 1:
        raise InputError(f"{folder}: {name} is more than one file; leave one file or folder for each model")
    if not found:
        raise InputError(f"{folder}: {name} has metrics but no model; run `dvc repro` (or `dvc pull`) first")
    return found[0]
