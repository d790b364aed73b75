"""MLflow holds one run for each result, in a real SQLite store, made from real Git and DVC; nothing is trained."""

import fcntl
import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import psutil
import pytest
from typer.testing import CliRunner

from labkit.cli import app
from labkit.file_lock import locked
from labkit.git_cli import git
from labkit.launch.launcher import execution_of
from labkit.paths import ROOT
from labkit.process.errors import InputError
from labkit.process.run_file import write_run_file
from labkit.process.tracking import ROOT_RUN, Run, append, md5_of
from labkit.publish import occurrences, replay, run_data, view
from labkit.publish.occurrences import results_here
from labkit.publish.view import publish, show, shown_in_mlflow
from labkit.testing.fixtures import Shell
from labkit.testing.mlflow_store import download, experiment_runs, mlflow_client
from labkit.testing.waiting import wait_until
from labkit.tracking import tracker

pytestmark = pytest.mark.integration

DVC_YAML = """
stages:
  train:
    cmd: python -m labkit.launch train
    deps: [data/table.csv, lab/processes/train]
    params: [training]
    outs: [out/models, out/run.json]
    metrics: [out/metrics]
    plots: [out/history.csv, out/loss.svg, out/plots]
  judge:
    cmd: cp src.txt judged.txt
    deps: [src.txt]
    metrics: [verdict.json]
    plots: [rows.csv]
    outs: [judged.txt]
"""
FAMILIES = ("forest", "tree")
NEVER_THE_SAME = ("lab.journal", "lab.run", "mlflow.parentRunId", "lab.written")
LOST_TAGS = ("lab.execution", "lab.machine", "mlflow.user", "mlflow.source.git.branch")  # as docs/tracking.md says
OF_A_REPLAY = ("lab.replayed", "mlflow.note.content", "mlflow.source.type", "mlflow.source.name", "lab.git.dirty")


def write_results(lr: float) -> None:
    """What a training with this learning rate leaves in the working folder."""
    Path("params.yaml").write_text(
        f"project: {{name: test}}\ntraining: {{lr: {lr}, forest: {{trees: 3}}, tree: {{depth: 2}}}}\n"
    )
    for folder in ("out/models", "out/metrics", "out/plots"):
        Path(folder).mkdir(parents=True, exist_ok=True)
    Path("out/models/weights.bin").write_bytes(f"the weights of {lr}".encode())
    Path("out/models/about.json").write_text(json.dumps({"best": 2, "selected": f"forest of {lr}"}))
    Path("out/history.csv").write_text(f"epoch,loss\n1,{lr}\n2,{lr / 2}\n")
    Path("out/loss.svg").write_text(f"<svg>{lr}</svg>")
    for name in FAMILIES:
        Path(f"out/metrics/{name}.json").write_text(json.dumps({"accuracy": lr, "rows": 7}))
        Path(f"out/plots/{name}.svg").write_text(f"<svg>{name} {lr}</svg>")
    run = Run(None)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("labkit.process.run_file.ROOT", Path().absolute())
        tell(run, lr)
        write_run_file("out/run.json", run.told)
    Path("src.txt").write_text(f"{lr}\n")
    Path("judged.txt").write_text(f"{lr}\n")
    Path("verdict.json").write_text(json.dumps({"test": {"lr": lr}}))
    Path("rows.csv").write_text("name,count\na,1\n")


@pytest.fixture(scope="session")
def made_lab(tmp_path_factory: pytest.TempPathFactory, shell: Shell) -> Path:
    """A lab whose commits `first` and `second` have results of two stages."""
    lab = tmp_path_factory.mktemp("view") / "lab"
    (lab / "lab/processes/train").mkdir(parents=True)
    (lab / "data").mkdir()
    (lab / "lab/processes/train/main.py").write_text("# trains\n")
    (lab / "lab/processes/train/Pipfile.lock").write_text("{}\n")
    (lab / "data/table.csv").write_text("a,b\n1,2\n3,4\n")
    (lab / "dvc.yaml").write_text(DVC_YAML)
    (lab / ".gitignore").write_text("/mlflow.db\n/mlartifacts\n/journals\n/.lab\n")
    shell("git init --quiet --initial-branch main && dvc init --quiet && dvc add --quiet data/table.csv", lab)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(lab)
        for tag, lr in (("first", 0.5), ("second", 0.25)):
            write_results(lr)
            shell("dvc commit --force --quiet", lab)
            shell(f"git add --all && git commit --quiet --no-verify -m {tag} && git tag {tag}", lab)
    return lab


