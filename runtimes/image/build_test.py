"""The build context of an image: its file is sound, its server runs from it alone, its packages are locked.

There is no Docker here: the steps of the Dockerfile are run by themselves, and its base image is never seen.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import requests

from labkit.paths import ROOT
from labkit.process.errors import InputError
from labkit.process.files import read_json
from labkit.process.tracking import md5_of
from labkit.testing.fixtures import Shell
from labkit.testing.ports import free_port, is_up
from labkit.testing.waiting import WAIT_SECONDS, wait_until
from runtimes.image.build import build_context, serving_requirements
from runtimes.serving.model import Place

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def context(finished_lab: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The context of the model that the lab made."""
    model = Place(finished_lab / "artifacts/best_model/model", "best-model", "v1")
    return build_context(model, tmp_path_factory.mktemp("image") / "context")


@contextmanager
def serving(context: Path, python: str | Path, **variables: str) -> Iterator[str]:
    """The address of the server of a context, which has nothing of the lab, its environment included."""
    port = free_port()
    command = [str(python), "-m", "runtimes.serving.container", "best-model", "v1", "127.0.0.1", str(port)]
    alone = {"PATH": "/usr/bin:/bin", "HOME": str(context.parent), "PYTHONDONTWRITEBYTECODE": "1", **variables}
    with subprocess.Popen(command, cwd=context / "app", env=alone) as server:
        try:
            wait_until(lambda: is_up(f"http://127.0.0.1:{port}") or server.poll() is not None)
            assert server.poll() is None
            yield f"http://127.0.0.1:{port}"
            server.send_signal(signal.SIGTERM)
            assert server.wait(WAIT_SECONDS) in (0, -signal.SIGTERM)
        finally:
            server.kill()


def answers(url: str, context: Path, key: str) -> requests.Response:
    rows = json.loads((context / "app/model/input_example.json").read_text())
    headers = {"Authorization": f"Bearer {key}"}
    return requests.post(f"{url}/invocations", json={"dataframe_split": rows}, headers=headers, timeout=30)


def test_the_dockerfile_is_sound_and_nobody_is_root(context: Path, shell: Shell) -> None:
    shell("hadolint Dockerfile", context)
    lines = (context / "Dockerfile").read_text().splitlines()
    assert [line for line in lines if line.startswith("USER")] == ["USER 10001:10001"]
    assert len([line for line in lines if line.startswith("FROM python:3.11-slim")]) == 2
    copied = {word for line in lines if line.startswith("COPY") and "--from" not in line for word in line.split()[1:-1]}
    assert copied == {path.name for path in context.iterdir()} - {"Dockerfile"}


@pytest.mark.nightly
def test_the_server_runs_from_the_context_alone(context: Path) -> None:
    with serving(context, sys.executable, LAB_SERVE_KEY="word") as url:
        answered = answers(url, context, "word")
        assert answered.ok
        assert answered.headers["X-Model-Version"] == "v1"
        assert len(answered.json()["predictions"]) > 0
        assert answers(url, context, "another").status_code == 401


def test_the_packages_are_those_of_the_lock_with_hashes_and_no_tool_of_the_lab(context: Path) -> None:
    pinned = (context / "requirements.txt").read_text().splitlines()
    names = {line.partition("==")[0] for line in pinned}
    assert {"fastapi", "uvicorn", "pandas", "prometheus-client", "pyyaml"} <= names
    assert not names & {"dvc", "mlflow", "mlflow-skinny", "pytest", "optuna", "boto3", "uv"}
    assert [line for line in pinned if "==" not in line or "--hash=sha256:" not in line] == []


def test_the_same_model_is_the_same_bytes_and_takes_the_place_of_the_one_before(
    context: Path, finished_lab: Path, tmp_path: Path
) -> None:
    model = Place(finished_lab / "artifacts/best_model/model", "best-model", "v1")
    again = shutil.copytree(context, tmp_path / "again")
    (again / "app" / "left over").touch()
    build_context(model, again)
    assert md5_of(again) == md5_of(context)
    assert (context / "app/model/MLmodel").read_bytes() == (model.folder / "MLmodel").read_bytes()


def test_a_model_that_mlflow_loads_has_mlflow_in_its_image() -> None:
    version = read_json(ROOT / "Pipfile.lock")["default"]["mlflow"]["version"]
    assert "\nmlflow==" in serving_requirements(f"mlflow{version}\n", by_mlflow=True)
    assert "mlflow" not in serving_requirements(f"mlflow{version}\n")


def test_a_model_of_other_versions_than_the_lock_s_is_refused() -> None:
    with pytest.raises(InputError, match=r"made with joblib==0\.1 \(the lock has ==.*\): check out its commit"):
        serving_requirements("joblib==0.1\n")


def test_a_folder_of_one_s_own_is_not_replaced(finished_lab: Path, tmp_path: Path) -> None:
    (tmp_path / "mine").touch()
    with pytest.raises(InputError, match="is not a build context; name another folder with --to"):
        build_context(Place(finished_lab / "artifacts/best_model/model", "best-model", "v1"), tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]
    (tmp_path / "Dockerfile").write_text("FROM scratch\n")  # of a project that has nothing to do with this
    with pytest.raises(InputError, match="is not a build context"):
        build_context(Place(finished_lab / "artifacts/best_model/model", "best-model", "v1"), tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {"mine", "Dockerfile"}
    with pytest.raises(InputError, match="holds no model"):
        build_context(Place(tmp_path, "best-model", "v1"), tmp_path / "context")
    assert not (tmp_path / "context").exists()


@pytest.mark.nightly
def test_its_packages_can_be_installed_and_are_enough(context: Path, tmp_path: Path) -> None:
    """The installing step, in a clean folder, and the server on what it installed."""
    packages = tmp_path / "packages"
    python = str(Path(sys.base_prefix, "bin"))
    install = ["sh", "install.sh", "requirements.txt", str(packages)]
    subprocess.run(install, cwd=context, env=os.environ | {"PATH": f"{python}:/usr/bin:/bin"}, check=True)
    with serving(context, packages / "bin" / "python") as url:
        assert answers(url, context, "").ok
