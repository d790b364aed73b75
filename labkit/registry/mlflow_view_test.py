"""MLflow's registry shows what Git says, in a real SQLite store: made again, repeated, followed, and away."""

import json
import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from labkit.git_cli import git
from labkit.registry.conftest import NAME, Lab
from labkit.registry.state import Registry, read_registry
from labkit.registry.sync import show_in_mlflow
from labkit.registry.verbs import promote, register, rollback
from labkit.testing.mlflow_store import download, experiment_runs, mlflow_client
from labkit.tracking import tracker

if TYPE_CHECKING:
    from mlflow.entities.model_registry import ModelVersion

pytestmark = pytest.mark.integration

VERSION_TAG = "lab.tag"
TAGS = [f"{NAME}@v1.0.0", f"{NAME}@v2.0.0"]


@pytest.fixture(autouse=True)
def store(tmp_path: Path, empty_database: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty store, which this process uses."""
    for name, value in tracker.SETTINGS.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("MLFLOW_EXPERIMENT_NAME", "test")
    return use(tmp_path / "mlflow.db", empty_database, monkeypatch)


def use(database: Path, empty: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    shutil.copy(empty, database)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{database}")
    return database


def shown() -> "dict[str, ModelVersion]":
    """The versions in MLflow by the tag that they follow; a tag that is there twice fails the test."""
    found = mlflow_client().search_model_versions(f"name='{NAME}'")
    assert len({one.tags[VERSION_TAG] for one in found}) == len(found)
    return {one.tags[VERSION_TAG]: one for one in sorted(found, key=lambda one: int(one.version))}


def model_of(version: "ModelVersion") -> str:
    place = mlflow_client().get_model_version_download_uri(NAME, str(version.version))
    return (download(place) / "MLmodel").read_text()  # by models:/ MLflow may recall another store's of this number


def sync(registry: Registry) -> list[str]:
    from labkit.registry import mlflow_view

    return mlflow_view.sync(registry)


def champion() -> str:
    return mlflow_client().get_model_version_by_alias(NAME, "champion").tags[VERSION_TAG]


def registered() -> Registry:
    for commit in ("first", "better"):
        register(commit)
    return promote("v2", "Better")


def test_versions_and_the_alias_follow_and_nothing_is_done_twice(lab: Lab) -> None:
    register("first", "Try")
    show_in_mlflow(promote("v1", "Good"))
    register("better")
    registry = promote("v2", "Better")
    assert sync(registry) == [
        f"{NAME} v2 is version 2 in MLflow",
        f"MLflow's alias champion of {NAME} is v2",
    ]
    assert sync(registry) == []
    first, second = shown().values()
    assert [first.tags[VERSION_TAG], second.tags[VERSION_TAG]] == TAGS
    assert (first.description, first.tags["lab.commit"]) == ("v1: Try", git("rev-parse", "first"))
    assert first.tags["lab.goals"] == "1 of 1 met, 1 ambition open"
    assert [model_of(one) for one in (first, second)] == ["model 36 of 40\n", "model 39 of 40\n"]
    assert champion() == TAGS[1]
    sync(rollback("It fails"))
    assert champion() == TAGS[0]


def test_a_lost_store_is_made_again_from_the_tags(
    lab: Lab, store: Path, empty_database: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sync(registered())
    before = {tag: (one.version, one.description, one.tags, model_of(one)) for tag, one in shown().items()}
    use(store.with_name("another.db"), empty_database, monkeypatch)
    shutil.rmtree(store.with_name("mlartifacts"))
    monkeypatch.chdir(lab.other)  # whose cache is empty: DVC's remote has the models
    sync(read_registry(NAME))
    assert {tag: (one.version, one.description, one.tags, model_of(one)) for tag, one in shown().items()} == before
    assert champion() == TAGS[1]


def test_a_server_that_is_away_holds_up_nothing_and_the_same_command_sends_the_rest(
    lab: Lab, store: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with monkeypatch.context() as away:
        away.setenv("MLFLOW_TRACKING_URI", "http://user:secret@127.0.0.1:9")  # pragma: allowlist secret
        away.delenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES")  # by MLflow's own default it would wait for minutes
        show_in_mlflow(register("first"))
        show_in_mlflow(promote("v1", "Good"))
        assert os.environ["MLFLOW_HTTP_REQUEST_MAX_RETRIES"] == "0"
    told = capsys.readouterr().err
    assert told.count("not in MLflow yet: http://127.0.0.1:9 does not answer: ") == 2
    assert "secret" not in told
    assert len(lab.tags(lab.origin)) == 2
    show_in_mlflow(promote("v1", "Good"))
    assert f"\n{NAME} v1 is version 1 in MLflow\n" in capsys.readouterr().out
    show_in_mlflow(read_registry(NAME))
    assert capsys.readouterr().out == "MLflow shows it already\n"
    assert list(shown()) == TAGS[:1]
    assert champion() == TAGS[0]


def test_what_broke_off_in_the_middle_goes_on_and_twins_are_made_one(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    registry = registered()
    with monkeypatch.context() as broken:
        broken.setattr(type(mlflow_client()), "create_model_version", lambda *_, **__: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            sync(registry)
    sync(registry)
    client = mlflow_client()
    assert len(experiment_runs()) == 2
    twin = shown()[TAGS[0]]
    client.create_model_version(NAME, str(twin.source), twin.run_id, {VERSION_TAG: TAGS[0]})
    client.create_model_version(NAME, str(twin.source), tags={"mine": "by hand"})
    sync(registry)
    by_hand = [one for one in client.search_model_versions(f"name='{NAME}'") if "mine" in one.tags]
    assert len(by_hand) == 1
    client.delete_model_version(NAME, by_hand[0].version)
    assert [(tag, str(one.version)) for tag, one in shown().items()] == [(TAGS[0], "1"), (TAGS[1], "2")]


def test_a_withdrawn_champion_loses_the_alias(lab: Lab) -> None:
    sync(registered())
    git("tag", "--annotate", "--message", "It leaks", f"{NAME}@v2.0.0!#2", "better")
    git("push", "--quiet", "origin", f"{NAME}@v2.0.0!#2")
    assert sync(read_registry(NAME)) == [
        f"{NAME} v2 is marked as withdrawn in MLflow",
        f"MLflow's alias champion of {NAME} is gone",
    ]
    assert sync(read_registry(NAME)) == []


@pytest.mark.parametrize("same", [True, False])
def test_a_version_is_of_the_run_that_logged_its_very_bytes(
    lab: Lab, same: bool, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", raising=False)
    client = mlflow_client()
    experiment = client.create_experiment("test")
    tags = {"lab.stage": "select", "mlflow.source.git.commit": git("rev-parse", "first^")}
    run = client.create_run(experiment, tags=tags).info.run_id
    git("checkout", "--quiet", "first")
    if not same:
        Path("src/model/MLmodel").write_text("another of the same commit\n")
    client.log_artifacts(run, "src/model", "model")
    client.set_terminated(run)
    git("checkout", "--quiet", "--force", "main")
    show_in_mlflow(register("first"))
    assert "artifacts" not in capsys.readouterr().err  # no bar without a terminal
    (version,) = shown().values()
    assert (version.run_id == run) is same
    assert model_of(version) == "model 36 of 40\n"


def test_a_model_that_is_lost_is_told_and_no_half_of_it_registered(
    lab: Lab, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    register("first")
    model = git("show", "first:dvc.lock").partition("path: out/model\n")[2].split()[3].removesuffix(".dir")
    folder = json.loads(Path(f"../share/files/md5/{model[:2]}/{model[2:]}.dir").read_text())
    Path(f"../share/files/md5/{folder[0]['md5'][:2]}/{folder[0]['md5'][2:]}").unlink()
    monkeypatch.chdir(lab.other)
    show_in_mlflow(read_registry(NAME))
    assert f"not in MLflow yet: out/model of {NAME} v1 is neither in DVC's cache" in capsys.readouterr().err
    assert shown() == {}


def test_a_registry_without_versions_makes_nothing(lab: Lab) -> None:
    assert sync(read_registry(NAME)) == []
    assert mlflow_client().search_registered_models() == []
