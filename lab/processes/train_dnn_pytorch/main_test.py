import csv
import json
import os
import pty
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lab.processes.train_dnn_pytorch.checkpoint import CHECKPOINTS
from lab.processes.train_dnn_pytorch.main import OUTPUT
from labkit.process.files import read_json, write_json
from labkit.process.params import PARAMS_FILE
from labkit.process.run_file import RUN_FILE_VARIABLE
from labkit.process.tracking import JOURNAL_VARIABLE
from labkit.testing.example_lab import example_params, write_yaml
from lib.data_splits import DIR_PROCESSED, ArraySplits, Fold, load_data_splits, save_data_splits, save_folds
from lib.metrics import classification_metrics
from lib.pytorch import load_network, predict

pytestmark = pytest.mark.integration

ROOT = Path(__file__).parents[3]
MAIN = "lab.processes.train_dnn_pytorch.main"
# The real main, with a checkpoint after every epoch.
EAGER = f"import {MAIN} as m; m.CHECKPOINT_SECONDS = 0; m.run_process(m.main)"
JOURNAL = "journal.jsonl"
TOLD = {RUN_FILE_VARIABLE: f"{OUTPUT}/run.json"}
TRAINING = {
    "device": "cpu",
    "kernels": "portable",
    "seed": 7,
    "hidden_layers": [16, 8],
    "dropout": 0.1,
    "lr": 0.01,
    "weight_decay": 1e-4,
    "batch_size": 30,
}
TORCHRUN = ("-m", "torch.distributed.run", "--standalone", "--local-addr=127.0.0.1", "--nproc-per-node=2")


def make_workspace(folder: Path, n_train: int, **training: Any) -> Path:
    """A folder with all that main reads: overlapping clouds of three classes, and TRAINING changed by `training`."""
    params = example_params(ROOT)
    params["training"] = TRAINING | training
    random = np.random.default_rng(0)
    y = [random.integers(0, 3, n) for n in (n_train, 60, 60)]
    X = [(random.normal(size=(len(part), 4)) + part[:, None]).astype(np.float32) for part in y]
    save_data_splits(ArraySplits(X[0], X[1], X[2], y[0], y[1], y[2]), folder / DIR_PROCESSED)
    dataset = {"target": "kind", "features": ["a", "b", "c", "d"], "classes": ["x", "y", "z"]}
    write_json(folder / DIR_PROCESSED / "dataset.json", dataset)
    write_yaml(folder / PARAMS_FILE, params)
    (folder / JOURNAL).touch()
    return folder


def start(folder: Path, *arguments: str, environment: Mapping[str, str] = {}) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, *arguments],
        cwd=folder,
        env={**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT), **TOLD, **environment},
        stdout=subprocess.PIPE,
        text=True,
    )


def finish(process: subprocess.Popen[str]) -> str:
    """What it prints until its end, which must be a good one."""
    printed, _ = process.communicate()
    assert process.returncode == 0, printed
    return printed


def kill_after_lines(process: subprocess.Popen[str], lines: int) -> None:
    """End it, as a machine's end would, once it has printed so many more lines."""
    assert process.stdout is not None
    with process.stdout:
        for _ in range(lines):
            assert process.stdout.readline()
        process.kill()
    assert process.wait() == -signal.SIGKILL, "it was done before it could be killed"


def outputs(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in (folder / OUTPUT).rglob("*") if path.is_file()}


def history(folder: Path) -> dict[str, list[float]]:
    with (folder / OUTPUT / "training_history.csv").open(encoding="utf-8") as file:
        names, *rows = csv.reader(file)
    return {
        name: [float(value) for value in column] for name, column in zip(names, zip(*rows, strict=True), strict=True)
    }


