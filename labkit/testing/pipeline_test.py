"""The pipeline as a whole, run by `dvc repro` in copies of this repository."""

import getpass
import json
import os
import platform
import pty
import shutil
import signal
import socket
import subprocess
from collections.abc import Callable
from functools import partial, reduce
from pathlib import Path
from tempfile import TemporaryDirectory
from textwrap import dedent
from typing import TYPE_CHECKING, Any

import pandas as pd
import pytest
import requests
import yaml
from requests.adapters import HTTPAdapter
from urllib3 import Retry

from labkit.launch.kernels import Choice
from labkit.launch.machine import described, this_machine
from labkit.process.flat import flattened
from labkit.process.tracking import md5_of
from labkit.testing.example_lab import STAGES, read_yaml, write_yaml
from labkit.testing.fixtures import Shell
from labkit.testing.mlflow_store import load_model, mlflow_client
from labkit.testing.ports import free_port
from labkit.testing.waiting import wait_until

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run

pytestmark = pytest.mark.integration
TABLES = ("comparison", "confusion", "importance")  # of the selected model's plots


@pytest.fixture
def lab(finished_lab: Path, tmp_path: Path) -> Path:
    """A lab with results, to change at will."""
    return Path(shutil.copytree(finished_lab, tmp_path / "lab", symlinks=True))


def change(lab: Path, **values: Any) -> None:
    """Change parameters, given by their keys with two underscores for each dot."""
    params = read_yaml(lab / "params.yaml")
    for key, value in values.items():
        *sections, name = key.split("__")
        section = reduce(lambda inner, part: inner[part], sections, params)
        assert name in section
        section[name] = value
    write_yaml(lab / "params.yaml", params)


@pytest.mark.nightly  # of each process, each run tries other seeds and threads; .ci/run trains in another folder
def test_another_folder_hash_seed_thread_count_and_time_give_the_same_bytes(
    finished_lab: Path, new_lab: Callable[[], Path], shell: Shell
) -> None:
    other = new_lab()
    threads = {"OMP_NUM_THREADS": "2", "OPENBLAS_NUM_THREADS": "2", "MKL_NUM_THREADS": "2"}
    shell("dvc repro --force", other, PYTHONHASHSEED="3", TZ="Asia/Tokyo", **threads)
    assert (other / "dvc.lock").read_text() == (finished_lab / "dvc.lock").read_text()


def test_results_hold_no_trace_of_where_they_were_made(finished_lab: Path) -> None:
    written = [
        p for folder in ("data/processed", "artifacts") for p in (finished_lab / folder).rglob("*") if p.is_file()
    ]
    assert written
    assert not [file for file in written if str(finished_lab).encode() in file.read_bytes()]


def test_nothing_changed_means_that_nothing_runs_and_the_results_are_shown(lab: Path, shell: Shell) -> None:
    said = shell("python -m lab run", lab).stdout
    assert "Running stage" not in said
    assert "Nothing had to run" in said
    assert "densenet" in said


@pytest.mark.nightly  # docs_test.py does the same by README each time
def test_a_changed_parameter_reruns_what_depends_on_it_and_can_be_compared(lab: Path, shell: Shell) -> None:
    change(lab, classifiers__random_forest__n_estimators=3)
    said = shell("dvc repro", lab).stdout
    ran = [name for name in STAGES if f"Running stage '{name}'" in said]
    assert ran == ["train_standard_classifiers", "select_best_model"]

    params = json.loads(shell("dvc params diff --json", lab).stdout)
    assert params == {"params.yaml": {"classifiers.random_forest.n_estimators": {"old": 100, "new": 3, "diff": -97}}}
    metrics = json.loads(shell("dvc metrics diff --json", lab).stdout)
    assert set(metrics) == {"artifacts/train_standard_classifiers/metrics/random_forest.json"}
    assert "log_loss" in metrics["artifacts/train_standard_classifiers/metrics/random_forest.json"]
    plots = json.loads(shell("dvc plots diff HEAD --json", lab).stdout)["data"]
    for drawn in ("train_dnn_pytorch/training_history", *(f"best_model/{name}" for name in TABLES)):
        revisions = {row["rev"] for row in plots[f"artifacts/{drawn}.csv"][0]["content"]["data"]["values"]}
        assert revisions == {"HEAD", "workspace"}