@pytest.fixture
def lab(made_lab: Path, tmp_path: Path, empty_database: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of it, in which this process stands, with an MLflow of its own."""
    place = shutil.copytree(made_lab, tmp_path / "lab", symlinks=True)
    for name, value in tracker.SETTINGS.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{place / 'mlflow.db'}")
    monkeypatch.setenv("MLFLOW_EXPERIMENT_NAME", "test")
    monkeypatch.setattr(view, "JOURNALS", place / "journals")
    monkeypatch.setattr(view, "HOME", place)
    (place / "journals").mkdir()
    shutil.copy(empty_database, place / "mlflow.db")
    monkeypatch.chdir(place)
    return Path(place)


@pytest.fixture
def lose_mlflow(lab: Path, empty_database: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Take its database and artifacts from MLflow, which keeps a connection: the next is another file."""

    def lose() -> None:
        (lab / "mlflow.db").unlink()
        shutil.rmtree(lab / "mlartifacts", ignore_errors=True)
        shutil.copy(empty_database, lab / "again.db")
        monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{lab / 'again.db'}")

    return lose


def train_live(lr: float, until: str = "", dirty: bool = True) -> None:
    """Let a process tell its run what it makes, from the working folder; one `until` an epoch is lost in its midst."""
    from labkit.tracking.uploader import Uploader, connect

    code = git("rev-parse", "HEAD")
    tags = {"lab.stage": "train", "lab.execution": "e1", "lab.machine": "m", "mlflow.user": "ada"}
    tags |= {"mlflow.source.git.commit": code, "lab.git.dirty": str(dirty).lower(), "mlflow.source.git.branch": "main"}
    tags |= {"lab.lock": md5_of(Path("lab/processes/train/Pipfile.lock"))}
    journal = Path("journals").absolute() / f"{time.time_ns()}-train.jsonl"
    journal.touch()
    append(journal, ROOT_RUN, "start", name="train", tags=tags)
    run = Run(journal)
    with nullcontext() if until == "epoch" else run._ending():
        tell(run, lr, until)
        if until == "epoch":
            Uploader(connect(), journal).carry(running=True)
            journal.unlink()
            return
    Uploader(connect(), journal).carry(running=False)


def tell(run: Run, lr: float, until: str = "") -> None:
    """What the process tells of its run."""
    run.log_params({"training": {"lr": lr, "momentum": 0.9, "forest": {"trees": 3}, "tree": {"depth": 2}}})
    run.log_input("data/table.csv", "0" * 32 if until == "other data" else table(), 2)
    run.log_metrics({"epoch_loss": lr}, step=1)
    if until == "epoch":
        return
    run.log_metrics({"epoch_loss": lr / 2}, step=2)
    for name in FAMILIES:
        with run.nested(name) as child:
            child.log_params({"trees": 3} if name == "forest" else {"depth": 2})
            child.log_metrics({"validation_accuracy": lr})
            child.log_timings({"fit_seconds": time.time()})
            child.log_artifact(f"out/plots/{name}.svg")
    run.log_metrics({"best_epoch": 2}, step=3)
    run.set_tags({"lab.selected": f"forest of {lr}"})
    run.log_artifact("out/models")
    run.log_artifact("out/loss.svg")
    run.log_artifact("params.yaml")  # which Git keeps, not DVC


def table() -> str:
    """DVC's hash of the table."""
    return next(line.split()[-1] for line in Path("data/table.csv.dvc").read_text().splitlines() if "md5:" in line)


def artifacts(run: str, folder: str | None = None) -> dict[str, str]:
    """A run's artifacts by their paths."""
    client = mlflow_client()
    found: dict[str, str] = {}
    for one in client.list_artifacts(run, folder):
        if one.is_dir:
            found |= artifacts(run, one.path)
        else:
            found[one.path] = download(f"runs:/{run}/{one.path}").read_text()
    return found


def shown() -> dict[str, dict[str, Any]]:
    """All that MLflow holds, by what each run is of: its record, or its parent's, and its name."""
    client = mlflow_client()
    found = {run.info.run_id: run for run in experiment_runs()}
    told = {}
    for run in found.values():
        parent = found.get(run.data.tags.get("mlflow.parentRunId", ""))
        of = (parent or run).data.tags.get("lab.record", f"no record: {(parent or run).info.run_id}")
        key = f"{of} {run.info.run_name if parent else ''}"
        assert key not in told
        inputs = run.inputs.dataset_inputs if run.inputs else []
        told[key] = {
            "status": run.info.status,
            "params": run.data.params,
            "metrics": {
                name: [(point.step, point.value) for point in client.get_metric_history(run.info.run_id, name)]
                for name in run.data.metrics
            },
            "inputs": [(one.dataset.name, one.dataset.digest, one.dataset.profile) for one in inputs],
            "artifacts": artifacts(run.info.run_id),
            "tags": {name: value for name, value in run.data.tags.items() if name not in NEVER_THE_SAME},
        }
    return told


def without_what_is_lost(told: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """What no file holds taken out: timings, and of the tags who ran it, where."""
    left_out = (*LOST_TAGS, *OF_A_REPLAY, "mlflow.source.git.commit", "mlflow.runName")
    for run in told.values():
        run["metrics"].pop("fit_seconds", None)
        run["tags"] = {name: value for name, value in run["tags"].items() if name not in left_out}
    return told


def keys(tag: str) -> dict[str, str]:
    return {one.stage: one.key for one in occurrences.results_of(tag)}


def test_every_run_comes_back_from_git_and_dvc_alone(lab: Path, lose_mlflow: Callable[[], None]) -> None:
    train_live(0.25)
    assert publish("HEAD", everything=True) == 0
    write_results(0.5)
    shutil.rmtree(lab / "out")  # all that is needed is in the cache
    before = shown()
    assert len(before) == 2 * (1 + len(FAMILIES)) + 2
    assert "lab.replayed" not in before[f"{keys('second')['train']} "]["tags"]
    lose_mlflow()
    assert publish("HEAD", everything=True) == 0
    again = shown()
    assert all("lab.replayed" in run["tags"] for run in again.values())
    assert without_what_is_lost(again) == without_what_is_lost(before)
    (network,) = (run for key, run in again.items() if key == f"{keys('second')['train']} ")
    assert network["metrics"] == {"epoch_loss": [(1, 0.25), (2, 0.125)], "best_epoch": [(3, 2.0)]}
    assert network["inputs"] == [("data/table.csv", table(), '{"num_rows": 2}')]
    assert network["params"]["training.forest.trees"] == "3"
    assert set(network["artifacts"]) == {"models/about.json", "models/weights.bin", "loss.svg", "params.yaml"}
    assert network["tags"]["lab.selected"] == "forest of 0.25"
    assert network["tags"]["lab.in.data/table.csv"] == table()
    assert network["tags"]["lab.lock"] == md5_of(Path("lab/processes/train/Pipfile.lock"))
    forest = again[f"{keys('second')['train']} forest"]
    assert (forest["params"], forest["metrics"]) == ({"trees": "3"}, {"validation_accuracy": [(0, 0.25)]})
    assert forest["artifacts"] == {"forest.svg": "<svg>forest 0.25</svg>"}


def test_a_result_of_which_dvc_yaml_says_nothing_is_shown_by_its_metrics_and_plots(lab: Path) -> None:
    # Where a tag is given besides, as on a runner, the revision counts.
    assert CliRunner().invoke(app, ["publish", "run-1", "--rev", "first"]).exit_code == 0
    judged = shown()[f"{keys('first')['judge']} "]
    assert judged["metrics"] == {"test.lr": [(0, 0.5)]}
    assert set(judged["artifacts"]) == {"verdict.json", "rows.csv"}
    assert judged["tags"]["mlflow.source.git.commit"] == git("rev-parse", "first")


def test_published_again_nothing_changes(lab: Path, capsys: pytest.CaptureFixture[str]) -> None:
    train_live(0.25)
    publish("HEAD", everything=True)
    before = shown()
    capsys.readouterr()
    assert publish("HEAD", everything=True) == 0
    assert publish() == 0
    assert capsys.readouterr().out == "results in MLflow: 4 there already\nresults in MLflow: 2 there already\n"
    assert shown() == before


def test_a_result_names_the_commits_that_have_it(lab: Path, shell: Shell) -> None:
    publish()
    shell("git checkout --quiet first . && git commit --quiet --no-verify -m back && git tag third", lab)
    for name in ("src.txt", "judged.txt"):
        Path(name).write_text("another\n")
    shell("dvc commit --force --quiet judge && git commit --quiet --no-verify -am judged", lab)
    publish("HEAD", everything=True)
    commits = {tag: git("rev-parse", tag)[:10] for tag in ("first", "second", "third")}
    told = shown()
    assert told[f"{keys('first')['train']} "]["tags"]["lab.commits"] == f"{commits['first']} {commits['third']}"
    assert told[f"{keys('second')['train']} "]["tags"]["lab.commits"] == commits["second"]
    assert keys("third") == keys("first")


def test_a_live_run_of_other_bytes_parameters_or_data_did_not_make_the_result(lab: Path) -> None:
    train_live(0.125)
    train_live(0.25, until="other data")
    Path("out/loss.svg").write_text("<svg>another</svg>")
    train_live(0.25)
    publish()
    assert shown()[f"{keys('second')['train']} "]["tags"]["lab.replayed"] == "true"


def test_what_is_not_committed_yet_is_shown_too_and_learns_its_commit(lab: Path, shell: Shell) -> None:
    write_results(0.75)
    train_live(0.75)
    shell("dvc commit --force --quiet", lab)
    assert shown_in_mlflow(results_here()) == []
    (key,) = (one.key for one in results_here() if one.stage == "train")
    assert "lab.commits" not in shown()[f"{key} "]["tags"]
    shell("git add --all && git commit --quiet --no-verify -m third", lab)
    publish()
    assert shown()[f"{key} "]["tags"]["lab.commits"] == git("rev-parse", "HEAD")[:10]
    assert "lab.replayed" not in shown()[f"{key} "]["tags"]


@pytest.mark.parametrize("after", range(1, 12, 2))
def test_publishing_that_was_killed_goes_on_from_there(lab: Path, after: int, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = iter(range(after))
    client = type(mlflow_client())
    with monkeypatch.context() as patch:
        for name in ("create_run", "log_batch", "log_artifact", "log_inputs", "set_terminated"):
            patch.setattr(client, name, dying(getattr(client, name), calls))
        with pytest.raises(InputError, match="run it again, and it goes on from there"):
            publish("second")
    assert publish("second") == 0
    found = shown()
    assert {run["status"] for run in found.values()} == {"FINISHED"}
    assert len(found) == 2 + len(FAMILIES)
    assert found[f"{keys('second')['train']} "]["metrics"]["epoch_loss"] == [(1, 0.25), (2, 0.125)]


def dying(method: Callable[..., Any], calls: Any) -> Callable[..., Any]:
    """A method that fails once the calls are used up."""

    def call(*arguments: Any, **named: Any) -> Any:
        if next(calls, None) is None:
            raise ConnectionError("the server is gone")
        return method(*arguments, **named)

    return call


def test_two_machines_at_once_make_one_run(lab: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each has looked, and found none, before the other has made its own."""
    client_type, others = type(mlflow_client()), []
    real = client_type.create_run

    def create(client: Any, experiment: str, start: int, tags: dict[str, str], name: str) -> Any:
        if tags["lab.run"] == ROOT_RUN and tags["lab.journal"] not in others:
            others.append(tags["lab.journal"])
            monkeypatch.setattr(client_type, "create_run", real)
            another_machine_publishes()
            monkeypatch.setattr(client_type, "create_run", create)
        return real(client, experiment, start, tags, name)

    monkeypatch.setattr(client_type, "create_run", create)
    assert publish("second") == 0
    found = shown()
    assert len(others) == 1  # the other result was there when this one came to it
    assert len(found) == 2 + len(FAMILIES)
    assert {run["status"] for run in found.values()} == {"FINISHED"}
    assert found[f"{keys('second')['train']} tree"]["artifacts"] == {"tree.svg": "<svg>tree 0.25</svg>"}


def another_machine_publishes() -> None:
    """As `publish`, but without this machine's lock."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(view, "_alone", nullcontext)
        show(occurrences.results_of("second"))


def test_two_processes_of_one_machine_wait_for_each_other(lab: Path) -> None:
    """Both see an empty server as they start."""
    command = [sys.executable, "-c", "from labkit.publish.view import publish; publish('second')"]
    lock = lab / ".lab" / "publish.lock"
    lock.parent.mkdir(exist_ok=True)
    own = f"import labkit.publish.view as view; from pathlib import Path; view.HOME = Path('{lab}'); {command[2]}"
    with locked(lock):
        started = [
            subprocess.Popen([*command[:2], own], env=environment(lab), stdout=subprocess.PIPE, text=True)
            for _ in range(2)
        ]
        time.sleep(4)
        assert mlflow_client().get_experiment_by_name("test") is None
    said = sorted(process.communicate(timeout=120)[0] for process in started)
    assert said == ["results in MLflow: 2 made from files\n", "results in MLflow: 2 there already\n"]
    assert len(shown()) == 2 + len(FAMILIES)


def environment(lab: Path) -> dict[str, str]:
    """That of a process that finds this code, and the journals of this lab."""
    return {**os.environ, "PYTHONPATH": str(ROOT), "LAB_JOURNALS": str(lab / "journals")}


def test_a_run_that_arrives_after_its_result_was_told_from_files_takes_its_place(lab: Path) -> None:
    publish()
    train_live(0.25)
    publish()
    found = shown()
    assert "lab.replayed" not in found[f"{keys('second')['train']} "]["tags"]
    assert found[f"{keys('second')['train']} forest"]["metrics"]["fit_seconds"]
    assert len(found) == 2 + len(FAMILIES)


def test_a_run_from_files_goes_though_somebody_was_killed_before_it_went(
    lab: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish()
    train_live(0.25)
    with monkeypatch.context() as patch:
        client = type(mlflow_client())
        patch.setattr(client, "delete_run", dying(client.delete_run, iter(())))
        with pytest.raises(InputError, match="the server is gone"):
            publish()
    publish()
    found = shown()
    assert "lab.replayed" not in found[f"{keys('second')['train']} "]["tags"]
    assert len(found) == 2 + len(FAMILIES)


def test_a_run_that_an_outage_cut_short_is_completed(lab: Path, shell: Shell) -> None:
    code = git("rev-parse", "HEAD")
    write_results(0.75)
    shell("git commit --quiet --no-verify -am code", lab)
    train_live(0.75, until="epoch", dirty=False)
    (before,) = experiment_runs()
    assert before.info.status == "RUNNING"
    time.sleep(1)
    shell("dvc commit --force --quiet && git add --all && git commit --quiet --no-verify -m results", lab)
    assert code != git("rev-parse", "HEAD~1")
    assert publish() == 0
    run = shown()[f"{keys('HEAD')['train']} "]
    assert "lab.replayed" not in run["tags"]
    assert run["status"] == "FINISHED"
    assert run["metrics"] == {"epoch_loss": [(1, 0.75), (2, 0.375)], "best_epoch": [(3, 2.0)]}
    assert run["inputs"] == [("data/table.csv", table(), '{"num_rows": 2}')]
    assert shown()[f"{keys('HEAD')['train']} tree"]["artifacts"] == {"tree.svg": "<svg>tree 0.75</svg>"}


def test_a_run_that_lacks_a_file_is_completed_once_it_is_back(lab: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shutil.rmtree("out")
    weights = cached(b"the weights of 0.25")
    content = weights.read_bytes()
    weights.unlink()
    assert publish() == 1
    assert capsys.readouterr().err.startswith("train of ")
    run = shown()[f"{keys('second')['train']} "]
    assert "out/models/weights.bin: neither here" in run["tags"]["lab.incomplete"]
    assert set(run["artifacts"]) == {"models/about.json", "loss.svg", "params.yaml"}
    assert publish() == 1
    weights.write_bytes(content)
    assert publish() == 0
    run = shown()[f"{keys('second')['train']} "]
    assert "lab.incomplete" not in run["tags"]
    assert run["artifacts"]["models/weights.bin"] == "the weights of 0.25"
    assert run["metrics"]["epoch_loss"] == [(1, 0.25), (2, 0.125)]


def cached(content: bytes) -> Path:
    return next(file for file in Path(".dvc/cache").rglob("*") if file.is_file() and file.read_bytes() == content)


def test_what_the_cache_lacks_comes_from_the_remote_and_bytes_that_are_large_stay_there(
    lab: Path, shell: Shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (run_data, replay):
        monkeypatch.setattr(module, "MOST_BYTES", 16)  # the weights have more, loss.svg has not
    shell(f"dvc remote add --quiet --default share {tmp_path / 'share'} && dvc push --quiet", lab)
    shutil.rmtree(".dvc/cache")
    shutil.rmtree("out")
    assert publish() == 0
    run = shown()[f"{keys('second')['train']} "]
    assert run["metrics"]["epoch_loss"] == [(1, 0.25), (2, 0.125)]
    assert set(run["artifacts"]) == {"loss.svg"}
    assert run["tags"]["lab.remote"] == str(tmp_path / "share")
    assert run["tags"]["lab.out.out/models"].endswith(".dir")
    with pytest.raises(StopIteration):
        cached(b"the weights of 0.25")


def test_a_remote_that_is_away_is_told_and_the_rest_is_done(
    lab: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(*_: object) -> None:
        raise OSError("https://me:hidden@share.example/x is away")  # pragma: allowlist secret

    monkeypatch.setattr(view, "bring", fail)
    cached(b"<svg>0.25</svg>").unlink()
    Path("out/loss.svg").unlink()
    assert publish() == 1
    said = capsys.readouterr()
    assert "DVC's remote can't be asked: OSError: https://share.example/x is away" in said.err
    assert "hidden" not in said.err
    assert "results in MLflow: 2 made from files" in said.out
    assert "hidden" not in str(shown())


def test_a_record_that_a_merge_forged_is_no_result(lab: Path, shell: Shell, made_lab: Path) -> None:
    """Two branches that each changed something else of one record: Git's merge by lines makes a third one of them."""
    shell("git checkout --quiet -b other first", lab)
    lock = (lab / "dvc.lock").read_text()
    half = lock.replace("lr: 0.5", "lr: 0.25")
    assert half != lock
    both = (made_lab / "dvc.lock").read_text()
    rows = shell("git show second:dvc.lock", lab).stdout
    assert rows == both
    mixed = rows.replace("lr: 0.25", "lr: 0.5")
    (lab / "dvc.lock").write_text(mixed)
    tree = shell("git add dvc.lock && git write-tree", lab).stdout.strip()
    merge = shell(f"git commit-tree {tree} -p first -p second -m merge", lab).stdout.strip()
    shell(f"git branch forged {merge}", lab)
    forged = {one.key for one in results_here()} - set(keys("second").values())
    assert len(forged) == 1
    publish("HEAD", everything=True)
    assert {key.partition(" ")[0] for key in shown()} == {*keys("first").values(), *keys("second").values()}
    publish("forged")
    assert {key.partition(" ")[0] for key in shown()} & forged == set()


def test_a_forged_run_json_takes_no_other_result_its_run(lab: Path, shell: Shell) -> None:
    publish()
    before = shown()
    told = json.loads(Path("out/run.json").read_text())
    forged = {"lab.record": keys("second")["judge"], "mlflow.source.git.commit": "0" * 40}
    Path("out/run.json").write_text(json.dumps(told | {"tags": forged}))
    shell("dvc commit --force --quiet && git commit --quiet --no-verify --all --message forged", lab)
    assert publish("HEAD", everything=True) == 0
    after = shown()
    assert {name: after[name] for name in before if name in after} == before
    assert "0" * 40 not in str(after)


def test_a_record_that_can_not_be_read_hides_no_other(
    lab: Path, shell: Shell, capsys: pytest.CaptureFixture[str]
) -> None:
    lock = (lab / "dvc.lock").read_text()
    (lab / "dvc.lock").write_text(lock.replace("lr: 0.25", "lr: 2001-99-99"))
    shell("git commit --quiet --no-verify --all --message spoilt && git checkout --quiet HEAD~1", lab)
    assert publish("main~1") == 0
    assert publish("HEAD", everything=True) == 0
    assert re.search(r"dvc.lock of \w+: the record of train can't be read, and is left out", capsys.readouterr().err)
    assert {key.partition(" ")[0] for key in shown()} == {*keys("first").values(), *keys("second").values()}
    shell("git checkout --quiet main", lab)
    (lab / "dvc.lock").write_text(lock)
    shell("git commit --quiet --no-verify --all --message mended", lab)
    assert publish() == 0


def test_a_run_on_its_way_is_waited_for(lab: Path) -> None:
    journal = Path("journals") / "1-train.jsonl"
    journal.write_text(json.dumps({"event": "start", "run": "0", "time": 1, "tags": {"lab.stage": "train"}}) + "\n")
    with journal.open() as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        (problem,) = shown_in_mlflow(results_here())
    assert "its run is not in MLflow yet; `python -m lab track` sends it" in problem
    assert [key.partition(" ")[0] for key in shown()] == [keys("second")["judge"]]


def test_a_run_that_a_person_deleted_stays_so(lab: Path, capsys: pytest.CaptureFixture[str]) -> None:
    publish()
    for run in experiment_runs():
        mlflow_client().delete_run(run.info.run_id)
    capsys.readouterr()
    assert publish() == 0
    assert capsys.readouterr().out == "results in MLflow: 2 deleted there by a person\n"
    assert experiment_runs() == []


def test_more_results_than_are_asked_for_one_by_one(lab: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    publish("HEAD", everything=True)
    monkeypatch.setattr("labkit.publish.runs.FEW", 1)
    before = shown()
    assert publish("HEAD", everything=True) == 0
    assert shown() == before


def test_mistakes_are_told(
    lab: Path, shell: Shell, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(InputError, match="'nobody' is not a commit here; try `git fetch --tags`"):
        publish("nobody")
    Path("out/run.json").write_text('{"params": 3}')
    shell("dvc commit --force --quiet && git commit --quiet --no-verify --all --message broken", lab)
    assert publish() == 1
    assert "out/run.json: not what its name says" in capsys.readouterr().err
    (lab / "dvc.lock").write_text("stages: [")
    git("commit", "--quiet", "--no-verify", "--all", "--message", "broken")
    with pytest.raises(InputError, match=r"dvc\.lock can't be read"):
        publish()
    publish("HEAD", everything=True)
    assert "can't be read, and is left out" in capsys.readouterr().err
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://me:hidden@127.0.0.1:9")  # pragma: allowlist secret
    with pytest.raises(InputError, match=r"http://127.0.0.1:9 does not answer.*run it again"):
        publish("first")


def test_a_plain_repro_binds_its_runs_once_dvc_has_ended(lab: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    train_live(0.25)
    dvc = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE, text=True)
    execution = execution_of(psutil.Process(dvc.pid))
    own = f"import labkit.publish.view as view; from pathlib import Path; view.HOME = Path('{lab}'); "
    follower = [sys.executable, "-c", f"{own}from labkit.publish import follow; follow.main()", execution]
    started = [subprocess.Popen(follower, env=environment(lab)) for _ in range(2)]
    wait_until(lambda: any(process.poll() is not None for process in started))
    assert sum(process.poll() == 0 for process in started) == 1  # the other waits
    assert [run.data.tags.get("lab.record") for run in experiment_runs() if run.info.run_name == "train"] == [None]
    dvc.communicate("")
    assert [process.wait(60) for process in started] == [0, 0]
    assert "lab.replayed" not in shown()[f"{keys('second')['train']} "]["tags"]
    assert not list(Path("journals").glob("*.following"))
