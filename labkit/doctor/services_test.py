"""The checks of the services, against real ones: an S3 server, an MLflow server and Git remotes, well and ill."""

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from labkit.doctor.check import Check
from labkit.doctor.services import check_mlflow, check_origin, check_remote
from labkit.testing.fixtures import Shell
from labkit.testing.mlflow_store import mlflow_client
from labkit.testing.ports import free_port, is_up
from labkit.testing.waiting import wait_until

pytestmark = pytest.mark.integration

KEY, SECRET = "key-of-the-test", "secret-of-the-test"  # pragma: allowlist secret
KEYS = {"access_key_id": KEY, "secret_access_key": SECRET, "verify": "true"}

CheckRemote = Callable[..., Check]


@pytest.fixture(autouse=True)
def nothing_set() -> Iterator[None]:
    """No service and no runner in the environment; and what the checks set there ends with the test."""
    before = os.environ.copy()
    for name in before:
        if name.startswith(("AWS_", "MLFLOW_", "GITHUB_")):
            del os.environ[name]
    yield
    os.environ.clear()
    os.environ.update(before)


@pytest.fixture
def dead_port() -> int:
    return free_port()


@pytest.fixture
def silent_server() -> Iterator[str]:
    """It takes connections, and never says a word."""
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        yield f"http://127.0.0.1:{server.getsockname()[1]}"


# The DVC remote


@pytest.fixture(scope="module")
def s3_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("s3")
    (folder / "bucket").mkdir()
    return folder


@pytest.fixture(scope="module")
def s3(s3_folder: Path) -> Iterator[str]:
    """The URL of an S3 server with one bucket."""
    with serving(s3_folder) as url:
        yield url


