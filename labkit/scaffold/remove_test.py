"""A process goes with all that is its own, or stays whole."""

import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from labkit.pipeline.dependencies import faults
from labkit.process.errors import InputError
from labkit.scaffold import remove
from labkit.testing.fixtures import Shell

REMOVE = f"{sys.executable} -m lab remove-process"


@pytest.fixture(scope="module")
def template(new_lab: Callable[[], Path], shell: Shell) -> Path:
    """A copy of this repository with a process more, in the last commit."""
    lab = new_lab()
    shell(f"{sys.executable} -m lab new-process describe_data", lab)
    shell("dvc repro prepare_data describe_data && git add --all && git commit --quiet --no-verify --message more", lab)
    return lab


@pytest.fixture
def lab(template: Path, tmp_path: Path) -> Path:
    no_runs = shutil.ignore_patterns("mlflow.db*", "mlartifacts", ".lab")  # which a tracker may still be writing
    return shutil.copytree(template, tmp_path / "lab", symlinks=True, ignore=no_runs)


@pytest.mark.nightly  # empty_lab_test.py removes all of them each time
@pytest.mark.integration
def test_nothing_of_a_process_is_left_but_in_its_commits(lab: Path, shell: Shell) -> None:
    assert (lab / "artifacts/describe_data").exists()
    shell(f"{REMOVE} describe_data", lab)
    assert shell("git diff --name-only HEAD~1", lab).stdout.split() == ["dvc.lock"]  # of prepare_data, which has run
    assert "describe_data" not in (lab / "dvc.lock").read_text(encoding="utf-8")
    assert not (lab / "lab/processes/describe_data").exists()
    assert not (lab / "artifacts/describe_data").exists()
    assert (lab / "data/processed/dataset.json").exists()
    assert faults(lab) == []
    shell("python -m labkit.process.params && dvc status", lab)


@pytest.mark.integration
def test_what_another_stage_reads_is_not_removed(lab: Path, shell: Shell) -> None:
    refused = shell(f"{REMOVE} prepare_data", lab, check=False)
    assert refused.returncode == 1
    assert refused.stderr.startswith("error: dvc.yaml: stages.train_standard_classifiers reads data/processed")
    assert shell("git status --porcelain", lab).stdout == ""


@pytest.mark.integration
@pytest.mark.nightly
def test_models_go_as_long_as_some_are_left_to_select_among(lab: Path, shell: Shell) -> None:
    said = shell(f"{REMOVE} train_dnn_pytorch", lab).stdout
    assert "no process uses lib/pytorch.py and torch of the Pipfile any more: yours to keep or to remove" in said
    assert "pytorch" not in (lab / "dvc.yaml").read_text(encoding="utf-8")
    assert faults(lab) == []
    refused = shell(f"{REMOVE} train_standard_classifiers", lab, check=False)
    assert "stages.select_best_model reads artifacts/train_standard_classifiers/metrics" in refused.stderr


@pytest.mark.integration
def test_code_that_was_never_committed_is_kept(lab: Path, shell: Shell) -> None:
    folder = lab / "lab/processes/own"
    folder.mkdir()
    for name, text in {"main.py": "print('hours of work')\n", "Pipfile": "[packages]\n"}.items():
        (folder / name).write_text(text)
    said = shell(f"{REMOVE} own", lab).stdout
    kept = said.splitlines()[0].rpartition(" is kept in ")[2]
    assert kept.startswith(".lab/removed/own-")
    assert (lab / kept / "main.py").read_text() == "print('hours of work')\n"
    assert not folder.exists()
    assert shell("git status --porcelain", lab).stdout == ""


@pytest.mark.integration
@pytest.mark.parametrize("name", ["describe", "''", "../processes"])
def test_an_unknown_process_is_told_which_there_are(lab: Path, shell: Shell, name: str) -> None:
    refused = shell(f"{REMOVE} {name}", lab, check=False)
    assert "there are: describe_data, prepare_data" in refused.stderr
    assert shell("git status --porcelain", lab).stdout == ""


@pytest.mark.integration
def test_what_is_not_committed_of_a_process_is_not_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, shell: Shell
) -> None:
    monkeypatch.setattr(remove, "ROOT", tmp_path)
    folder = tmp_path / "lab/processes/own"
    folder.mkdir(parents=True)
    (folder / "main.py").write_text("1\n")
    shell("git init --quiet", tmp_path)
    remove.refuse_if_uncommitted("own")  # Git has nothing of it: it is set aside
    shell("git add --all && git commit --quiet --no-verify --message own", tmp_path)
    remove.refuse_if_uncommitted("own")
    (folder / "notes.md").write_text("hours of work\n")
    with pytest.raises(InputError, match=r"lab/processes/own/notes\.md: not committed, and would be lost"):
        remove.refuse_if_uncommitted("own")


@pytest.mark.unittest
def test_what_lies_outside_of_the_lab_or_beside_is_not_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lab, data = tmp_path / "lab", tmp_path / "data"
    monkeypatch.setattr(remove, "ROOT", lab)
    kept = [data / "table.csv", lab / "artifacts/other/model"]
    for file in (*kept, lab / "artifacts/own/model", lab / "alone/table.json"):
        file.parent.mkdir(parents=True)
        file.touch()
    (lab / "link").symlink_to(data)
    for place in (
        "../data/table.csv",
        "../data",
        "link",
        "link/table.csv",
        "artifacts/own",
        "alone/table.json",
        "none",
    ):
        remove.remove_place(lab / place)
    assert all(file.exists() for file in kept)
    assert sorted(path.name for path in lab.iterdir()) == ["artifacts", "link"]
    assert [path.name for path in (lab / "artifacts").iterdir()] == ["other"]


@pytest.mark.unittest
def test_a_text_that_is_no_yaml_any_more_is_refused() -> None:
    remove.refuse_if_broken({Path("dvc.yaml"): "stages: {}"})
    with pytest.raises(InputError, match=r"dvc\.yaml would not be YAML any more .* take out by hand what uses it"):
        remove.refuse_if_broken({Path("dvc.yaml"): "stages: {"})
