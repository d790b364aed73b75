import json
import re
import signal
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from time import sleep
from typing import Any

import optuna
import psutil
import pytest
from optuna.distributions import FloatDistribution

from labkit.pipeline.leaderboard import Leaderboard
from labkit.process.errors import InputError
from labkit.sweep import run
from labkit.sweep.space import Space
from labkit.sweep.trial import Score, TrialError, rounded
from labkit.terminal import PlainConsole
from labkit.testing.fixtures import Shell
from labkit.testing.mlflow_store import mlflow_client

BOARD = Leaderboard("dvc.yaml", Path("models.csv"), Path("selected.json"))
SPACE: Space = {"lr": FloatDistribution(0.0, 1.0)}

TRAIN = """
import json, os, time, yaml
if place := os.environ.get("LAB_TEST_HANG"):
    with open(place, "w") as file:
        file.write(str(os.getpid()))
    time.sleep(600)
with open("params.yaml") as file:
    lr = yaml.safe_load(file)["training"]["lr"]
if lr > 0.006:  # one of the first three
    raise SystemExit("error: it diverged")
with open("models.csv", "w") as table:
    table.write(f"model,loss\\nnet,{lr}\\nbaseline,1.0\\n")
with open("selected.json", "w") as file:
    json.dump({"selected": "net", "metric": "loss", "test": {"loss": 9.0}}, file)
"""
DVC_YAML = """
stages:
  train:
    cmd: python train.py
    deps: [train.py]
    params: [training.lr]
    outs: [models.csv, selected.json]
    meta: {leaderboard: {models: models.csv, selected: selected.json}}
"""


@pytest.fixture
def search(monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[dict[str, Any]]]:
    """Search for a small `lr`, without a pipeline. What was tried, in order."""
    tried: dict[str, dict[str, float]] = {}

    def run_trial(name: str, values: dict[str, float]) -> None:
        tried[name] = values
        if values["lr"] > 0.9:
            raise TrialError("it diverged")

    monkeypatch.setattr(run, "run_trial", run_trial)
    monkeypatch.setattr(run, "experiment_commit", lambda name: name)
    monkeypatch.setattr(run, "score_of", lambda name, *_: Score("net", "loss", tried[name]["lr"], True))

    def search(study: optuna.Study, trials: int, jobs: int = 1) -> list[dict[str, Any]]:
        def tell(trial: optuna.Trial, error: BaseException | None) -> None:
            run._tell(study, BOARD, None, PlainConsole(quiet=True), trial, error)

        run._search(study, SPACE, trials, jobs, tell)
        return [trial.params for trial in study.trials]

    return search


@pytest.mark.unittest
def test_ended_and_begun_again_a_sweep_tries_the_same(search: Callable[..., list[dict[str, Any]]]) -> None:
    at_once = search(optuna.create_study(), 15)
    study = optuna.create_study()
    search(study, 4)
    assert search(study, 15) == at_once
    assert search(study, 15) == at_once  # there are so many
    assert any(trial.user_attrs.get(run.FAILURE) == "it diverged" for trial in study.trials)
    assert min(lr["lr"] for lr in at_once[10:]) < min(lr["lr"] for lr in at_once[:10])  # it has learned


@pytest.mark.unittest
def test_the_largest_is_the_best_where_more_is_better(
    search: Callable[..., list[dict[str, Any]]], monkeypatch: pytest.MonkeyPatch
) -> None:
    tried: list[dict[str, Any]] = []
    monkeypatch.setattr(run, "run_trial", lambda _, values: tried.append(values))
    monkeypatch.setattr(run, "score_of", lambda *_: Score("net", "auc", tried[-1]["lr"], False))
    study = optuna.create_study()
    search(study, 6)
    assert rounded(study.best_trial.params)["lr"] == max(one["lr"] for one in tried)


@pytest.mark.unittest
def test_two_at_a_time_are_no_more_trials(search: Callable[..., list[dict[str, Any]]]) -> None:
    assert len(search(optuna.create_study(), 5, jobs=2)) == 5


@pytest.mark.unittest
def test_what_was_interrupted_is_tried_again_and_the_rest_is_as_it_would_have_been(
    search: Callable[..., list[dict[str, Any]]], monkeypatch: pytest.MonkeyPatch
) -> None:
    at_once = search(optuna.create_study(), 12)
    study = optuna.create_study()
    search(study, 2)
    with monkeypatch.context() as ended:
        ended.setattr(run, "wait", interrupt)
        with pytest.raises(KeyboardInterrupt):
            search(study, 12)
    run._repeat_interrupted(study)
    assert search(study, 12) == [*at_once[:3], *at_once[2:]]
    assert len(run._ended(study)) == 12


def interrupt(*_: Any, **__: Any) -> None:
    raise KeyboardInterrupt