def test_a_changed_lock_reruns_its_stage_alone(lab: Path, shell: Shell) -> None:
    with (lab / "lab/processes/train_standard_classifiers/Pipfile.lock").open("a") as lock:
        lock.write("\n")
    assert "train_standard_classifiers" in json.loads(shell("dvc status --json", lab).stdout)
    assert set(json.loads(shell("dvc status --json prepare_data train_dnn_pytorch", lab).stdout)) == set()


def test_a_reworded_comment_in_the_machinery_retrains_nobody(lab: Path, shell: Shell) -> None:
    for module in (lab / "labkit").rglob("*.py"):
        module.write_text(f"# Reworded.\n{module.read_text(encoding='utf-8')}", encoding="utf-8")
    (lab / "lab" / "processes" / "prepare_data" / "Pipfile.old").touch()  # of `sed -i.old`; Git ignores it
    kernels = lab / "labkit" / "launch" / "kernels.yaml"
    kernels.write_text(f"# Reworded.\n{kernels.read_text(encoding='utf-8')}", encoding="utf-8")
    assert json.loads(shell("dvc status --json", lab).stdout) == {}


@pytest.mark.parametrize(("old", "new"), [("MKL_CBWR: COMPATIBLE", "MKL_CBWR: AVX2"), ("format: 1", "format: 2")])
def test_what_decides_the_bytes_reruns_every_stage(lab: Path, shell: Shell, old: str, new: str) -> None:
    kernels = lab / "labkit" / "launch" / "kernels.yaml"
    before = kernels.read_text(encoding="utf-8")
    assert old in before
    kernels.write_text(before.replace(old, new), encoding="utf-8")
    assert {*STAGES} <= json.loads(shell("dvc status --json", lab).stdout).keys()


@pytest.mark.nightly  # the table below has three classes, too
def test_a_set_of_three_classes_needs_no_code_change(lab: Path, shell: Shell) -> None:
    change(lab, data__source="wine")
    shell("dvc repro", lab)
    model = load_model(lab / "artifacts/best_model/model")
    answer = model.predict(pd.read_csv(lab / "data/processed/example_rows.csv"))
    assert [name for name in answer if name.startswith("probability_")] == [
        "probability_class_0",
        "probability_class_1",
        "probability_class_2",
    ]
    assert json.loads((lab / "artifacts/best_model/metrics.json").read_text())["test"]["accuracy"] > 0.8


@pytest.mark.nightly  # the tests of each process try it each time
def test_a_number_to_predict_needs_no_code_change(lab: Path, shell: Shell) -> None:
    change(lab, data__source="diabetes", selection__metric="f1", training__epochs=30)
    refused = shell("dvc repro prepare_data", lab, check=False)
    assert "selection.metric is f1, which a regression does not have" in refused.stdout + refused.stderr
    change(lab, selection__metric="auto")
    said = shell("python -m lab run", lab, COLUMNS="200").stdout
    assert "the target target is learned as a regression: 214 different numbers" in said
    assert "rmse" in said
    assert "baseline" in said

    model = load_model(lab / "artifacts/best_model/model")
    answer = model.predict(pd.read_csv(lab / "data/processed/example_rows.csv"))
    assert [*answer] == ["prediction"]
    assert answer["prediction"].between(0, 400).all()
    result = json.loads((lab / "artifacts/best_model/metrics.json").read_text())
    assert result["metric"] == "rmse"
    assert result["test"]["rmse"] < 0.9 * result["baseline"]["rmse"]
    compared = pd.read_csv(lab / "artifacts/best_model/comparison.csv")
    assert {"densenet", "baseline", "random_forest"} <= {*compared["model"]}
    assert compared["rmse"].is_monotonic_increasing
    page = shell("python -c 'from labkit.report.page import run_page; print(run_page(str()))'", lab).stdout
    assert "`rmse` on its test rows" in page
    plots = json.loads(shell("dvc plots show --json", lab).stdout)
    assert plots.keys() == {"data"}  # every one of dvc.yaml can be drawn
    for drawn in TABLES:
        assert plots["data"][f"artifacts/best_model/{drawn}.csv"][0]["content"]["data"]["values"]

    assert "The goals are those of the template's example: python -m lab first-goals takes yours from this run." in said
    assert "ot judged" not in said
    assert "test.rmse ≤ " in shell("python -m lab first-goals", lab).stdout
    shell("pytest -q goals", lab, PYTHONPATH="lab")
    again = shell("python -m lab first-goals < /dev/null", lab, check=False)
    assert again.stderr.startswith("error: goals/goals.yaml has goals of your own")


