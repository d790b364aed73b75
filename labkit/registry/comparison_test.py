"""A candidate is worse beyond noise, or it is not: classes by their errors, numbers by how large these are."""

from pathlib import Path

import numpy as np
import pytest

from labkit.registry.comparison import Comparison, compare
from labkit.report.predictions import Predictions

pytestmark = pytest.mark.unittest


def compared(folder: Path, candidate: str, champion: str) -> Comparison:
    sides = []
    for whose, table in (("the candidate", candidate), ("the champion", champion)):
        file = folder / f"{whose}.csv"
        file.write_text(f"actual,predicted\n{table}\n")
        sides.append(Predictions(file, f"p.csv of {whose}", whose))
    return compare(*sides)


@pytest.mark.parametrize(("better", "worse", "refused"), [(0, 5, False), (0, 6, True), (6, 0, False), (30, 30, False)])
def test_only_worse_beyond_noise_is_worse(tmp_path: Path, better: int, worse: int, refused: bool) -> None:
    right, wrong = ["a,a"], ["a,b"]
    candidate = right * (20 + better) + wrong * worse
    champion = right * 20 + wrong * better + right * worse
    found = compared(tmp_path, "\n".join(candidate), "\n".join(champion))
    assert found.worse is refused
    assert (
        f"of {20 + better + worse} test rows {better} right by the candidate alone, {worse} by the cham" in found.told
    )


@pytest.mark.parametrize(("noise", "refused"), [(0.5, False), (1.0, False), (2.0, True)])
def test_numbers_are_worse_by_larger_errors(tmp_path: Path, noise: float, refused: bool) -> None:
    random = np.random.default_rng(0)
    actual = random.normal(10, 3, 80)
    tables = [
        "\n".join(f"{y},{y + scale * error}" for y, error in zip(actual, random.normal(0, 1, 80), strict=True))
        for scale in (noise, 1.0)
    ]
    found = compared(tmp_path, *tables)
    assert found.worse is refused
    assert "on 80 test rows the candidate's rmse is " in found.told