def logged(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / JOURNAL).read_text(encoding="utf-8").splitlines()]


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace where main has run once."""
    folder = make_workspace(tmp_path_factory.mktemp("dnn"), n_train=200, epochs=12)
    finish(start(folder, "-m", MAIN, environment={JOURNAL_VARIABLE: JOURNAL}))
    return folder


def test_the_metrics_are_those_of_the_written_network(workspace: Path) -> None:
    splits = load_data_splits(workspace / DIR_PROCESSED)
    metrics = read_json(workspace / OUTPUT / "metrics" / "densenet.json")

    probabilities = predict(load_network(workspace / OUTPUT / "models" / "densenet.pt"), splits.X_val)

    assert metrics.pop("training_rows") == 200
    assert metrics.pop("rows") == len(splits.y_val)
    assert metrics == pytest.approx(classification_metrics(splits.y_val, probabilities))
    assert metrics["log_loss"] == pytest.approx(min(history(workspace)["validation_loss"]))


@pytest.mark.nightly
def test_a_fold_is_measured_as_a_network_would_be_that_is_trained_on_its_rows_alone(tmp_path: Path) -> None:
    folder = make_workspace(tmp_path / "folds", n_train=150, epochs=4)
    splits = load_data_splits(folder / DIR_PROCESSED)
    X, y = np.concatenate([splits.X_train, splits.X_val]), np.concatenate([splits.y_train, splits.y_val])
    folds = []
    for held_out in (slice(0, 70), slice(70, 140), slice(140, None)):
        kept = np.ones(len(y), dtype=bool)
        kept[held_out] = False
        stops = np.arange(kept.sum()) % 5 == 0
        folds.append(Fold(X[kept], y[kept], stops, X[~kept], y[~kept]))
    save_folds(folds, folder / DIR_PROCESSED)
    said = finish(start(folder, "-m", MAIN))
    assert [line for line in said.splitlines() if line.startswith("fold")] == [f"fold {n} of 3" for n in (1, 2, 3)]
    measured = read_json(folder / OUTPUT / "metrics" / "densenet.json")["cross_validation"]["log_loss"]["folds"]
    assert len(measured) == 3

    alone, fold = make_workspace(tmp_path / "alone", n_train=150, epochs=4), folds[1]
    parts = fold.X_train[~fold.stops], fold.X_train[fold.stops], fold.X_val
    labels = fold.y_train[~fold.stops], fold.y_train[fold.stops], fold.y_val
    save_data_splits(ArraySplits(*parts, *labels), alone / DIR_PROCESSED)
    finish(start(alone, "-m", MAIN))
    network = load_network(alone / OUTPUT / "models" / "densenet.pt")
    by_hand = classification_metrics(fold.y_val, predict(network, fold.X_val))["log_loss"]
    assert measured[1] == pytest.approx(by_hand)
    assert measured[0] != pytest.approx(by_hand)


def test_the_run_has_every_epoch_and_then_the_written_network(workspace: Path) -> None:
    columns = history(workspace)
    metrics = read_json(workspace / OUTPUT / "metrics" / "densenet.json")
    events = logged(workspace)

    values = {
        (event["step"], *item) for event in events if event["event"] == "metrics" for item in event["metrics"].items()
    }
    for name, column in columns.items():
        assert name == "epoch" or {(step, f"epoch_{name}", value) for step, value in enumerate(column, 1)} <= values
    assert {(13, f"validation_{name}", metrics[name]) for name in metrics.keys() - {"rows", "training_rows"}} <= values
    assert {step for step, name, _ in values if name == "samples_per_second"} == set(range(1, 13))


def test_the_run_has_what_was_written(workspace: Path) -> None:
    artifacts = {event["target"] for event in logged(workspace) if event["event"] == "artifact"}

    assert artifacts == {"densenet.pt", "training_history.csv", "training_history.png", "predictions.png"}


def test_other_threads_and_another_hash_seed_give_the_same_bytes(workspace: Path) -> None:
    before = outputs(workspace)

    finish(start(workspace, "-m", MAIN, environment={"OMP_NUM_THREADS": "2", "PYTHONHASHSEED": "1"}))

    assert outputs(workspace) == before


def test_a_training_that_was_killed_twice_ends_with_the_bytes_of_one_that_was_not(tmp_path: Path) -> None:
    settings: dict[str, Any] = {"n_train": 300, "batch_size": 5, "epochs": 20}
    undisturbed = make_workspace(tmp_path / "undisturbed", **settings)
    finish(start(undisturbed, "-m", MAIN))
    killed = make_workspace(tmp_path / "killed", **settings)

    kill_after_lines(start(killed, "-c", EAGER), lines=1)
    kill_after_lines(start(killed, "-c", EAGER), lines=3)
    printed = finish(start(killed, "-c", EAGER, environment={JOURNAL_VARIABLE: JOURNAL}))

    assert printed.startswith("going on after epoch ")
    assert outputs(killed) == outputs(undisturbed)
    steps = [event["step"] for event in logged(killed) if "epoch_training_loss" in event.get("metrics", {})]
    assert steps == list(range(1, 21))
    assert list((killed / CHECKPOINTS).glob("*.pt")) == []


# 50 rows in batches of 7: uneven shares, and in the last batch one row, for one process alone. Adam does not mind
# gradients of another scale, but how they compare with a large weight decay.
UNEVEN: dict[str, Any] = {"n_train": 50, "batch_size": 7, "epochs": 6, "dropout": 0.0, "weight_decay": 0.1}


@pytest.mark.nightly
def test_two_processes_train_together_as_one_would(tmp_path: Path) -> None:
    alone, together = (make_workspace(tmp_path / name, **UNEVEN) for name in ("alone", "together"))
    finish(start(alone, "-m", MAIN))

    printed = finish(start(together, *TORCHRUN, "-m", MAIN))

    assert outputs(together).keys() == outputs(alone).keys()
    assert printed.count("best epoch") == 1
    for name, column in history(alone).items():
        assert history(together)[name] == pytest.approx(column, rel=1e-3), name


@pytest.mark.nightly
def test_two_processes_train_together_to_the_same_bytes_each_time(tmp_path: Path) -> None:
    first, again = (make_workspace(tmp_path / name, **UNEVEN) for name in ("first", "again"))

    for processes in [start(folder, *TORCHRUN, "-m", MAIN) for folder in (first, again)]:
        finish(processes)

    assert outputs(first) == outputs(again)


def test_cuda_on_a_machine_without_it_is_refused_in_one_line_before_anything_is_trained(tmp_path: Path) -> None:
    folder = make_workspace(tmp_path, n_train=50, epochs=2, device="cuda")

    done = subprocess.run(
        [sys.executable, "-m", MAIN],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT), "CUDA_VISIBLE_DEVICES": "", JOURNAL_VARIABLE: JOURNAL},
        capture_output=True,
        text=True,
    )

    assert done.returncode == 1
    assert done.stderr.startswith("error: params.yaml: training.device is cuda, but torch ")
    assert done.stderr.count("\n") == 1
    assert done.stdout == ""
    assert not (folder / OUTPUT).exists()
    assert [event["event"] for event in logged(folder)] == ["end"]


def test_the_training_loop_and_its_benchmark_need_no_package_but_torch_and_numpy() -> None:
    # A machine with a GPU has its own torch, and not the lab's environments.
    bare = "import sys; sys.modules |= dict.fromkeys(['pydantic', 'rich', 'yaml', 'sklearn', 'matplotlib', 'mlflow'])"
    small = "Size('small', 3, [4], batch_size=5, batches=2)"
    code = f"{bare}; from benchmarks import gpu; gpu.LEAST_SECONDS = 0; print(gpu.measure(gpu.{small}, 'cpu'))"

    printed = finish(start(ROOT, "-c", code))

    assert printed.startswith("Rates(lab=")


def test_a_person_at_a_terminal_sees_a_bar(tmp_path: Path) -> None:
    folder = make_workspace(tmp_path, n_train=50, epochs=2)
    ours, theirs = pty.openpty()

    done = subprocess.run(
        [sys.executable, "-m", MAIN],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT), "TERM": "xterm", "COLUMNS": "120"},
        stdout=theirs,
    )
    os.close(theirs)
    shown = os.read(ours, 100_000).decode()
    os.close(ours)

    assert done.returncode == 0
    assert "100%" in shown
    assert "epoch 2/2" not in shown