@pytest.mark.nightly  # the tests of prepare_data try each part of it
def test_a_table_as_people_have_it_is_refused_once_and_then_trained_on_and_served(lab: Path, shell: Shell) -> None:
    change(lab, data__source="data/raw/flats.csv", data__target="Lage", training__epochs=3)
    (lab / "data/raw/flats.csv").write_text(messy_table(), encoding="latin-1")
    refused = shell("dvc repro prepare_data", lab, check=False)
    told = refused.stderr + refused.stdout
    assert "Traceback" not in told
    advice = yaml.safe_load(dedent(told.split("your-data.md:\n")[1].split("\nERROR")[0]))
    assert advice == {
        "encoding": "latin-1",
        "separator": ";",
        "drop": ["Nr"],
        "decimal": ",",
        "missing_values": ["k.A."],
        "missing": {"Zimmer": "median", "Stadt": "most_frequent"},
        "categories": {"Stadt": "one_hot"},
        "dates": {"Frei ab": ["year", "month", "weekday"]},
        "date_format": "%d.%m.%Y",
    }
    params = read_yaml(lab / "params.yaml")
    params["data"] |= advice
    write_yaml(lab / "params.yaml", params)
    said = shell("dvc repro", lab).stdout
    assert "Nr is no feature, as data.drop says" in said
    assert "warning: 1 column(s) with one value in all training rows (Keller)" in said
    metrics = "artifacts/best_model/metrics.json"
    assert (lab / "lab/results" / metrics).read_bytes() != (lab / metrics).read_bytes()
    assert "not the results of dvc.lock: " in shell("python -m lab status", lab).stdout
    assert "Keller" in shell("python -m lab run", lab, COLUMNS="300").stdout  # where nothing has to run
    assert (lab / "lab/results" / metrics).read_bytes() == (lab / metrics).read_bytes()
    assert "not the results of dvc.lock: " not in shell("git add lab && python -m lab status", lab).stdout

    model = load_model(lab / "artifacts/best_model/model")
    flat = {"Fläche": 71, "Zimmer": None, "Stadt": "Bonn", "Frei ab": "24.12.2026", "Keller": "1"}
    answer = model.predict(pd.DataFrame([flat, {**flat, "Stadt": None, "Frei ab": pd.Timestamp(2026, 12, 24)}]))
    assert answer["label"].isin(GRADES).all()
    assert [name for name in answer if name.startswith("probability_")] == [f"probability_{name}" for name in GRADES]
    with pytest.raises(ValueError, match="missing values in Fläche"):
        model.predict(pd.DataFrame([{**flat, "Fläche": None}]))
    report = json.loads((lab / "artifacts/data/report.json").read_text(encoding="utf-8"))
    assert {column["name"]: column["missing"] for column in report["columns"]}["Stadt"] == 20


GRADES = ["einfach", "gut", "mittel"]


def messy_table() -> str:
    """200 flats of three grades: semicolons, decimal commas, a number for each row, gaps, words, dates, a constant."""
    lines = ["Nr;Fläche;Zimmer;Stadt;Frei ab;Keller;Lage"]
    for number in range(200):
        grade = number * 7 % 10 % 3
        rooms = "k.A." if number % 9 == 0 else str(number % 4 + 1)
        city = "" if number % 10 == 0 else "Köln" if number % 3 else "Düsseldorf"
        area = f"{60 + 30 * grade + number % 37},5"
        lines.append(f"F-{number:03};{area};{rooms};{city};{number % 28 + 1:02}.12.2026;1;{GRADES[grade]}")
    return "\n".join(lines) + "\n"


def test_a_wrong_parameter_is_refused_before_anything_runs(lab: Path, shell: Shell) -> None:
    change(lab, training__lr=-1, split__seed=8)
    before = (lab / "dvc.lock").read_text()
    refused = shell("python -m lab run", lab, check=False)
    assert refused.returncode == 1
    assert "params.yaml: training.lr is -1" in refused.stderr
    assert "Traceback" not in refused.stderr
    by_hand = shell("dvc repro", lab, check=False)
    assert by_hand.returncode
    assert "params.yaml: training.lr is -1" in by_hand.stderr
    assert (lab / "dvc.lock").read_text() == before


