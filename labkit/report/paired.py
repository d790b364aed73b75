"""Two models on the same rows: by how much one is better, and how often chance alone does as much.

Of classes, the accuracy by the exact McNemar test, and the log loss where probabilities are told; of numbers, the mean
absolute and the root mean squared error, both by a paired permutation. The intervals are the paired bootstrap's.
"""

import math
import warnings
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from labkit.process.errors import InputError
from labkit.report.predictions import ACCURACY, RMSE, Numbers, Paired

# scipy.stats takes a second to import, which those who only register need not wait for.

NOISE = 0.05  # a difference that chance alone makes at least so often is noise
RESAMPLES = 9_999
GROUPS = 1_000  # what is resampled: rows, or groups of them where there are more
BATCH = 100  # resamples in memory at once


class Difference(NamedTuple):
    """A metric of two models, `other - one`, its 95% interval, and how often chance alone makes as much of it."""

    metric: str
    one: float
    other: float
    difference: float
    low: float
    high: float
    p: float
    test: str

    @property
    def is_better(self) -> bool:
        """Whether the other is better, by whatever little."""
        return self.difference > 0 if self.metric == ACCURACY else self.difference < 0


def mcnemar(paired: Paired) -> tuple[int, int, float]:
    """How many rows only the one and only the other model gets right, and the exact McNemar test's p-value of that."""
    from scipy.stats import binomtest

    one, other = paired.costs[ACCURACY] > 0
    only_one, only_other = int((one & ~other).sum()), int((other & ~one).sum())
    discordant = only_one + only_other
    return only_one, only_other, float(binomtest(only_one, discordant).pvalue) if discordant else 1.0


def differences(paired: Paired) -> list[Difference]:
    """Each metric of the two models. Raises InputError where there is but one row, which tells nothing of chance."""
    if paired.rows < 2:
        raise InputError("one test row is too few to compare")
    return [_difference(name, paired) for name in paired.costs]


def holm(values: Sequence[float]) -> list[float]:
    """P-values for several tests at once: Holm, A simple sequentially rejective multiple test procedure, 1979."""
    adjusted, least = [1.0] * len(values), 0.0
    for place, number in enumerate(sorted(range(len(values)), key=values.__getitem__)):
        least = max(least, min(1.0, (len(values) - place) * values[number]))
        adjusted[number] = least
    return adjusted


def _difference(name: str, paired: Paired) -> Difference:
    sums, counts = _grouped(paired.costs[name])
    one, other = (float(value) for value in _metric(name, sums, counts))
    if name == ACCURACY:
        test, p = "exact McNemar", mcnemar(paired)[2]
    else:
        test, p = "paired permutation", _permutation(sums[1] - sums[0])
    return Difference(name, one, other, other - one, *_interval(name, sums, counts), p, test)


def _grouped(costs: Numbers) -> tuple[Numbers, Numbers]:
    """The rows, or, of more than GROUPS, their sums in as many groups, drawn by chance; and how many rows each has.

    Where rows do not depend on each other, nor do such groups, and the mean of all spreads alike.
    """
    rows = costs.shape[1]
    if rows <= GROUPS:
        return costs, np.ones(rows)
    group = np.random.default_rng(0).permutation(rows) % GROUPS
    sums = np.stack([np.bincount(group, weights=side, minlength=GROUPS) for side in costs])
    return sums.astype(np.float64), np.bincount(group, minlength=GROUPS).astype(np.float64)


def _metric(name: str, sums: Numbers, counts: Numbers) -> Numbers:
    """The metric of rows or groups, which are the last axis."""
    means: Numbers = sums.sum(axis=-1) / counts.sum(axis=-1)
    return np.sqrt(means) if name == RMSE else means


def _interval(name: str, sums: Numbers, counts: Numbers) -> tuple[float, float]:
    """The paired bootstrap's, BCa (Efron, Better bootstrap confidence intervals, 1987); without it, percentiles."""
    from scipy.stats import bootstrap

    def statistic(one: Numbers, other: Numbers, counts: Numbers, axis: int) -> Numbers:
        return _metric(name, other, counts) - _metric(name, one, counts)

    data, made = (sums[0], sums[1], counts), None
    if not (sums[0] != sums[1]).any():
        return 0.0, 0.0
    for method, resamples in (("BCa", RESAMPLES), ("percentile", 0)):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # where too few rows differ, BCa has no interval, and warns
            made = bootstrap(
                data, statistic, paired=True, vectorized=True, n_resamples=resamples, batch=BATCH, method=method,
                bootstrap_result=made, rng=np.random.default_rng(0),
            )  # fmt: skip
        low, high = (float(end) for end in made.confidence_interval)
        if math.isfinite(low) and math.isfinite(high):
            break
    return low, high


def _permutation(lost: Numbers) -> float:
    """How often so large a difference of means comes of two models that swap their rows by chance."""
    from scipy.stats import permutation_test

    if not lost.any():
        return 1.0
    made = permutation_test(
        (lost,), np.sum, permutation_type="samples", vectorized=True, n_resamples=RESAMPLES, batch=BATCH,
        rng=np.random.default_rng(0),
    )  # fmt: skip
    return float(made.pvalue)
