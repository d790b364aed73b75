"""What of a journal arrives in MLflow, in a real SQLite store."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import requests

from labkit.paths import ROOT
from labkit.process.credentials import without_credentials
from labkit.process.errors import InputError
from labkit.process.params import CommonParams, read_params
from labkit.process.tracking import JOURNAL_VARIABLE, ROOT_RUN, Run, append, run_process
from labkit.testing.fixtures import Shell
from labkit.testing.mlflow_store import download, experiment_runs, mlflow_client
from labkit.tracking import tracker
from labkit.tracking.journal import SILENT_END, journals, runs_of_execution

if TYPE_CHECKING:
    from mlflow.entities import Run as MlflowRun

    from labkit.tracking.uploader import Store, Uploader

pytestmark = pytest.mark.integration

Record = Callable[[Callable[[Run], object]], Path]


@pytest.fixture(autouse=True)
def settings(tmp_path: Path, empty_database: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in tracker.SETTINGS.items():
        monkeypatch.setenv(name, value)
    shutil.copy(empty_database, tmp_path / "mlflow.db")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path / 'mlflow.db'}")
    monkeypatch.setenv("MLFLOW_EXPERIMENT_NAME", "test")


@pytest.fixture
def record(tmp_path: Path) -> Record:
    """Write the journal of a process with this main, up to its end."""
    folder = tmp_path / "journals"
    folder.mkdir()

    def write(main: Callable[[Run], object]) -> Path:
        journal = folder / f"{100 + len(journals(folder))}-train.jsonl"
        journal.touch()
        append(journal, ROOT_RUN, "start", name="train", tags={"lab.stage": "train", "lab.execution": "c1"})
        os.environ[JOURNAL_VARIABLE] = str(journal)
        with suppress(Exception, SystemExit):  # which it makes of Ctrl-C
            run_process(lambda run: void(main(run)))
        return journal

    return write


def void(value: object) -> None:
    """Drop a value."""


def connect() -> "Store":
    from labkit.tracking.uploader import connect

    return connect()


def uploader(journal: Path) -> "Uploader":
    from labkit.tracking.uploader import Uploader

    return Uploader(connect(), journal)


def carry(journal: Path, running: bool = False) -> None:
    uploader(journal).carry(running)


def found_runs() -> "dict[str, MlflowRun]":
    """The runs in MLflow by name; a name that is there twice fails the test."""
    runs = experiment_runs()
    names = [run.info.run_name for run in runs]
    assert len(names) == len(set(names))
    return dict(zip(names, runs, strict=True))


def artifact(run: "MlflowRun", name: str) -> str:
    return download(f"runs:/{run.info.run_id}/{name}").read_text()


def history(run: "MlflowRun", metric: str) -> list[tuple[int, float]]:
    return [(point.step, point.value) for point in mlflow_client().get_metric_history(run.info.run_id, metric)]


def test_all_that_a_process_told_arrives_and_the_journal_goes(record: Record, tmp_path: Path) -> None:
    (tmp_path / "plot.svg").write_text("<svg/>")

    def main(run: Run) -> None:
        run.log_params({"lr": 0.1})
        for epoch in range(3):
            run.log_metrics({"loss": 1 / (epoch + 1)}, step=epoch)
        run.log_artifact(tmp_path / "plot.svg", folder="plots")
        run.set_tags({"lab.selected": "forest"})

    journal = record(main)
    ended = journal.stat().st_mtime * 1000
    carry(journal)
    run = found_runs()["train"]
    assert run.data.params == {"lr": "0.1"}
    assert history(run, "loss") == [(0, 1.0), (1, 0.5), (2, pytest.approx(1 / 3))]
    assert artifact(run, "plots/plot.svg") == "<svg/>"
    assert run.data.tags.items() >= {"lab.stage": "train", "lab.execution": "c1", "lab.selected": "forest"}.items()
    assert run.info.status == "FINISHED"
    assert run.info.start_time <= run.info.end_time == pytest.approx(ended, abs=1000)
    assert [path.name for path in journal.parent.glob("*train*")] == []
    (carried,) = runs_of_execution("c1", journal.parent)
    assert (carried.stage, carried.status, carried.run_id) == ("train", "FINISHED", run.info.run_id)
    assert carried.url.endswith(f"/runs/{run.info.run_id}?workflowType=machine_learning")
    assert carried.seconds == pytest.approx((run.info.end_time - run.info.start_time) / 1000, abs=0.1)


def test_nested_runs_stand_below_their_parent_with_its_tags(record: Record) -> None:
    def main(run: Run) -> None:
        with run.nested("forest") as forest, forest.nested("fold"):
            forest.log_metrics({"accuracy": 0.9})

    carry(record(main))
    runs = found_runs()
    parents = {name: run.data.tags.get("mlflow.parentRunId") for name, run in runs.items()}
    assert parents == {"train": None, "forest": runs["train"].info.run_id, "fold": runs["forest"].info.run_id}
    assert runs["fold"].data.tags["lab.execution"] == "c1"
    assert runs["forest"].data.metrics == {"accuracy": 0.9}


def test_more_than_one_request_may_hold_arrives_whole(record: Record) -> None:
    def main(run: Run) -> None:
        run.log_params({f"p{number}": number for number in range(150)})
        run.log_params({"long": "x" * 10_000})
        for step in range(1200):
            run.log_metrics({"loss": step}, step=step)

    carry(record(main))
    run = found_runs()["train"]
    assert len(history(run, "loss")) == 1200
    assert len(run.data.params) == 151
    assert set(run.data.params["long"]) == {"x"}


def test_a_run_grows_while_its_process_runs(record: Record) -> None:
    journal = record(lambda run: run.log_metrics({"loss": 1.0}, step=0))
    complete = journal.read_text().splitlines(keepends=True)
    journal.write_text("".join(complete[:-1]))
    uploading = uploader(journal)
    uploading.carry(running=True)
    assert found_runs()["train"].info.status == "RUNNING"
    assert history(found_runs()["train"], "loss") == [(0, 1.0)]
    with journal.open("a") as file:
        file.write(complete[-1])
    uploading.carry(running=False)
    assert found_runs()["train"].info.status == "FINISHED"


def test_an_exception_fails_the_run_with_the_reason_where_mlflow_shows_it(record: Record) -> None:
    def main(run: Run) -> None:
        with run.nested("forest"):
            raise ZeroDivisionError("no rows")

    carry(record(main))
    for run in found_runs().values():
        assert run.info.status == "FAILED"
        assert run.data.tags["lab.failure"] == "ZeroDivisionError: no rows"
        assert "ZeroDivisionError: no rows" in run.data.tags["mlflow.note.content"]


def test_an_interrupted_run_is_killed(record: Record) -> None:
    def main(run: Run) -> None:
        raise KeyboardInterrupt

    carry(record(main))
    assert found_runs()["train"].info.status == "KILLED"


def test_a_process_that_ended_without_a_word_has_failed_and_so_have_its_open_nested_runs(record: Record) -> None:
    def main(run: Run) -> None:
        with run.nested("svm"):
            pass
        with run.nested("forest"):
            pass

    journal = record(main)
    without_last_two_ends = journal.read_text().splitlines(keepends=True)[:-2]
    journal.write_text("".join(without_last_two_ends) + '{"event": "met')
    carry(journal)
    runs = found_runs()
    assert {name: run.info.status for name, run in runs.items()} == {
        "train": "FAILED",
        "svm": "FINISHED",
        "forest": "FAILED",
    }
    assert runs["train"].data.tags["lab.failure"] == SILENT_END


@pytest.mark.parametrize("lose_progress", [True, False])
def test_carrying_again_from_any_point_makes_nothing_twice(record: Record, lose_progress: bool, tmp_path: Path) -> None:
    (tmp_path / "plot.svg").write_text("<svg/>")

    def main(run: Run) -> None:
        run.log_params({"lr": 0.1})
        with run.nested("forest") as forest:
            forest.log_artifact(tmp_path / "plot.svg")
        for step in range(20):
            run.log_metrics({"loss": step}, step=step)

    journal = record(main)
    content = journal.read_bytes()
    for length in range(0, len(content), len(content) // 7):
        journal.write_bytes(content[:length])
        carry(journal, running=True)
        if lose_progress:
            journal.with_suffix(".progress").unlink(missing_ok=True)
    journal.write_bytes(content)
    carry(journal)
    run = found_runs()["train"]
    assert history(run, "loss") == [(step, step) for step in range(20)]
    assert set(found_runs()) == {"train", "forest"}


def test_a_run_whose_making_was_not_answered_is_found_again(record: Record) -> None:
    store = connect()
    journal = record(lambda run: run.log_metrics({"loss": 1.0}))
    made = store.client.create_run(
        store.experiment, tags={"lab.journal": journal.stem, "lab.run": ROOT_RUN}, run_name="train"
    )
    carry(journal)
    assert found_runs()["train"].info.run_id == made.info.run_id


def test_a_twin_that_was_made_late_is_removed(record: Record) -> None:
    store = connect()
    journal = record(lambda run: run.log_metrics({"loss": 1.0}))
    uploading = uploader(journal)
    uploading.carry(running=True)
    store.client.create_run(store.experiment, tags={"lab.journal": journal.stem, "lab.run": ROOT_RUN}, run_name="train")
    uploading.carry(running=False)
    assert history(found_runs()["train"], "loss") == [(0, 1.0)]


def test_a_server_that_lost_its_runs_gets_them_again_from_the_beginning(
    record: Record, tmp_path: Path, empty_database: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal = record(lambda run: run.log_metrics({"loss": 1.0}))
    carry(journal, running=True)
    shutil.copy(empty_database, tmp_path / "another.db")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path / 'another.db'}")
    carry(journal)
    assert history(found_runs()["train"], "loss") == [(0, 1.0)]


def test_what_mlflow_refuses_is_left_out_and_named_and_the_rest_arrives(record: Record) -> None:
    def main(run: Run) -> None:
        run.log_params({"lr": 0.1})
        run.log_params({"depth": 3})
        run.log_params({"lr": 0.2})

    journal = record(main)
    carry(journal)
    run = found_runs()["train"]
    assert run.data.params == {"lr": "0.1", "depth": "3"}
    assert run.info.status == "FINISHED"
    assert "lr: " in run.data.tags["lab.incomplete"]
    assert journals(journal.parent) == []
    assert "lr" in journal.with_suffix(".refused").read_text().splitlines()[-1]


def test_names_that_mlflow_does_not_take_such_as_those_of_columns_are_written_otherwise(record: Record) -> None:
    question = "missing." + "How often, " * 30

    def main(run: Run) -> None:
        run.log_params(
            {"missing": {"Gewicht (kg)": "median", "a//b": 1, "a/b": 2}, question: "median", f"{question}?": "none"}
        )
        run.log_metrics({"recall.<50": 0.1, "recall.>50": 0.9, "recall.Größe": 0.5, "/top": 1.0})
        run.set_tags({"unit (kg)": "yes"})

    journal = record(main)
    carry(journal)
    run = found_runs()["train"]
    names = {name for name in run.data.params if not name.startswith("missing.How often_x002c_ How")}
    assert names == {"missing.Gewicht _x0028_kg_x0029_", "missing.a_x002f__x002f_b", "missing.a/b"}
    assert len(run.data.params) == 5
    recalls = {"recall._x003c_50": 0.1, "recall._x003e_50": 0.9, "recall.Größe": 0.5}
    assert run.data.metrics == {**recalls, "_x002f_top": 1.0}
    assert run.data.tags["unit _x0028_kg_x0029_"] == "yes"
    assert "lab.incomplete" not in run.data.tags
    assert not journal.with_suffix(".refused").exists()


def test_a_damaged_journal_is_set_aside_and_its_run_says_so(record: Record) -> None:
    journal = record(lambda run: run.log_metrics({"loss": 1.0}))
    whole = journal.read_text().splitlines(keepends=True)
    journal.write_text("".join(whole[:-1]))
    carry(journal, running=True)
    with journal.open("a") as file:
        file.write("{]\n")
    carry(journal)
    assert journal.with_suffix(".refused").exists()
    assert "the rest of the journal: JSONDecodeError" in found_runs()["train"].data.tags["lab.incomplete"]


def test_a_run_that_a_person_deleted_is_not_made_again(record: Record) -> None:
    journal = record(lambda run: run.log_metrics({"loss": 1.0}))
    carry(journal, running=True)
    mlflow_client().delete_run(found_runs()["train"].info.run_id)
    with journal.open("a") as file:
        file.write(journal.read_text())
    carry(journal)
    assert found_runs() == {}
    assert len(experiment_runs(deleted=True)) == 1


@pytest.fixture
def cached_plot(tmp_path: Path) -> Path:
    """A file that DVC's cache holds too."""
    plot = tmp_path / "plot.svg"
    plot.write_text("<svg/>")
    for command in (["init", "--quiet", "--no-scm"], ["add", "--quiet", "plot.svg"]):
        subprocess.run([sys.executable, "-m", "dvc", *command], cwd=tmp_path, check=True)
    return plot