@pytest.mark.unittest
def test_the_first_trials_are_not_all_at_one_place(search: Callable[..., list[dict[str, Any]]]) -> None:
    rates = [one["lr"] for one in search(optuna.create_study(), 4)]
    assert max(rates) - min(rates) > 0.5


@pytest.mark.unittest
def test_trials_that_are_compared_by_other_metrics_are_refused(
    search: Callable[..., list[dict[str, Any]]], monkeypatch: pytest.MonkeyPatch
) -> None:
    metrics = iter(["loss", "f1"])
    monkeypatch.setattr(run, "score_of", lambda *_: Score("net", next(metrics), 0.5, True))
    with pytest.raises(InputError, match="compared by f1, and others of this sweep by loss"):
        search(optuna.create_study(), 2)


@pytest.fixture(scope="module")
def lab(new_lab: Callable[[], Path], shell: Shell) -> Path:
    """A copy of this repository whose pipeline is one small stage, which fails where lr is large."""
    lab = new_lab()
    (lab / "train.py").write_text(TRAIN, encoding="utf-8")
    (lab / "dvc.yaml").write_text(DVC_YAML, encoding="utf-8")
    shell("git rm --quiet -r --cached dvc.lock lab/results; rm -rf dvc.lock lab/results", lab, check=False)
    shell("printf '/models.csv\\n/selected.json\\n' >> .gitignore", lab)
    shell("git add --all && git commit --quiet --no-verify -m sweep", lab)
    return lab


@pytest.mark.nightly
@pytest.mark.integration
def test_each_trial_is_an_experiment_and_a_run_and_the_best_is_applied(lab: Path, shell: Shell) -> None:
    command = "python -m lab sweep training.lr=0.001..1.0 --jobs 2 --trials"
    said = shell(f"{command} 2", lab, COLUMNS="200").stdout
    said += shell(f"{command} 3", lab, COLUMNS="200").stdout
    numbers = [int(number) for number in re.findall(r"^trial (\d+):", said, re.M)]
    assert sorted(numbers) == [0, 1, 2]
    assert "failed: " in said
    assert "error: it diverged" in said

    rates = [float(lr) for lr in re.findall(r"trial \d+: training\.lr=([\d.e-]+): net", said)]
    assert shell("git diff --stat", lab).stdout == ""  # nothing here was touched
    said = shell(f"{command} 3 --apply", lab).stdout
    assert re.findall(r"params.yaml has the values of trial \d", said)
    assert shell("git diff --numstat", lab).stdout == "1\t1\tparams.yaml\n"
    assert f"lr: {min(rates)}  " in (lab / "params.yaml").read_text(encoding="utf-8")
    assert "Stage 'train' is cached - skipping run" in shell("dvc repro", lab).stdout
    assert json.loads((lab / "selected.json").read_text(encoding="utf-8"))["selected"] == "net"
    shell("git checkout --quiet params.yaml", lab)

    runs = mlflow_client(lab / "mlflow.db").search_runs(["1"])
    (whole,) = [one for one in runs if one.data.tags.get("lab.trial") == "all"]
    nested = [one for one in runs if one.data.tags.get("mlflow.parentRunId") == whole.info.run_id]
    assert len(nested) == 3
    finished = [one for one in nested if one.info.status == "FINISHED"]
    assert {round(one.data.metrics["loss"], 6) for one in finished} <= {
        round(float(one.data.params["training.lr"]), 6) for one in finished
    }


@pytest.mark.integration
def test_bad_input_is_refused_in_one_line(lab: Path, shell: Shell) -> None:
    refused = shell("python -m lab sweep training.lr=-1..1", lab, check=False)
    assert refused.returncode == 1
    assert "error: training.lr=-1..1: params.yaml: training.lr is -1: " in refused.stderr
    assert "Traceback" not in refused.stderr
    (lab / "models.csv").write_text("model,loss\nnet,0.1\nbaseline,1\n")
    refused = shell("python -m lab sweep training.lr=0.1..0.9 --model tree", lab, check=False)
    assert refused.stderr == "error: --model tree: models.csv has no such row; it has net, baseline\n"
    (lab / "models.csv").unlink()


@pytest.mark.nightly
@pytest.mark.integration
def test_a_request_to_end_ends_the_trials(lab: Path, tmp_path: Path, environment: dict[str, str]) -> None:
    command = [sys.executable, "-m", "lab", "sweep", "training.lr=0.001..0.002", "--trials", "1"]
    environment = environment | {"LAB_TEST_HANG": str(tmp_path / "pid")}
    signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGINT])
    with subprocess.Popen(command, cwd=lab, env=environment) as sweep:
        while not ((tmp_path / "pid").exists() and (tmp_path / "pid").read_text()):
            assert sweep.poll() is None
            sleep(0.1)
        training = psutil.Process(int((tmp_path / "pid").read_text()))
        sweep.send_signal(signal.SIGTERM)
        sweep.wait(60)
    assert sweep.returncode
    with suppress(psutil.NoSuchProcess):
        training.wait(10)  # raises if it goes on