def recorded(stage: str, lab: Path) -> list[dict[str, Any]]:
    """The outputs of a stage, as dvc.lock has them."""
    outs: list[dict[str, Any]] = read_yaml(lab / "dvc.lock")["stages"][stage]["outs"]
    return outs


def data_of(run: "Run") -> list[tuple[str, str, str | None]]:
    """What a run has read: name, md5, and what else is known of it."""
    assert run.inputs is not None
    found = (told.dataset for told in run.inputs.dataset_inputs)
    return [(dataset.name, dataset.digest, dataset.profile) for dataset in found]


def test_every_run_of_an_execution_is_in_mlflow_with_what_made_it(finished_lab: Path, shell: Shell) -> None:
    client = mlflow_client(finished_lab / "mlflow.db")
    experiment = client.get_experiment_by_name("lab")
    assert experiment is not None
    runs = client.search_runs([experiment.experiment_id])
    assert {run.info.status for run in runs} == {"FINISHED"}
    stages = {run.info.run_name: run for run in runs if "mlflow.parentRunId" not in run.data.tags}
    assert set(stages) >= set(STAGES)
    assert len({run.data.tags["lab.execution"] for run in runs}) == 1

    commit = shell("git rev-parse HEAD~1", finished_lab).stdout.strip()  # HEAD holds the results of that commit
    network = stages["train_dnn_pytorch"]
    assert network.data.tags["mlflow.source.git.commit"] == commit
    assert network.data.tags["lab.git.dirty"] == "false"
    assert network.data.params["training.lr"] == "0.0003"
    assert len(client.get_metric_history(network.info.run_id, "epoch_validation_loss")) == 80
    (written,) = (out for out in recorded("prepare_data", finished_lab) if out["path"] == "data/processed")
    assert data_of(network) == [("data/processed", written["md5"], '{"num_rows": 569}')]
    ((name, _, rows),) = data_of(stages["prepare_data"])
    assert (name, rows) == ("breast_cancer", '{"num_rows": 569}')
    assert "training_history.png" in [file.path for file in client.list_artifacts(network.info.run_id)]

    families = [run for run in runs if run.data.tags.get("mlflow.parentRunId")]
    assert len(families) == 7
    assert all("fit_seconds" in run.data.metrics for run in families)


@pytest.mark.parametrize("stage", STAGES)
def test_a_run_has_all_that_its_lineage_needs(finished_lab: Path, shell: Shell, stage: str) -> None:
    """A runner's tag and page, and the diff of a dirty one, are in labkit/launch/launcher_test.py."""
    client = mlflow_client(finished_lab / "mlflow.db")
    (experiment,) = client.search_experiments(filter_string="name = 'lab'")
    wanted = f"tags.`lab.stage` = '{stage}' AND tags.`lab.run` = '0'"
    (run,) = client.search_runs([experiment.experiment_id], wanted)
    tags, record = run.data.tags, read_yaml(finished_lab / "dvc.lock")["stages"][stage]
    hashes = {f"lab.in.{one['path']}": one["md5"] for one in record["deps"]}
    hashes |= {f"lab.out.{one['path']}": one["md5"] for one in record["outs"]}
    assert len(hashes) == len(record["deps"]) + len(record["outs"])
    assert (
        tags.items()
        >= hashes.items()
        | {
            "mlflow.source.git.commit": shell("git rev-parse HEAD~1", finished_lab).stdout.strip(),
            "mlflow.source.git.branch": "main",
            "lab.git.dirty": "false",
            "lab.stage": stage,
            "lab.lock": md5_of(finished_lab / "lab/processes" / stage / "Pipfile.lock"),
            "lab.machine": described(this_machine(), Choice()),
            "lab.platform": f"{platform.platform()}, Python {platform.python_version()}",
            "mlflow.user": getpass.getuser(),
        }.items()
    )
    assert tags["lab.execution"]
    assert {name: run.data.params[name] for name in flattened(record["params"]["params.yaml"])} == {
        name: str(value) for name, value in flattened(record["params"]["params.yaml"]).items()
    }


