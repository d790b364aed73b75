"""A lab whose commits have results of a small pipeline that trains nothing; Git, DVC and its remote are real."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from dvc.repo import Repo
from matplotlib.figure import Figure

from labkit.registry import verbs
from labkit.testing.fixtures import IDENTITY, Shell

DVC_YAML = """
stages:
  report:
    cmd: mkdir -p out && cp src/report.json out
    deps: [src/report.json]
    outs: [out/report.json]
    meta: {data: out/report.json}
  select:
    cmd: >-
      mkdir -p out && cp -r src/model src/metrics.json src/test.csv src/curve.csv src/dots.png src/others
      src/models.csv out
    deps: [src]
    params: [training]
    outs: [out/model, out/test.csv, out/others, out/models.csv]
    metrics: [out/metrics.json]
    plots:
      - out/curve.csv: {x: epoch, y: loss, title: The curve}
      - out/dots.png
    meta:
      predictions: out/others
      leaderboard: {models: out/models.csv, selected: out/metrics.json}
      registry: {name: cancer, model: out/model, predictions: out/test.csv}
"""
ROWS = 60
CLASSES = ("benign", "malignant")


def classes(seed: int, noise: float, first: int = 0, rows: int = ROWS) -> str:
    """Predictions of the same rows, the better the less noise there is."""
    actual = np.random.default_rng(0).integers(0, 2, rows)
    likely = np.clip(actual + np.random.default_rng(seed).normal(0, noise, rows), 0.01, 0.99)
    lines = [
        f"{first + row},{CLASSES[known]},{CLASSES[int(p > 0.5)]},{1 - p:.4f},{p:.4f}"
        for row, (known, p) in enumerate(zip(actual, likely, strict=True))
    ]
    return "\n".join(["row,actual,predicted,probability_benign,probability_malignant", *lines, ""])


def numbers(seed: int, noise: float) -> str:
    """Predictions of numbers, with errors as large as the noise."""
    actual = np.random.default_rng(0).normal(10, 3, ROWS)
    predicted = actual + np.random.default_rng(seed).normal(0, noise, ROWS)
    return "\n".join(["actual,predicted", *(f"{y:.4f},{p:.4f}" for y, p in zip(actual, predicted, strict=True)), ""])


def write(test: str, tree: str, lr: float, age: float, accuracy: float, selected: str = "forest") -> None:
    """What the pipeline copies: predictions of the selected model and of a tree, a parameter, an age, a metric."""
    for folder in ("src/model", "src/others"):
        Path(folder).mkdir(parents=True, exist_ok=True)
    Path("params.yaml").write_text(f"project: {{name: cancer}}\ntraining: {{lr: {lr}, epochs: 3}}\n")
    Path("src/model/MLmodel").write_text(f"{lr}")
    Path("src/test.csv").write_text(test)
    Path("src/others/tree.csv").write_text(tree)
    Path("src/models.csv").write_text(f"model,accuracy\n{selected},{accuracy}\n")
    Path("src/curve.csv").write_text(f"epoch,loss\n1,0.5\n2,{lr}\n")
    Path("src/metrics.json").write_text(
        json.dumps({"selected": selected, "test": {"accuracy": accuracy, "rows": ROWS}})
    )
    figure = Figure(figsize=(2, 1))
    figure.subplots().plot([1, lr])
    figure.savefig("src/dots.png", metadata={"Software": None})
    ages = np.random.default_rng(1).normal(age, 10, 500)
    bars, _ = np.histogram(ages, 40)
    columns = [
        {"name": "age", "kind": "number", "missing": 0, "histogram": bars.tolist()}
        | {"min": float(ages.min()), "max": float(ages.max())},
        {"name": "city", "kind": "category", "missing": 5, "levels": {"Bern": 200, "Basel": 295}},
    ]
    Path("src/report.json").write_text(json.dumps({"rows": {"read": int(age * 10)}, "columns": columns}))


def commit(shell: Shell, name: str, reproduce: bool = True) -> None:
    """Commit what is here, with the results of it, and tag it."""
    if reproduce:
        with Repo() as repo:
            repo.reproduce()
            repo.push()
    shell(f"git add --all && git commit --quiet --allow-empty -m 'Try <{name}>' && git tag {name}", Path.cwd())


@pytest.fixture(scope="session")
def made_lab(tmp_path_factory: pytest.TempPathFactory, shell: Shell) -> Path:
    """The lab and its remote. Its tags: one, two, more (rows), moved, numbers, worse, empty; cancer@v1.0.0 is two."""
    place = tmp_path_factory.mktemp("compared")
    shell("git init --quiet --initial-branch main lab", place)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(place / "lab")
        for name, value in IDENTITY.items():
            patch.setenv(name, value)
        shell("dvc init -q && dvc remote add -q -d share ../share", Path.cwd())
        Path("dvc.yaml").write_text(DVC_YAML)
        Path("params.yaml").write_text("project: {name: cancer}\n")
        Path("goals").mkdir()
        Path("goals/goals.yaml").write_text("[]\n")
        commit(shell, "empty", reproduce=False)
        write(classes(1, 0.9), classes(3, 0.5), 0.1, 50, 0.75)
        commit(shell, "one")
        write(classes(2, 0.25), classes(3, 0.5), 0.01, 60, 0.95, "densenet")
        commit(shell, "two")
        verbs.register("two")
        write(classes(2, 0.25, rows=ROWS + 1), classes(3, 0.5), 0.01, 60, 0.95)
        commit(shell, "more")
        write(classes(2, 0.25, first=5), classes(3, 0.5), 0.01, 60, 0.95)
        commit(shell, "moved")
        write(numbers(1, 1.0), numbers(2, 1.0), 0.01, 60, 0.95)
        commit(shell, "numbers")
        write(numbers(2, 3.0), numbers(2, 1.0), 0.01, 60, 0.95)
        commit(shell, "worse")
    return place


@pytest.fixture
def lab(made_lab: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of that, in which the test is."""
    shutil.copytree(made_lab, tmp_path, symlinks=True, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path / "lab")
    return tmp_path / "lab"
