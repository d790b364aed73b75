"""What chance alone does: to a model against the baseline, and to two models over the folds of a cross-validation."""

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lib.metrics import better
from lib.task import Task

NOISE = 0.05  # a difference that chance alone makes so often is noise
RESAMPLES = 100
MOST_DRAWN = 10_000  # rows for an interval, which of more takes seconds
CLEAR = 6.0  # standard errors, beyond which resampling would not tell anything else


def share_no_better(
    task: Task, metric: str, y: NDArray[Any], predictions: NDArray[Any], baseline: NDArray[Any]
) -> float:
    """How often, in resamples of the rows, the predictions are no better than the baseline's by the metric.

    y: (rows,); predictions and baseline as Task describes them. Rows are drawn with replacement, from each class as
    many as it has: the bootstrap (Efron and Tibshirani, An Introduction to the Bootstrap, 1993, chapter 13). Where the
    losses of single rows already tell it clearly, the share is 0.
    """
    gained = _losses(y, baseline) - _losses(y, predictions)
    if metric == task.default and gained.mean() > CLEAR * gained.std() / math.sqrt(len(gained)) > 0:
        return 0.0
    is_class = predictions.ndim == 2
    # Of classes it stays the same: each draw has as many rows of each.
    expected = task.metrics(y, baseline, metric)[metric]
    worse = 0
    for rows in _resamples(y, is_class):
        if not is_class:
            expected = task.metrics(y[rows], baseline[rows], metric)[metric]
        worse += not better(task.metrics(y[rows], predictions[rows], metric)[metric], expected, metric)
    return worse / RESAMPLES


def interval(task: Task, metric: str, y: NDArray[Any], predictions: NDArray[Any]) -> list[float]:
    """The 95% interval of a metric, if the rows do not depend on each other; y and predictions as in share_no_better.

    The bootstrap's percentile interval (Efron and Tibshirani, chapter 13). Of many rows MOST_DRAWN are drawn, and the
    interval is made as much narrower as all of them tell more (Bickel, Goetze and van Zwet, Resampling fewer than n
    observations, 1997).
    """
    reached, share = task.metrics(y, predictions, metric)[metric], min(1.0, MOST_DRAWN / len(y))
    drawn = [
        task.metrics(y[rows], predictions[rows], metric)[metric] for rows in _resamples(y, predictions.ndim == 2, share)
    ]
    ends = np.quantile(drawn, (NOISE / 2, 1 - NOISE / 2))
    return [float(reached + math.sqrt(share) * (end - reached)) for end in ends]


def _resamples(y: NDArray[Any], is_class: bool, share: float = 1.0) -> Iterator[NDArray[np.int64]]:
    """RESAMPLES times a share of the rows, drawn with replacement; of each class as many as it has of all."""
    random = np.random.default_rng(0)
    strata = [np.flatnonzero(y == found) for found in np.unique(y)] if is_class else [np.arange(len(y))]
    for _ in range(RESAMPLES):
        yield np.concatenate([random.choice(stratum, math.ceil(share * len(stratum))) for stratum in strata])


def no_worse_than_noise(selected: str, over_folds: Mapping[str, Sequence[float]], held_out_share: float) -> list[str]:
    """The models whose metric differs from the selected one's by no more than chance makes it over the folds.

    over_folds: of each model the metric on each fold's rows. A t-test of the paired differences, whose variance is
    corrected for training rows that the folds share (Nadeau and Bengio, Inference for the Generalization Error, 2003);
    held_out_share: the rows held out in a fold for each that it trains on.
    """
    from scipy.stats import t

    found = []
    for name, values in over_folds.items():
        differences = np.subtract(values, over_folds[selected])
        folds = len(differences)
        error = math.sqrt(differences.var(ddof=1) * (1 / folds + held_out_share))
        chance = 2 * float(t.sf(abs(differences.mean()) / error, folds - 1)) if error else float(not differences.any())
        if name != selected and chance >= NOISE:
            found.append(name)
    return found


def no_better(
    selected: str,
    task: Task,
    metric: str,
    part: str,
    y: NDArray[Any],
    predictions: NDArray[Any],
    y_train: NDArray[Any],
) -> Iterator[str]:
    """The warning that on a part of the rows the selected model is no better than the baseline, or may not be."""
    expected = task.baseline(y_train, len(y))
    own, baseline = (task.metrics(y, found)[metric] for found in (predictions, expected))
    told = f"has a {metric} of {own:.4f} on the {part} rows, the baseline {baseline:.4f}"
    remedy = "the features may not tell the target; get others, or more rows"
    if not better(own, baseline, metric):
        yield (
            f"no model is better than the baseline, which knows no feature: {selected}, the best one, {told}: {remedy}"
        )
    elif (share := share_no_better(task, metric, y, predictions, expected)) >= NOISE:
        yield (
            f"{selected} may be better than the baseline, which knows no feature, by chance alone: it {told}, and in "
            f"{share:.0%} of the resamples of these rows it is no better: {remedy}"
        )


def _losses(y: NDArray[Any], predictions: NDArray[Any]) -> NDArray[np.float64]:
    """Of each row the squared error, or the log loss."""
    if predictions.ndim == 1:
        return (predictions.astype(np.float64) - y) ** 2  # type: ignore[no-any-return]
    likely: NDArray[np.float64] = predictions[np.arange(len(y)), y].astype(np.float64)
    return -np.log(np.maximum(likely, np.finfo(np.float64).eps))
