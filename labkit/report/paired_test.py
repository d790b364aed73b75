"""Tests and intervals, compared with their own formulas and with what chance does."""

from math import comb

import numpy as np
import pytest
from scipy.stats import norm

from labkit.process.errors import InputError
from labkit.report import paired
from labkit.report.paired import Difference, differences, holm, mcnemar
from labkit.report.predictions import Paired

pytestmark = pytest.mark.unittest


def rows(both: int, only_one: int, only_other: int, neither: int = 3) -> Paired:
    one = [1.0] * (both + only_one) + [0.0] * (only_other + neither)
    other = [1.0] * both + [0.0] * only_one + [1.0] * only_other + [0.0] * neither
    return Paired(len(one), {"accuracy": np.array([one, other])})


def losses(name: str, gain: float, size: int, seed: int = 0) -> Paired:
    random = np.random.default_rng(seed)
    one = random.exponential(1.0, size)
    return Paired(size, {name: np.stack([one, one * 0.7 + random.exponential(0.3, size) - gain])})


@pytest.mark.parametrize(("one", "other"), [(0, 0), (3, 3), (0, 5), (0, 6), (2, 12), (12, 2), (1, 1)])
def test_it_is_the_exact_test_of_the_rows_that_only_one_gets_right(one: int, other: int) -> None:
    tail = sum(comb(one + other, k) for k in range(min(one, other) + 1)) / 2 ** (one + other)
    assert mcnemar(rows(20, one, other)) == pytest.approx((one, other, min(1, 2 * tail)))
    (found,) = differences(rows(20, one, other))
    assert found.difference == pytest.approx((other - one) / (23 + one + other))
    assert (found.test, found.p) == ("exact McNemar", mcnemar(rows(20, one, other))[2])
    assert found.low <= found.difference <= found.high
    assert found.is_better is (other > one)


def bootstrapped(costs: np.ndarray, times: int = 4000) -> np.ndarray:
    """The differences of means in resamples, row by row."""
    random = np.random.default_rng(1)
    lost = costs[1] - costs[0]
    return np.array([lost[random.integers(0, len(lost), len(lost))].mean() for _ in range(times)])


@pytest.mark.parametrize("size", [200, 5000])  # the latter is resampled in groups
def test_the_interval_is_that_of_rows_drawn_again_and_of_the_normal_distribution(size: int) -> None:
    found = differences(made := losses("log_loss", 0.02, size))[0]
    drawn = bootstrapped(made.costs["log_loss"])
    assert (found.low, found.high) == pytest.approx(tuple(np.quantile(drawn, (0.025, 0.975))), abs=0.2 * drawn.std())
    error = (made.costs["log_loss"][1] - made.costs["log_loss"][0]).std() / np.sqrt(size)
    wide = 2 * norm.ppf(0.975) * error
    assert found.high - found.low == pytest.approx(wide, rel=0.1)
    assert found.p == pytest.approx(2 * norm.sf(abs(found.difference) / error), abs=0.03)
    assert not found.is_better or found.difference < 0


def test_the_interval_of_the_rmse_is_that_of_rows_drawn_again() -> None:
    costs = losses("rmse", 0.0, 400).costs["rmse"] ** 2
    (found,) = differences(Paired(400, {"rmse": costs}))
    assert found[1:4] == pytest.approx((*np.sqrt(costs.mean(axis=1)), np.diff(np.sqrt(costs.mean(axis=1)))[0]))
    random = np.random.default_rng(1)
    drawn = np.sqrt([costs[:, random.integers(0, 400, 400)].mean(axis=1) for _ in range(4000)])
    assert (found.low, found.high) == pytest.approx(
        tuple(np.quantile(drawn[:, 1] - drawn[:, 0], (0.025, 0.975))), abs=0.5 * (drawn[:, 1] - drawn[:, 0]).std()
    )


def test_chance_alone_is_beyond_noise_as_seldom_as_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(paired, "RESAMPLES", 299)
    found = [differences(losses("mae", 0.0, 100, seed))[0] for seed in range(200)]
    assert 1 <= sum(one.p < 0.05 for one in found) <= 20  # 10 are expected
    assert 1 <= sum(not one.low <= 0 <= one.high for one in found) <= 25


def test_the_same_predictions_do_not_differ() -> None:
    costs = np.random.default_rng(0).exponential(1.0, 30)
    for name in ("log_loss", "rmse"):
        (found,) = differences(Paired(30, {name: np.stack([costs, costs])}))
        assert found[3:7] == (0, 0, 0, 1)
        assert not found.is_better
    assert differences(rows(5, 0, 0))[0] == Difference("accuracy", 0.625, 0.625, 0, 0, 0, 1, "exact McNemar")


def test_few_rows_have_an_interval_too_and_one_has_none() -> None:
    for made in (rows(0, 0, 2, 0), rows(1, 1, 0, 0), rows(0, 0, 1, 60)):
        assert np.isfinite(differences(made)[0][1:7]).all()
    with pytest.raises(InputError, match=r"^one test row is too few to compare$"):
        differences(rows(1, 0, 0, 0))


def test_it_is_the_same_again() -> None:
    assert differences(losses("mae", 0.1, 3000)) == differences(losses("mae", 0.1, 3000))


def test_several_tests_are_held_to_holm() -> None:
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])  # his example's way
    assert holm([0.5, 0.9]) == [1.0, 1.0]
    assert holm([0.02]) == [0.02]
    assert holm([]) == []
