"""What `make run` says where it can't run, and of goals that are reached."""

import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from labkit import run
from labkit.launch import environments
from labkit.launch.kernels import Choice
from labkit.process.errors import InputError
from labkit.process.files import write_json
from labkit.report.tables import print_summary
from labkit.run import are_committed, send_runs
from labkit.terminal import PlainConsole
from labkit.testing.fixtures import Shell

HERE = f"{sys.executable} -m lab"


@pytest.fixture(scope="module")
def template(new_lab: Callable[[], Path]) -> Path:
    """A copy of this repository."""
    return new_lab()


@pytest.fixture
def lab(template: Path, tmp_path: Path) -> Path:
    """A lab to spoil."""
    return shutil.copytree(template, tmp_path / "lab", symlinks=True)


@pytest.mark.integration
@pytest.mark.parametrize("command", [f"{HERE} run", "make run", "make test"])
def test_without_a_git_repository_nothing_is_installed_or_run(lab: Path, shell: Shell, command: str) -> None:
    shutil.rmtree(lab / ".git")
    refused = shell(command, lab, check=False)
    assert refused.returncode
    assert refused.stdout == ""
    assert "clone the lab instead of downloading it" in refused.stderr
    assert "Traceback" not in refused.stderr
    assert not (lab / ".venv").exists()


@pytest.mark.integration
def test_results_are_called_committed_only_if_the_commit_has_their_very_dvc_lock(
    lab: Path, shell: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(lab)
    (lab / "dvc.lock").write_text("stages: {one: {cmd: one, outs: [{path: a, md5: 1a}]}}")
    shell("git add --all; git commit --quiet --no-verify --allow-empty -m all", lab)
    assert are_committed()
    shell("git update-index --assume-unchanged dvc.lock && sed -i 's/1a/1b/' dvc.lock", lab)
    assert not shell("git status --porcelain", lab).stdout
    assert not are_committed()


@pytest.mark.integration
def test_it_runs_from_any_folder(lab: Path, shell: Shell) -> None:
    (lab / "params.yaml").write_text("project: {name: 3}\n", encoding="utf-8")
    refused = shell(f"{HERE} run", lab / "lib", check=False, PYTHONPATH=str(lab))
    assert refused.stderr.startswith("error: params.yaml: project.name is 3")


@pytest.mark.integration
@pytest.mark.parametrize("verb", ["run", "status"])
def test_an_output_that_dvc_would_keep_no_copy_of_is_refused(lab: Path, shell: Shell, verb: str) -> None:
    pipeline = (lab / "dvc.yaml").read_text(encoding="utf-8")
    uncached = pipeline.replace("- data/processed\n", "- data/processed: {cache: false}\n", 1)  # as an output
    (lab / "dvc.yaml").write_text(uncached, encoding="utf-8")
    refused = shell(f"{HERE} {verb}", lab, check=False)
    assert refused.returncode == 1
    assert refused.stderr.startswith("error: dvc.yaml: stages.prepare_data.outs: write `- data/processed` alone: ")


@pytest.mark.integration
@pytest.mark.parametrize("lost", ["typer", "rich", "yaml"])
def test_a_damaged_environment_is_one_line_with_the_remedy(lab: Path, shell: Shell, lost: str) -> None:
    shell(f"echo 'import {lost}_is_lost' > {lost}.py", lab)
    refused = shell(f"{HERE} run", lab, check=False)
    remedy = "make the lab's environment again: `rm -rf .venv && make setup`"
    assert refused.stderr == f"error: {sys.executable} has no {lost}_is_lost; {remedy}\n"


@pytest.mark.integration
def test_a_mistake_in_the_code_keeps_its_traceback(lab: Path, shell: Shell) -> None:
    shell("echo 'import lab.nothing' > labkit/run.py", lab)
    assert "Traceback" in shell(f"{HERE} run", lab, check=False).stderr


@pytest.mark.integration
def test_an_environment_without_its_interpreter_is_made_anew(lab: Path, shell: Shell) -> None:
    """With stand-ins for the interpreters: what is installed and how long that takes is not the question."""
    make_venv = 'case "$*" in *--clear*) rm -rf .venv; mkdir -p .venv/bin; cp $0 .venv/bin/python;; esac'
    python = f"#!/bin/sh\necho $* >> $MADE\n{make_venv}\n"
    (lab.parent / "python").write_text(python, encoding="utf-8")
    (lab.parent / "python").chmod(0o755)
    made = lab.parent / "made.txt"
    make = f"make setup CI=1 PYTHON={lab.parent / 'python'}"
    assert "installing into .venv" in shell(make, lab, MADE=str(made)).stdout
    steps = made.read_text(encoding="utf-8").splitlines()
    assert steps[0].startswith("-c import sys;")  # whether it is the Python that the locks are for
    modules = ["-m venv", "-m pip", "-m labkit.launch.environments"]
    assert [" ".join(step.split()[:2]) for step in steps[1:]] == modules
    assert shell(make, lab, MADE=str(made)).stdout.endswith("Nothing to be done for 'setup'.\n")
    (lab / ".venv/bin/python").unlink()
    (lab / ".venv/bin/python").symlink_to("/nowhere")
    shell(make, lab, MADE=str(made))
    assert made.read_text(encoding="utf-8").splitlines() == steps * 2


@pytest.mark.unittest
def test_a_process_whose_device_is_missing_is_refused_before_an_environment_is_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)  # back from where it goes
    (tmp_path / "train").mkdir()
    (tmp_path / "train/params.py").touch()

    def refuse(process: str, choice: Choice) -> None:
        raise InputError(f"{process} {choice.device}")

    monkeypatch.setattr(run, "declared_stages", lambda: ["train"])
    monkeypatch.setattr(run, "PROCESSES", tmp_path)
    monkeypatch.setattr(run, "chosen", lambda process: Choice("portable", "cuda"))
    monkeypatch.setattr(run, "refuse_missing_device", refuse)
    monkeypatch.setattr(environments, "make_all", lambda: pytest.fail("an environment is made"))
    with pytest.raises(InputError, match=r"^train cuda$"):
        run.run_pipeline()


