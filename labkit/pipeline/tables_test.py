"""Metrics and tables of plots in Git: what goes there, and what of it a clone without data believes."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from labkit.dvc_adapter.repository import open_project
from labkit.dvc_adapter.results import metrics_of
from labkit.dvc_adapter.tables import MOST_BYTES
from labkit.git_cli import GitError, git
from labkit.pipeline.tables import stale_tables, take_branchs_tables, write_tables
from labkit.testing.fixtures import Shell

pytestmark = pytest.mark.integration

DVC_YAML = r"""
stages:
  train:
    cmd: >-
      mkdir -p models pictures && echo '{"loss": 0.5}' > models/a.json && echo '{"loss": 0.25}' > models/b.json
      && printf 'n,loss\r\n1,0.5\r\n' > curve.csv && echo 1 | tee curve.png secret.csv > pictures/a.jpg
      && head -c 300000 /dev/zero > large.csv && echo weights > weights
    outs: [weights]
    metrics: [models]
    plots: [curve.csv, curve.png, pictures, large.csv, secret.csv: {push: false}]
"""
KEPT = ["lab/results/curve.csv", "lab/results/models/a.json", "lab/results/models/b.json"]


@pytest.fixture
def clone(tmp_path: Path, shell: Shell, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A clone without data of a project with results; the working folder."""
    project = tmp_path / "project"
    project.mkdir()
    (project / "dvc.yaml").write_text(DVC_YAML)
    (project / ".gitattributes").write_text("* text=auto eol=lf\nlab/results/** -text merge=union\n")
    shell("git init --quiet --initial-branch main && dvc init --quiet && dvc repro --quiet", project)
    monkeypatch.chdir(project)
    assert sorted(write_tables()) == KEPT
    shell("git add --all && git commit --quiet --no-verify -m results", project)
    shell(f"git clone --quiet {project} clone", tmp_path)
    monkeypatch.chdir(tmp_path / "clone")
    return tmp_path / "clone"


def metrics(rev: str) -> dict[str, object]:
    with open_project() as project:
        return metrics_of(project, rev)


def test_a_clone_has_the_small_results_byte_for_byte_and_no_others(clone: Path) -> None:
    assert MOST_BYTES < 300_000
    assert sorted(git("ls-files", "lab/results").splitlines()) == KEPT
    take_branchs_tables("HEAD")
    assert metrics("HEAD") == {"models/a.json": {"loss": 0.5}, "models/b.json": {"loss": 0.25}}
    assert Path("curve.csv").read_bytes() == b"n,loss\r\n1,0.5\r\n"
    assert not Path("weights").exists()
    assert git("status", "--porcelain") == ""


@pytest.mark.parametrize("change", ['{"loss": 0.1}\n', '{"loss": 0.5}\n{"loss": 0.1}\n', ""])
def test_what_is_not_as_dvc_lock_recorded_it_is_not_believed(clone: Path, shell: Shell, change: str) -> None:
    Path(KEPT[1]).write_text(change)
    shell("git commit --quiet --all --no-verify -m better", clone)
    take_branchs_tables("HEAD")
    assert not Path("models").exists()
    assert Path("curve.csv").exists()


def test_after_other_data_a_new_lab_compares_with_the_results_that_it_began_with(clone: Path, shell: Shell) -> None:
    Path("dvc.yaml").write_text(DVC_YAML.replace("0.25", "0.2"))
    shell("dvc repro --quiet", clone)
    compared = json.loads(shell("dvc metrics diff --json", clone).stdout)
    assert compared["models/b.json"] == {"loss": {"old": None, "new": 0.2}}
    write_tables()
    compared = json.loads(shell("dvc metrics diff --json", clone).stdout)
    assert compared == {"models/b.json": {"loss": {"old": 0.25, "new": 0.2, "diff": pytest.approx(-0.05)}}}


def test_files_that_are_here_already_stay(clone: Path) -> None:
    Path("models").mkdir()
    Path("models/a.json").write_text("mine")
    take_branchs_tables("HEAD")
    assert Path("models/a.json").read_text() == "mine"


def test_tables_are_written_anew_whole(clone: Path) -> None:
    shutil.rmtree(".dvc/cache", ignore_errors=True)  # nothing was pulled: HEAD has them
    Path("lab/results/gone.json").write_text("of a stage that is no more")
    git("add", "lab/results/gone.json")
    Path("lab/results/mine.txt").write_text("Git could not bring it back")
    shutil.rmtree("lab/results/models")
    assert sorted(write_tables()) == KEPT
    assert not Path("lab/results/gone.json").exists()
    assert Path("lab/results/mine.txt").exists()


@pytest.mark.parametrize(
    ("spoil", "stale"),
    [
        (lambda: Path(KEPT[0]).write_text("n,loss\n1,0.1\n"), KEPT[:1]),
        (lambda: Path(KEPT[1]).write_text('{"loss": 0.1}\n'), ["lab/results/models"]),
        (lambda: Path(KEPT[1]).unlink(), ["lab/results/models"]),
        (lambda: shutil.copy(KEPT[0], "lab/results/gone.csv"), ["lab/results/gone.csv"]),
        (lambda: shutil.rmtree("lab/results"), []),  # no copies are kept
    ],
)
def test_copies_that_are_not_those_of_dvc_lock_are_told(
    clone: Path, spoil: Callable[[], object], stale: list[str]
) -> None:
    shutil.rmtree(".dvc/cache", ignore_errors=True)  # which nothing here needs
    assert stale_tables() == []
    spoil()
    git("add", "--all")
    assert stale_tables() == stale
    if stale:
        write_tables()
        git("add", "lab/results")
        assert stale_tables() == []
        assert git("status", "--porcelain") == ""


def test_without_a_dvc_lock_no_copy_is_of_a_result(clone: Path) -> None:
    Path("dvc.lock").unlink()
    assert stale_tables() == KEPT


def test_a_base_that_is_not_there_is_an_error(clone: Path) -> None:
    with pytest.raises(GitError, match="nowhere"):
        take_branchs_tables("nowhere")