@pytest.mark.nightly
def test_without_its_server_the_pipeline_runs_and_says_what_is_not_sent_yet(lab: Path, shell: Shell) -> None:
    for file, patience in (("labkit/run.py", "DELIVERY_SECONDS"), ("labkit/tracking/tracker.py", "PATIENCE_SECONDS")):
        text = (lab / file).read_text(encoding="utf-8")
        assert f"{patience} = 15.0" in text
        (lab / file).write_text(text.replace(f"{patience} = 15.0", f"{patience} = 1.0"), encoding="utf-8")
    change(lab, selection__metric="f1")
    with socket.socket() as nobody:  # bound, and never listening
        nobody.bind(("127.0.0.1", 0))
        server = f"http://127.0.0.1:{nobody.getsockname()[1]}"
        said = shell("python -m lab run", lab, MLFLOW_TRACKING_URI=server, COLUMNS="200").stdout
    assert "not in MLflow yet: 1 of these runs" in said
    assert f"{server} does not answer" in said
    assert "Goals" in said
    refused = shell("python -m lab track", lab, check=False)
    assert f"meant for {server}; set MLFLOW_TRACKING_URI" in refused.stderr
    shell("python -m lab track", lab, MLFLOW_TRACKING_URI=f"sqlite:///{lab / 'mlflow.db'}")
    assert len(mlflow_client(lab / "mlflow.db").search_runs(["1"], "tags.`lab.stage` != ''")) == 12


@pytest.mark.nightly
def test_an_experiment_in_a_copy_of_the_lab_has_its_run_where_the_lab_has_them(lab: Path, shell: Shell) -> None:
    """As those of a queue; DVC removes the copy afterwards."""
    shell("dvc exp run --temp --name other -S selection.metric=f1", lab)
    shell("python -m lab track", lab)
    (run,) = mlflow_client(lab / "mlflow.db").search_runs(["1"], "params.`selection.metric` = 'f1'")
    assert run.info.status == "FINISHED"
    assert "lab.incomplete" not in run.data.tags
    assert not list((lab / ".dvc/tmp/exps").rglob("mlflow.db"))


def test_make_ui_serves_the_runs_and_their_plots_and_opens_them(
    finished_lab: Path, environment: dict[str, str], tmp_path: Path
) -> None:
    browser, opened = tmp_path / "browser", tmp_path / "opened"
    browser.write_text(f'#!/bin/sh\necho "$1" > {opened}.beside; mv {opened}.beside {opened}\n')
    browser.chmod(0o755)
    port = free_port()
    # Without its set-up, which would make this copy an environment of its own.
    command = ["make", "-o", ".venv/made", "ui", f"PORT={port}"]
    terminal, said = pty.openpty()
    log, environment = subprocess.DEVNULL, environment | {"BROWSER": str(browser)}
    with (
        os.fdopen(terminal, encoding="utf-8") as shown,
        subprocess.Popen(command, cwd=finished_lab, env=environment, stdout=said, stderr=log, process_group=0) as ui,
    ):
        try:
            link = f"http://127.0.0.1:{port}/#/experiments/1/runs?workflowType=machine_learning"
            assert shown.readline() == f"the runs are at {link} (Ctrl+C ends it)\n"
            page = requests.Session()
            page.mount("http://", HTTPAdapter(max_retries=Retry(total=120, backoff_factor=0.5, backoff_max=0.5)))
            assert page.get(f"http://127.0.0.1:{port}/health", timeout=10).text == "OK"
            client = mlflow_client(f"http://127.0.0.1:{port}")
            experiment = client.get_experiment_by_name("lab")
            assert experiment is not None
            (network,) = client.search_runs([experiment.experiment_id], "tags.`lab.stage` = 'train_dnn_pytorch'")
            plot = page.get(
                f"http://127.0.0.1:{port}/get-artifact",
                {"path": "training_history.png", "run_uuid": network.info.run_id},
                timeout=10,
            )
            assert plot.content == (finished_lab / "artifacts/train_dnn_pytorch/training_history.png").read_bytes()
            wait_until(opened.exists)
            assert opened.read_text() == f"{link}\n"
        finally:
            os.killpg(ui.pid, signal.SIGTERM)


