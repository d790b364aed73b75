"""The server as people start it, with the model that the pipeline made."""

import json
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from shutil import copytree
from typing import Any

import pandas as pd
import pytest
import requests

from labkit.testing.fixtures import Shell
from labkit.testing.mlflow_store import load_model
from labkit.testing.ports import free_port, is_up
from labkit.testing.waiting import WAIT_SECONDS, wait_until
from runtimes.serving.run import listen

pytestmark = pytest.mark.integration


@pytest.fixture
def lab(finished_lab: Path, tmp_path: Path) -> Path:
    return Path(copytree(finished_lab, tmp_path / "lab", symlinks=True))


@contextmanager
def serving(lab: Path, environment: dict[str, str], *options: str) -> Iterator[str]:
    """The address of a server that is up; it is ended by SIGTERM, and has to end by itself."""
    port = free_port()
    command = [sys.executable, "-m", "lab", "serve", "--port", str(port), *options]
    with (
        (lab / "log").open("w") as log,
        subprocess.Popen(command, cwd=lab, env=environment, stdout=subprocess.PIPE, stderr=log, text=True) as server,
    ):
        assert server.stdout is not None
        said = server.stdout.readline()
        assert f"answers at http://127.0.0.1:{port}" in said, (lab / "log").read_text()
        url = f"http://127.0.0.1:{port}"
        try:
            wait_until(lambda: is_up(url))
            yield url
            server.send_signal(signal.SIGTERM)
            assert server.wait(WAIT_SECONDS) in (0, -signal.SIGTERM)
        finally:
            server.kill()


def example(lab: Path) -> Any:
    return json.loads((lab / "artifacts/best_model/model/input_example.json").read_text(encoding="utf-8"))


def test_it_answers_as_the_model_does_and_leaves_its_files_alone(
    lab: Path, environment: dict[str, str], shell: Shell
) -> None:
    rows = example(lab)
    with serving(lab, environment) as url:
        answered = requests.post(f"{url}/invocations", json={"dataframe_split": rows}, timeout=30).json()
    assert json.loads(shell("dvc status --json", lab).stdout) == {}
    model = load_model(lab / "artifacts/best_model/model")
    wanted = model.predict(pd.DataFrame(rows["data"], columns=rows["columns"]))
    assert answered["predictions"] == wanted.to_dict("records")


def test_without_a_model_it_says_what_brings_one(lab: Path, shell: Shell) -> None:
    for option, told in (
        ("", "artifacts/best_model/model holds no model; `make run` (or `dvc pull`) brings it"),
        ("--model champion", "best-model has no 'champion'; its versions: none; `python -m lab register` makes one"),
        ("--model nowhere", "--model nowhere: no version, no folder with an MLmodel, and no revision of Git"),
    ):
        shell("rm -rf artifacts/best_model", lab)
        refused = shell(f"python -m lab serve {option}", lab, check=False)
        assert refused.returncode == 1
        assert refused.stderr == f"error: {told}\n" or refused.stderr.startswith(f"error: {told}")
        assert "Traceback" not in refused.stderr


def test_answers_are_sent_at_once_as_asyncio_does_for_sockets_that_name_tcp() -> None:
    with listen("127.0.0.1", 0) as listening:
        assert listening.proto == socket.IPPROTO_TCP


def test_where_it_cannot_listen_it_says_so_and_not_that_it_answers(lab: Path, shell: Shell) -> None:
    with socket.create_server(("127.0.0.1", 0)) as another:
        port = another.getsockname()[1]
        refused = shell(f"python -m lab serve --port {port}", lab, check=False)
    assert (refused.returncode, refused.stdout) == (1, "")
    assert refused.stderr.startswith(f"error: no server can listen at 127.0.0.1:{port}: ")


@pytest.mark.nightly
def test_it_follows_the_promotion_without_a_failed_request(
    lab: Path, environment: dict[str, str], tmp_path: Path, shell: Shell
) -> None:
    shell(f"git init --quiet --bare {tmp_path}/origin && git remote add origin {tmp_path}/origin", lab)
    shell("git push --quiet origin main && python -m lab register && python -m lab promote v1 --reason first", lab)
    rows, answers = {"dataframe_split": example(lab)}, []

    def version(url: str) -> str:
        answers.append(requests.post(f"{url}/invocations", json=rows, timeout=30))
        return answers[-1].headers["X-Model-Version"]

    with serving(lab, environment, "--model", "champion") as url:
        assert version(url) == "v1"
        shell(
            "sed -i 's/lr: 0.0003/lr: 0.001/' params.yaml && dvc repro && git commit --quiet --no-verify -am faster",
            lab,
        )
        shell("git push --quiet origin main && python -m lab register", lab)
        with subprocess.Popen(
            [sys.executable, "-m", "lab", "promote", "v2", "--reason", "faster", "--force"], cwd=lab, env=environment
        ) as promotion:
            wait_until(lambda: version(url) == "v2")
        assert promotion.returncode == 0
    assert {answer.status_code for answer in answers} == {200}
    assert "v2 answers in the place of v1" in (lab / "log").read_text()
