"""A bare remote and two clones of a lab whose commits have results of several kinds; Git and DVC are real."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest
from dvc.repo import Repo

from labkit.testing.fixtures import Shell

NAME = "cancer"
DVC_YAML = f"""
stages:
  select:
    cmd: mkdir -p out && cp -r src/. out
    deps: [src]
    outs: [out/model]
    metrics: [out/metrics.json]
    plots: [out/predictions.csv]
    meta:
      registry: {{name: {NAME}, model: out/model, predictions: out/predictions.csv}}
"""
GOALS = """
- {goal: it knows both, file: out/metrics.json, metric: test.accuracy, at_least: 0.6}
- {goal: it never errs, file: out/metrics.json, metric: test.accuracy, at_least: 1.0, ambition: true}
"""
ROWS = 40


class Lab(NamedTuple):
    """A laptop's clone, in which this process stands, and another person's; tags of commits say what is in them."""

    origin: Path
    laptop: Path
    other: Path
    git: Callable[..., str]

    def tags(self, place: Path) -> list[str]:
        """The registry's refs in a repository."""
        refs = f"refs/tags/{NAME}* refs/lab"
        return self.git(f"git for-each-ref --format='%(refname)' {refs}", place).split()

    def message(self, tag: str) -> str:
        """The message of a tag of the remote."""
        return self.git(f"git for-each-ref --format='%(contents)' '{tag}'", self.origin)


def write_results(folder: Path, right: int, rows: int = ROWS, model: str = "") -> None:
    """What a stage copies: a model that is right on the first `right` of its test rows."""
    (folder / "src" / "model").mkdir(parents=True, exist_ok=True)
    (folder / "src" / "model" / "MLmodel").write_text(f"model {model or right} of {rows}\n")
    lines = [f"b,{'b' if row < right else 'm'}" for row in range(rows)]
    (folder / "src" / "predictions.csv").write_text("\n".join(["actual,predicted", *lines, ""]))
    (folder / "src" / "metrics.json").write_text(f'{{"test": {{"accuracy": {right / rows}}}}}\n')


@pytest.fixture(scope="session")
def made_labs(tmp_path_factory: pytest.TempPathFactory, shell: Shell) -> Path:
    """The folder of the remote, the clones and DVC's remote."""
    place = tmp_path_factory.mktemp("registry")
    shell("git init --quiet --bare --initial-branch main origin && git clone --quiet origin laptop 2>&1", place)
    laptop = place / "laptop"
    (laptop / "goals").mkdir()
    (laptop / "goals" / "goals.yaml").write_text(GOALS)
    (laptop / "dvc.yaml").write_text(DVC_YAML)
    (laptop / "params.yaml").write_text("project: {name: cancer lab}\n")
    shell("git switch --quiet -c main; dvc init -q; dvc remote add -q -d share ../share", laptop)
    shell("git add --all && git commit --quiet -m 'no results yet' && git tag empty", laptop)
    for name, right, rows in (
        ("first", 36, ROWS),
        ("better", 39, ROWS),
        ("worse", 26, ROWS),
        ("bad", 10, ROWS),
        ("split", 55, 60),
    ):
        write_results(laptop, right, rows)
        with pytest.MonkeyPatch.context() as patch:
            patch.chdir(laptop)
            with Repo() as repo:
                repo.reproduce()
                repo.push()
        shell(f"git add --all && git commit --quiet -m 'Try {name}' && git tag {name}", laptop)
    shell("git remote set-url origin ../origin && git push --quiet origin main --tags", laptop)
    shell("git clone --quiet origin other && git -C other remote set-url origin ../origin", place)
    return place


@pytest.fixture
def lab(made_labs: Path, tmp_path: Path, shell: Shell, monkeypatch: pytest.MonkeyPatch) -> Lab:
    """A copy of that, with this process in the laptop's clone."""

    def git(command: str, cwd: Path, **variables: str) -> str:
        return shell(command, cwd, **variables).stdout.strip()

    shutil.copytree(made_labs, tmp_path, symlinks=True, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path / "laptop")
    return Lab(tmp_path / "origin", tmp_path / "laptop", tmp_path / "other", git)