@pytest.mark.unittest
def test_once_mlflow_has_the_runs_that_of_the_data_is_told_how_these_differ(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[str, str]] = []
    pending = [(Path("journal"), "no answer")]

    def tag_drift(execution: str, commit: str) -> str:
        asked.append((execution, commit))
        return "no [store]"

    monkeypatch.setattr(run, "deliver", lambda seconds: pending)
    monkeypatch.setattr(run, "results_here", list)
    monkeypatch.setattr(run, "shown_in_mlflow", lambda results, ask_remote: [])
    monkeypatch.setattr(run, "tag_drift", tag_drift)
    with (console := PlainConsole(width=200)).capture() as shown:
        send_runs(console, "execution", is_news=False)
        send_runs(console, "execution", is_news=True)
        assert asked == []
        pending.clear()
        send_runs(console, "execution", is_news=True)
    assert asked == [("execution", "HEAD")]
    assert "not in MLflow yet: no [store]" in shown.get()


@pytest.mark.unittest
@pytest.mark.parametrize(("accuracy", "word"), [(0.9, "ambition"), (0.96, "reached")])
def test_an_ambition_that_is_reached_is_to_be_held(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, accuracy: float, word: str
) -> None:
    monkeypatch.chdir(tmp_path)
    write_json("metrics.json", {"test": {"accuracy": accuracy}})
    goal = "- {goal: it is good, file: metrics.json, metric: test.accuracy, at_least: 0.95"
    Path("goals").mkdir()
    Path("goals/goals.yaml").write_text(f"{goal}, ambition: true}}\n", encoding="utf-8")
    with (console := PlainConsole(width=200)).capture() as shown:
        print_summary(console)
    assert word in shown.get()
    remedy = "Reached: it is good. Remove `ambition: true` from goals/goals.yaml, so that it stays.\n"
    assert (remedy in shown.get()) == (word == "reached")