def test_on_a_runner_the_journals_lie_outside_of_the_repository_that_has_the_cache(
    record: Record, cached_plot: Path, tmp_path: Path, shell: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal = record(lambda run: run.log_artifact(cached_plot))
    cached_plot.unlink()
    repository = tmp_path / "runner" / "workspace"
    repository.mkdir(parents=True)
    shell("git init --quiet && dvc init --quiet", repository)
    shutil.copy(ROOT / "params.yaml", repository)
    (tmp_path / ".dvc" / "cache").rename(repository / ".dvc" / "cache")
    shutil.rmtree(tmp_path / ".dvc")
    monkeypatch.setattr("labkit.tracking.uploader.ROOT", repository)
    carry(journal)
    assert artifact(found_runs()["train"], "plot.svg") == "<svg/>"


def test_a_file_that_changed_since_comes_from_dvcs_cache(record: Record, cached_plot: Path) -> None:
    journal = record(lambda run: run.log_artifact(cached_plot))
    cached_plot.unlink()
    cached_plot.write_text("<svg>another</svg>")
    carry(journal)
    assert artifact(found_runs()["train"], "plot.svg") == "<svg/>"


def test_a_file_whose_bytes_are_gone_is_named_and_no_other_bytes_take_its_place(record: Record, tmp_path: Path) -> None:
    plot = tmp_path / "plot.svg"
    plot.write_text("<svg/>")
    journal = record(lambda run: run.log_artifact(plot))
    plot.write_text("<svg>another</svg>")
    carry(journal)
    run = found_runs()["train"]
    assert mlflow_client().list_artifacts(run.info.run_id) == []
    assert "plot.svg: " in run.data.tags["lab.incomplete"]
    assert [run.lacking for run in runs_of_execution("c1", journal.parent)] == ["plot.svg"]
    assert run.info.status == "FINISHED"


def test_of_a_file_that_is_logged_twice_the_last_version_counts(record: Record, tmp_path: Path) -> None:
    plot = tmp_path / "plot.svg"

    def main(run: Run) -> None:
        for epoch in ("1", "2"):
            plot.write_text(epoch)
            run.log_artifact(plot)

    carry(record(main))
    run = found_runs()["train"]
    assert artifact(run, "plot.svg") == "2"
    assert "lab.incomplete" not in run.data.tags


def test_artifacts_lie_beside_the_database(record: Record, tmp_path: Path) -> None:
    carry(record(lambda run: None))
    assert found_runs()["train"].info.artifact_uri.startswith((tmp_path / "mlartifacts").as_uri())


def test_a_deleted_experiment_is_a_mistake_that_can_be_mended() -> None:
    client, experiment = connect()
    client.delete_experiment(experiment)
    with pytest.raises(InputError, match="'test' was deleted; restore it"):
        connect()


def test_the_experiment_is_named_in_params_unless_the_environment_names_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MLFLOW_EXPERIMENT_NAME")
    client, experiment = connect()
    named = read_params(CommonParams, ROOT / "params.yaml").project.name
    assert client.get_experiment(experiment).name == named


def test_reasons_tell_no_password() -> None:
    from labkit.tracking.uploader import explain

    assert (
        explain(OSError("https://me:secret@mlflow.example/api is gone"))  # pragma: allowlist secret
        == "OSError: https://mlflow.example/api is gone"
    )


def test_a_reason_is_the_databases_and_not_the_way_to_it() -> None:
    from labkit.tracking.uploader import explain

    way = "(raised as a result of Query-invoked autoflush; consider using a session.no_autoflush block)"
    assert explain(OSError(f"{way}\ndatabase or disk is full\n[SQL: ...]")) == "OSError: database or disk is full"
    assert explain(OSError()) == "OSError: "


@pytest.mark.parametrize("password", ["s3cr@hush", "s3cr/h@ush", "s3cr#hush"])
def test_no_part_of_mlflows_password_is_in_a_reason_or_an_address(
    password: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mlflow.exceptions import MlflowException

    from labkit.tracking.uploader import explain

    uri = f"http://me:{password}@127.0.0.1:9"
    monkeypatch.setattr("mlflow.get_tracking_uri", lambda: uri)  # what it was told, whatever it made of that
    with pytest.raises(requests.RequestException) as cause:
        requests.get(f"{uri}/api", timeout=5)
    error = MlflowException("no answer")
    error.__context__ = cause.value
    for words in (explain(error), explain(cause.value), without_credentials(uri)):
        assert not re.search("s3cr|ush", words)