@pytest.mark.nightly
def test_pipenv_alone_is_enough(new_lab: Callable[[], Path], shell: Shell) -> None:
    lab = new_lab()
    pipenv = {"PIPENV_IGNORE_VIRTUALENVS": "1", "PIPENV_VENV_IN_PROJECT": "1"}
    shell("pipenv sync --dev", lab, **pipenv)
    shell("pipenv run dvc repro", lab, **pipenv)
    assert (lab / "artifacts/best_model/metrics.json").exists()


LOST = {"fit_seconds", "predict_seconds", "samples_per_second"}
# Tags that no file holds, as lab/docs/tracking.md says, and those by which MLflow and the tracker tell runs apart.
LOST_TAGS = {"lab.execution", "lab.machine", "lab.platform", "mlflow.user", "mlflow.source.git.branch"}
OF_ONE_RUN = {"lab.journal", "lab.run", "lab.replayed", "mlflow.note.content", "mlflow.parentRunId"}


def told_by_runs(lab: Path, database: str) -> dict[tuple[str, str], Any]:
    """What the lab's runs in MLflow tell that files hold, by the names of their stages and of the runs below them."""
    client = mlflow_client(lab / database)
    runs = {run.info.run_id: run for run in client.search_runs(["1"])}
    told: dict[tuple[str, str], Any] = {}
    for run in runs.values():
        above = runs.get(run.data.tags.get("mlflow.parentRunId", ""))
        told[run.data.tags["lab.stage"], run.info.run_name if above else ""] = {
            "status": run.info.status,
            "params": run.data.params,
            "history": {
                name: [(point.step, point.value) for point in client.get_metric_history(run.info.run_id, name)]
                for name in run.data.metrics.keys() - LOST
            },
            "inputs": data_of(run),
            "artifacts": artifacts_of(client, run.info.run_id),
            "tags": {name: value for name, value in run.data.tags.items() if name not in LOST_TAGS | OF_ONE_RUN},
        }
    assert len(told) == len(runs)
    return told


def artifacts_of(client: "MlflowClient", run: str) -> dict[str, str]:
    """The md5 of each of a run's artifacts."""
    with TemporaryDirectory() as folder:
        top = Path(client.download_artifacts(run, "", folder))
        return {path.relative_to(top).as_posix(): md5_of(path) for path in top.rglob("*") if path.is_file()}


@pytest.mark.nightly  # labkit/publish/view_test.py does the same on a small lab each time
def test_a_lost_mlflow_comes_back_from_git_and_dvc(lab: Path, shell: Shell) -> None:
    assert shell("python -m lab publish --all", lab).stdout == "results in MLflow: 4 there already\n"
    before = told_by_runs(lab, "mlflow.db")
    assert len(before) == 11
    (lab / "mlflow.db").unlink()
    shutil.rmtree(lab / "mlartifacts", ignore_errors=True)
    for folder in ("artifacts", "data/processed", ".lab/journals"):
        shutil.rmtree(lab / folder)
    assert shell("python -m lab publish --all", lab).stdout == "results in MLflow: 4 made from files\n"
    shutil.copy(lab / "mlflow.db", lab / "again.db")  # by its name, MLflow would still read the one that is lost
    assert told_by_runs(lab, "again.db") == before
    assert shell("python -m lab publish", lab).stdout == "results in MLflow: 4 there already\n"


@pytest.mark.nightly
def test_a_plain_repro_binds_its_runs_to_their_results(lab: Path, shell: Shell) -> None:
    change(lab, selection__metric="f1")
    shell("dvc repro", lab)
    client = mlflow_client(lab / "mlflow.db")
    bound = partial(client.search_runs, ["1"], "params.`selection.metric` = 'f1' AND tags.`lab.record` LIKE '%'")
    wait_until(bound)
    (run,) = bound()
    assert run.data.tags["lab.out.artifacts/best_model/metrics.json"] == recorded_md5(lab, "metrics.json")
    assert "lab.replayed" not in run.data.tags


def recorded_md5(lab: Path, name: str) -> str:
    """The md5 of an output of the selection, as dvc.lock has it."""
    (found,) = (out["md5"] for out in recorded("select_best_model", lab) if out["path"].endswith(f"/{name}"))
    return str(found)
