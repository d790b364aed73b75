from pathlib import Path

import pytest
import yaml
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

from labkit.paths import ROOT
from labkit.process import params
from labkit.process.errors import InputError
from labkit.process.params import Strict
from labkit.sweep import space
from labkit.sweep.space import parse_space

pytestmark = pytest.mark.unittest


class Training(Strict):
    lr: float
    batch_size: int
    kernels: str


class Whole(Strict):
    training: Training


@pytest.fixture(autouse=True)
def lab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A lab with three parameters."""
    content = {"training": {"lr": 0.1, "batch_size": 3, "kernels": "portable"}}
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(content), encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(space, "whole_schema", lambda: Whole)


@pytest.mark.parametrize(
    ("word", "distribution"),
    [
        ("training.lr=1e-4..1e-2", FloatDistribution(1e-4, 1e-2, log=True)),
        ("training.lr=0.1..0.3", FloatDistribution(0.1, 0.3)),
        ("training.lr=-1.5..1.5", FloatDistribution(-1.5, 1.5)),
        ("training.batch_size=2..64", IntDistribution(2, 64)),
        ("training.batch_size=1..1000", IntDistribution(1, 1000, log=True)),
        ("training.batch_size=10,30", CategoricalDistribution([10, 30])),
        ("training.kernels=native,portable", CategoricalDistribution(["native", "portable"])),
    ],
)
def test_ranges_and_values_are_distributions(word: str, distribution: object) -> None:
    assert parse_space([word]) == {word.partition("=")[0]: distribution}


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["training.lr"], "training.lr: give a range, as in training.lr=LOW..HIGH, or values, as in training.lr=A,B,C"),
        (["training.lr=1"], "training.lr=1 is one value; give a range"),
        (["training.lr=2..1"], "training.lr=2..1 is not a range of numbers; write the lower end first"),
        (["training.lr=a..b"], "training.lr=a..b is not a range of numbers"),
        (["training.lr=1..1"], "training.lr=1..1 is not a range of numbers"),
        (["training.rate=1..2"], "params.yaml has no parameter training.rate; it has training.batch_size, training."),
        (["training=1..2"], "params.yaml has no parameter training; it has"),
        (["training.lr=1..2", "training.lr=3..4"], "training.lr is given twice; give it once"),
        (["training.batch_size=1.5..2.5"], "training.batch_size=1.5..2.5: params.yaml: training.batch_size is 1.5: "),
        (["training.kernels=1,2"], "training.kernels=1,2: params.yaml: training.kernels is 1: "),
    ],
)
def test_what_cannot_be_searched_is_refused(words: list[str], told: str) -> None:
    with pytest.raises(InputError) as refused:
        parse_space(words)
    assert str(refused.value).startswith(told)


def test_the_lab_s_own_parameters_are_checked_before_anything_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    monkeypatch.setattr(space, "whole_schema", params.whole_schema)
    assert parse_space(["split.seed=1,2"])
    with pytest.raises(InputError, match=r"split\.seed is -1"):
        parse_space(["split.seed=-1,2"])