@contextmanager
def serving(folder: Path, *options: str) -> Iterator[str]:
    """Serve the folders of a folder as buckets."""
    command = ["rclone", "serve", "s3", "--addr", "127.0.0.1:0", "--auth-key", f"{KEY},{SECRET}", *options, str(folder)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as server:
        assert server.stderr
        found = (re.search(r"server on \[(http://[\d.:]+)", line) for line in server.stderr)
        yield next(match[1] for match in found if match)
        server.terminate()


@pytest.fixture
def remote(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> CheckRemote:
    """Check a DVC remote with these settings."""

    def check(url: str, **settings: str) -> Check:
        (tmp_path / ".dvc").mkdir()
        lines = ["[core]", "remote = storage", "no_scm = true", "['remote \"storage\"']", f"url = {url}"]
        lines += [f"{name} = {value}" for name, value in settings.items()]
        (tmp_path / ".dvc" / "config").write_text("\n".join(lines), encoding="utf-8")
        monkeypatch.chdir(tmp_path)
        return check_remote()

    return check


def test_a_remote_is_used_and_left_as_it_was(remote: CheckRemote, s3: str, s3_folder: Path) -> None:
    check = remote("s3://bucket/dvc", endpointurl=s3, **KEYS)
    assert check == ("DVC remote", "ok", f"s3://bucket/dvc at {s3}: wrote, read and removed an object", "")
    assert [path for path in s3_folder.rglob("*") if path.is_file()] == []


def test_the_key_may_come_from_the_environment(remote: CheckRemote, s3: str) -> None:
    os.environ |= {"AWS_ACCESS_KEY_ID": KEY, "AWS_SECRET_ACCESS_KEY": SECRET}
    assert remote("s3://bucket/dvc", endpointurl=s3, verify="true").state == "ok"


def test_a_remote_whose_objects_dvc_does_not_hash_is_a_warning(remote: CheckRemote, s3: str) -> None:
    check = remote("s3://bucket/dvc", endpointurl=s3, **KEYS | {"verify": "false"})
    assert check.state == "warning"
    assert "can run code on colleagues' machines" in check.found
    assert check.fix == "`dvc remote modify storage verify true`, and commit it"


def test_a_server_that_is_away_is_named(remote: CheckRemote, dead_port: int) -> None:
    check = remote(
        "s3://bucket/dvc", endpointurl=f"http://127.0.0.1:{dead_port}", access_key_id=KEY, secret_access_key=SECRET
    )
    assert check.state == "problem"
    assert f"s3://bucket/dvc at http://127.0.0.1:{dead_port} does not answer" in check.found
    assert "--s3-endpoint" in check.fix


def test_a_server_that_says_nothing_is_not_waited_for(
    remote: CheckRemote, silent_server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("labkit.pipeline.remote.SECONDS_TO_ANSWER", 1)
    check = remote("s3://bucket/dvc", endpointurl=silent_server, **KEYS)
    assert check.state == "problem"
    assert f"at {silent_server} does not answer" in check.found


@pytest.mark.parametrize("wrong", [{"access_key_id": "other"}, {"secret_access_key": "other"}])
def test_a_wrong_key_is_told_from_a_dead_server(remote: CheckRemote, s3: str, wrong: dict[str, str]) -> None:
    check = remote("s3://bucket/dvc", endpointurl=s3, **(KEYS | wrong))
    assert check.state == "problem"
    assert f"s3://bucket/dvc at {s3} refuses the key" in check.found
    assert "python -m lab setup" in check.fix


def test_on_a_runner_a_missing_key_is_mended_by_the_secrets(remote: CheckRemote, s3: str) -> None:
    # A secret that is not set is an empty variable there.
    os.environ |= {"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": "", "GITHUB_ACTIONS": "true"}
    os.environ |= {"AWS_SHARED_CREDENTIALS_FILE": os.devnull, "AWS_EC2_METADATA_DISABLED": "true"}
    check = remote("s3://bucket/dvc", endpointurl=s3)
    assert (check.state, check.found) == ("problem", f"s3://bucket/dvc at {s3}: there is no key for it")
    assert "gh secret set MINIO_ACCESS_KEY_ID" in check.fix


def test_a_missing_bucket_is_named_and_not_made(remote: CheckRemote, s3: str, s3_folder: Path) -> None:
    check = remote("s3://none/dvc", endpointurl=s3, **KEYS)
    assert (check.state, check.found) == ("problem", f"s3://none/dvc at {s3}: there is no bucket none")
    assert not (s3_folder / "none").exists()


def test_a_bucket_that_is_read_only_is_named_as_that(remote: CheckRemote, s3_folder: Path) -> None:
    with serving(s3_folder, "--read-only") as url:
        check = remote("s3://bucket/dvc", endpointurl=url, **KEYS)
    assert check.state == "problem"
    assert check.found.startswith(f"s3://bucket/dvc at {url} is read-only for this lab: it can be read, and a write is")
    assert check.fix.startswith("let this key write there")


@pytest.mark.parametrize("kind", ["s3", "folder"])
def test_a_run_cache_that_repro_would_take_results_from_is_a_problem(
    remote: CheckRemote, s3: str, s3_folder: Path, tmp_path: Path, kind: str
) -> None:
    place = s3_folder / "bucket" / "poisoned" if kind == "s3" else tmp_path / "share"
    entry = place / "runs" / "ab" / "abcd" / "1234"
    entry.parent.mkdir(parents=True)
    entry.touch()
    check = remote("s3://bucket/poisoned", endpointurl=s3, **KEYS) if kind == "s3" else remote(str(place))
    assert check.state == "problem"
    assert "holds a run cache, " in check.found
    assert check.found.endswith("/runs: DVC takes results from it and checks nothing")
    shutil.rmtree(place)


def test_a_folder_may_be_the_remote(remote: CheckRemote, tmp_path: Path) -> None:
    assert remote(str(tmp_path / "share")).state == "ok"
    assert [*(tmp_path / "share").rglob("*")] == []


def test_a_folder_that_cannot_be_written_is_a_problem(remote: CheckRemote, tmp_path: Path) -> None:
    (tmp_path / "share").write_text("no folder", encoding="utf-8")
    assert remote(str(tmp_path / "share")).state == "problem"


@pytest.mark.parametrize(("runner", "state"), [("", "ok"), ("true", "problem")])
def test_without_a_remote_a_laptop_works_and_a_runner_does_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, runner: str, state: str
) -> None:
    (tmp_path / ".dvc").mkdir()
    (tmp_path / ".dvc" / "config").write_text("[core]\nno_scm = true\n", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    os.environ["GITHUB_ACTIONS"] = runner
    assert check_remote().state == state


# MLflow


@pytest.fixture(scope="module")
def mlflow_folder(tmp_path_factory: pytest.TempPathFactory, empty_database: Path) -> Path:
    folder = tmp_path_factory.mktemp("server")
    shutil.copy(empty_database, folder / "mlflow.db")
    return folder


@pytest.fixture(scope="module")
def mlflow_server(mlflow_folder: Path) -> Iterator[str]:
    """The URL of an MLflow server."""
    port = free_port()
    command = [sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port), "--workers", "1"]
    command += ["--backend-store-uri", "sqlite:///mlflow.db", "--artifacts-destination", "./artifacts"]
    environment = {**os.environ, "MLFLOW_DISABLE_TELEMETRY": "true", "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
    with (mlflow_folder / "log").open("w") as log:
        server = subprocess.Popen(
            command, cwd=mlflow_folder, env=environment, stdout=log, stderr=log, start_new_session=True
        )
    url = f"http://127.0.0.1:{port}"
    try:
        wait_until(lambda: is_up(url, "/health"), log=mlflow_folder / "log")
        yield url
    finally:
        os.killpg(server.pid, signal.SIGKILL)
        server.wait()


def test_mlflow_is_used_and_what_that_left_is_deleted(mlflow_server: str, mlflow_folder: Path) -> None:
    from mlflow.entities import ViewType

    os.environ |= {"MLFLOW_TRACKING_URI": mlflow_server, "MLFLOW_EXPERIMENT_NAME": "well"}
    assert check_mlflow() == ("MLflow", "ok", f"{mlflow_server}: made a run with an artifact, and deleted both", "")
    client = mlflow_client(mlflow_server)
    experiments = [experiment.experiment_id for experiment in client.search_experiments()]
    assert client.search_runs(experiments) == []
    assert len(client.search_runs(experiments, run_view_type=ViewType.DELETED_ONLY)) == 1
    assert [path for path in (mlflow_folder / "artifacts").rglob("*") if path.is_file()] == []


def test_mlflow_whose_artifacts_are_gone_is_told_from_a_dead_one(mlflow_server: str, mlflow_folder: Path) -> None:
    os.environ |= {"MLFLOW_TRACKING_URI": mlflow_server, "MLFLOW_EXPERIMENT_NAME": "ill"}
    shutil.rmtree(mlflow_folder / "artifacts", ignore_errors=True)
    (mlflow_folder / "artifacts").write_text("no folder any more", encoding="utf-8")
    try:
        check = check_mlflow()
    finally:
        (mlflow_folder / "artifacts").unlink()
    assert check.state == "problem"
    assert f"{mlflow_server}, asked to store an artifact: " in check.found
    client = mlflow_client(mlflow_server)
    assert client.search_runs([experiment.experiment_id for experiment in client.search_experiments()]) == []


def test_a_deleted_experiment_is_told(mlflow_server: str) -> None:
    os.environ |= {"MLFLOW_TRACKING_URI": mlflow_server, "MLFLOW_EXPERIMENT_NAME": "deleted"}
    client = mlflow_client(mlflow_server)
    client.delete_experiment(client.create_experiment("deleted"))
    check = check_mlflow()
    assert check.state == "problem"
    assert "experiment 'deleted' was deleted; restore it" in check.found


@pytest.mark.parametrize(
    ("runner", "fix"), [("", "MLFLOW_TRACKING_URI"), ("true", "gh variable set MLFLOW_TRACKING_URI")]
)
def test_mlflow_that_is_away_is_named_without_its_password(dead_port: int, runner: str, fix: str) -> None:
    os.environ["GITHUB_ACTIONS"] = runner
    os.environ["MLFLOW_TRACKING_URI"] = f"http://me:hidden@127.0.0.1:{dead_port}"  # pragma: allowlist secret
    check = check_mlflow()
    assert check.state == "problem"
    assert check.found.startswith(f"http://127.0.0.1:{dead_port}, asked to find the experiment: does not answer")
    assert fix in check.fix
    assert "hidden" not in str(check)


def test_mlflow_that_says_nothing_is_not_waited_for(silent_server: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("labkit.doctor.services.SECONDS_TO_ANSWER", 1)
    os.environ["MLFLOW_TRACKING_URI"] = silent_server
    assert check_mlflow().state == "problem"


@pytest.mark.parametrize(("runner", "state"), [("", "ok"), ("true", "problem")])
def test_without_mlflow_a_laptop_works_and_a_runner_does_not(runner: str, state: str) -> None:
    os.environ |= {"MLFLOW_TRACKING_URI": "", "GITHUB_ACTIONS": runner}  # a variable that is not set is empty there
    assert check_mlflow().state == state


# Git's remote


def test_a_git_remote_answers_or_not(tmp_path: Path, shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    shell("git init --quiet --bare origin && git init --quiet work", tmp_path)
    monkeypatch.chdir(tmp_path / "work")
    assert "no `origin` yet" in check_origin().found
    shell("git remote add origin ../origin", tmp_path / "work")
    assert check_origin() == ("git remote", "ok", "../origin answers", "")
    shell("git remote set-url origin ../nowhere", tmp_path / "work")
    assert check_origin().state == "problem"
    assert "../nowhere does not answer" in check_origin().found


def test_a_git_remote_that_says_nothing_is_not_waited_for(
    tmp_path: Path, shell: Shell, silent_server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("labkit.doctor.services.SECONDS_TO_ANSWER", 1)
    address = silent_server.replace("//", "//me:hidden@")
    shell(f"git init --quiet && git remote add origin {address}", tmp_path)
    monkeypatch.chdir(tmp_path)
    check = check_origin()
    assert (check.state, check.found) == ("problem", f"{silent_server} does not answer: no answer in 1 s")
