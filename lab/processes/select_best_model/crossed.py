"""What a cross-validation tells: of each model a mean and a spread, and which models it can't tell apart."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from lab.processes.select_best_model.candidates import Candidate
from lab.processes.select_best_model.chance import no_worse_than_noise
from lib.data_splits import Fold
from lib.metrics import BASELINE, over_folds
from lib.task import Task


def over_all_folds(candidates: dict[str, Candidate], folds: list[Fold], task: Task) -> dict[str, Mapping[str, Any]]:
    """Of each model, and of the baseline, each metric over the folds of the cross-validation."""
    baseline = [task.metrics(fold.y_val, task.baseline(fold.y_train, len(fold.y_val))) for fold in folds]
    return {**{name: model.crossed for name, model in candidates.items()}, BASELINE: over_folds(baseline)}


def means_and_spread(crossed: Mapping[str, Mapping[str, Any]], metric: str) -> dict[str, dict[str, float]]:
    """Of each model the means over the folds, and after them the standard deviation of the metric to select by."""
    return {
        name: {**{of: found["mean"] for of, found in told.items()}, f"{metric}_std": told[metric]["std"]}
        for name, told in crossed.items()
    }


def spread_of(
    selected: str, crossed: Mapping[str, Mapping[str, Any]], metric: str, folds: list[Fold]
) -> dict[str, Any]:
    """The selected model's metric over the folds, and the models that are as good but for chance."""
    found = {name: told[metric]["folds"] for name, told in crossed.items() if name != BASELINE}
    shares = [len(fold.y_val) / len(fold.y_train) for fold in folds]
    own = crossed[selected][metric]
    return {
        "folds": len(folds),
        "mean": own["mean"],
        "std": own["std"],
        "as_good_but_for_chance": no_worse_than_noise(selected, found, float(np.mean(shares))),
    }


def in_words(spread: Mapping[str, Any]) -> str:
    """What a cross-validation tells of the selection."""
    if not spread:
        return ""
    others = ", ".join(spread["as_good_but_for_chance"])
    but = f"; but for chance, as good: {others}" if others else ""
    return f" ({spread['mean']:.4f} ± {spread['std']:.4f} over {spread['folds']} folds{but})"
