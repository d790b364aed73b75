import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.stats import ks_2samp

from labkit.pipeline.drift import differences, drift_since, homogeneity, kolmogorov_smirnov, reports_here
from labkit.testing.fixtures import Shell

BINS = 20


def number(values: np.ndarray, name: str = "age", missing: int = 0) -> dict[str, Any]:
    bars, _ = np.histogram(values, bins=BINS, range=(values.min(), values.max()))
    told = {"name": name, "kind": "number", "missing": missing, "histogram": bars.tolist()}
    return told | {"min": float(values.min()), "max": float(values.max())}


def words(name: str = "city", **levels: int) -> dict[str, Any]:
    return {"name": name, "kind": "category", "missing": 0, "levels": levels}


def report(*columns: dict[str, Any], rows: int = 500) -> dict[str, Any]:
    return {"rows": {"read": rows}, "columns": list(columns)}


def normal(seed: int, mean: float = 0.0, size: int = 500) -> np.ndarray:
    return np.random.default_rng(seed).normal(mean, 1, size)


@pytest.mark.unittest
@pytest.mark.parametrize("mean", [0.0, 0.6, 2.0, 10.0])
def test_the_distance_of_histograms_is_that_of_the_values_but_for_a_bin(mean: float) -> None:
    one, other = normal(0), normal(1, mean, 300)
    wanted = ks_2samp(one, other)
    distance, p = kolmogorov_smirnov(number(one), number(other))
    assert distance == pytest.approx(wanted.statistic, abs=0.05)
    assert (p < 0.001) == (wanted.pvalue < 0.001)


@pytest.mark.unittest
def test_samples_of_one_source_do_not_differ_but_by_chance() -> None:
    told = [differences(report(number(normal(2 * n))), report(number(normal(2 * n + 1)))) for n in range(200)]
    assert sum(map(bool, told)) <= 20  # 5% of 200 is 10


@pytest.mark.unittest
@pytest.mark.parametrize(
    ("now", "told"),
    [
        (report(number(normal(1)), words(a=250, b=250)), []),
        (
            report(number(normal(1, 1.0)), words(a=250, b=250)),
            ["age: distributed otherwise (Kolmogorov-Smirnov distance 0.4"],
        ),
        (
            report(number(normal(1)), words(a=350, b=100, c=50)),
            ["city: other shares of its levels (total variation 0.30)"],
        ),
        (report(number(normal(1), missing=100), words(a=250, b=250)), ["age: 17% missing, 0% before"]),
        (report(words(a=250, b=250), words("new", a=1)), ["columns that are gone: age", "columns that are new: new"]),
        (report(words("age", a=500), words(a=250, b=250)), ["age: category, number before"]),
        (report(number(normal(1)), words(a=250, b=250), rows=510), ["510 rows, 500 before"]),
        (
            report(number(np.full(500, 9.0)), words(a=250, b=250)),
            ["age: distributed otherwise (Kolmogorov-Smirnov distance 1.00)"],
        ),
    ],
)
def test_what_differs_is_told(now: dict[str, Any], told: list[str]) -> None:
    found = differences(report(number(normal(0)), words(a=250, b=250)), now)
    assert len(found) == len(told)
    assert all(line.startswith(start) for line, start in zip(found, told, strict=True))


@pytest.mark.unittest
def test_one_level_alone_has_no_other_share() -> None:
    assert homogeneity({"a": 5}, {"a": 9}) == (0.0, 1.0)


@pytest.fixture
def lab(tmp_path: Path, shell: Shell, monkeypatch: pytest.MonkeyPatch) -> Callable[[Any], None]:
    """A lab with a committed report; give it another one."""
    monkeypatch.chdir(tmp_path)
    Path("dvc.yaml").write_text(
        "stages: {read: {cmd: x, outs: [data.json], meta: {data: data.json}}}\n", encoding="utf-8"
    )
    Path("lab/results").mkdir(parents=True)
    Path("lab/results/data.json").write_text(json.dumps(report(number(normal(0)))), encoding="utf-8")
    shell("git init --quiet && git add --all && git commit --quiet --message one", tmp_path)

    def write(now: Any) -> None:
        Path("data.json").write_text(json.dumps(now), encoding="utf-8")

    return write


@pytest.mark.integration
def test_the_reports_that_are_here_are_read_but_for_those_that_are_of_another_run(lab: Callable[[Any], None]) -> None:
    assert [*reports_here()] == []
    lab(report(number(normal(1))))
    assert [*reports_here()] == [report(number(normal(1)))]
    assert [*reports_here(["data.json"])] == []


@pytest.mark.integration
def test_the_report_here_is_held_to_the_one_in_git(lab: Callable[[Any], None]) -> None:
    assert drift_since("HEAD") == []
    lab(report(number(normal(0))))
    assert drift_since("HEAD") == []
    lab(report(number(normal(1, 1.0)), rows=501))
    assert [line.split(":")[0] for line in drift_since("HEAD")] == ["501 rows, 500 before", "age"]
    lab({"columns": 3})
    assert drift_since("HEAD") == []
