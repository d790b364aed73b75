"""A real Airflow, in an environment of its own, runs the pipeline: what it leaves is what one machine leaves."""

import secrets
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import psutil
import pytest

from labkit.launch.environments import LOCK, install, run_uv
from labkit.paths import RUNTIMES
from labkit.testing.fixtures import Once, Shell
from labkit.testing.ports import free_port, is_up
from labkit.testing.waiting import wait_until
from runtimes.sandbox.start import down, up
from runtimes.sandbox.state import Sandbox

pytestmark = [pytest.mark.integration, pytest.mark.nightly]

HERE = RUNTIMES / "airflow"
DONE_SECONDS = 900.0


@pytest.fixture(scope="module")
def airflow(tmp_path_factory: pytest.TempPathFactory, once: Once) -> Path:
    """The command of an Airflow that is installed as the lock says."""

    def make() -> Path:
        environment = tmp_path_factory.mktemp("airflow") / "environment"
        run_uv("venv", "--python", sys.executable, str(environment))
        install(HERE / LOCK, environment / "bin" / "python", groups=("default",))
        return environment / "bin" / "airflow"

    return once("airflow", make)


@pytest.fixture
def settings_for(airflow: Path, tmp_path: Path, shell: Shell) -> Callable[[Path], dict[str, str]]:
    """Settle a clone for Airflow, as the docs say, and return Airflow's settings, for a home of its own."""

    def settings(clone: Path) -> dict[str, str]:
        shell("mkdir -p .lab && python -m lab plan > .lab/plan.json", clone)
        found = {
            "AIRFLOW_HOME": str(tmp_path / "airflow"),
            "AIRFLOW__CORE__DAGS_FOLDER": str(HERE),
            "AIRFLOW__CORE__LOAD_EXAMPLES": "false",
            "LAB_CLONE": str(clone),
        }
        shell(f"{airflow} db migrate", clone, **found)
        return found

    return settings


def test_a_dag_run_leaves_what_one_machine_leaves(
    airflow: Path, settings_for: Callable[[Path], dict[str, str]], tiny_lab: Path, shell: Shell
) -> None:
    lab, origin = tiny_lab / "alone", tiny_lab / "origin"
    (lab / ".venv").symlink_to(sys.prefix)
    settings = settings_for(lab)
    before = shell("git rev-parse main", origin).stdout
    assert shell(f"{airflow} dags test lab", lab, check=False, HINDRANCE="false", **settings).returncode == 1
    assert shell("git log -1 --format=%s main", origin).stdout.startswith("Incomplete results of ")
    assert shell("git rev-parse main^", origin).stdout == before
    shell(f"{airflow} dags test lab", lab, **settings)
    shell("dvc repro", lab)
    assert shell("git show main:dvc.lock", origin).stdout == (lab / "dvc.lock").read_text()
    assert "Results of " in shell("git log -1 --format=%s main^2", origin).stdout


@pytest.fixture
def sandbox(finished_lab: Path, tmp_path: Path) -> Iterator[Sandbox]:
    """A sandbox for its Git and its S3."""
    try:
        yield up(tmp_path / "sandbox", free_port(), free_port(), source=finished_lab)
    finally:
        down(tmp_path / "sandbox")


@pytest.fixture
def scheduling(
    airflow: Path,
    settings_for: Callable[[Path], dict[str, str]],
    sandbox: Sandbox,
    tmp_path: Path,
    environment: dict[str, str],
    shell: Shell,
) -> Iterator[dict[str, str]]:
    """The settings of an Airflow that schedules the lab of the sandbox's clone, of which nothing has run."""
    shell("git rm --quiet dvc.lock && git commit --quiet --no-verify -m Anew && git push --quiet", sandbox.clone)
    port = free_port()
    settings = settings_for(sandbox.clone) | {
        "AIRFLOW__API_AUTH__JWT_SECRET": secrets.token_urlsafe(64),
        "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"http://127.0.0.1:{port}/execution/",
        "AIRFLOW__CORE__EXECUTOR": "LocalExecutor",
        "AIRFLOW__CORE__PARALLELISM": "2",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS": "True",
        "AIRFLOW__CORE__DEFAULT_TASK_RETRIES": "1",
        "AIRFLOW__CORE__DEFAULT_TASK_RETRY_DELAY": "1",
    }
    commands = (
        ["api-server", "--host", "127.0.0.1", "--port", str(port), "--workers", "1"],
        ["scheduler", "--skip-serve-logs"],
        ["dag-processor"],
    )
    started = []
    try:
        for words in commands:
            with (tmp_path / f"{words[0]}.log").open("w") as log:
                given = environment | settings
                started.append(psutil.Popen([airflow, *words], env=given, stdout=log, stderr=subprocess.STDOUT))
            if words[0] == "api-server":  # else the first tasks would be tried before it answers
                wait_until(lambda: is_up(f"http://127.0.0.1:{port}", "/api/v2/version"))
        yield settings
    finally:
        ended = [one for process in started for one in (*process.children(recursive=True), process)]
        for process in ended:
            process.terminate()
        alive = psutil.wait_procs(ended, 15)[1]
        for process in alive:
            process.kill()
        psutil.wait_procs(alive)


def processes_of(stage: str) -> list[psutil.Process]:
    """The processes of a stage's task."""
    return [
        process
        for process in psutil.process_iter(["cmdline"])
        if {"labkit.distribute", "task", stage} <= {*(process.info["cmdline"] or [])}
    ]


def test_a_killed_stage_is_retried(
    airflow: Path, scheduling: dict[str, str], sandbox: Sandbox, finished_lab: Path, shell: Shell
) -> None:
    clone, stage = sandbox.clone, "train_dnn_pytorch"
    trigger = f"{airflow} dags unpause --yes lab && {airflow} dags trigger lab --run-id airflow-1"
    wait_until(lambda: shell(trigger, clone, check=False, **scheduling).returncode == 0)
    wait_until(lambda: any(process.children(recursive=True) for process in processes_of(stage)), DONE_SECONDS)
    (task,) = processes_of(stage)
    for process in (*task.children(recursive=True), task):
        process.kill()
    wait_until(lambda: not shell("git log -1 --format=%s main", sandbox.origin).stdout.startswith("Anew"), DONE_SECONDS)
    assert shell("git log -1 --format=%s main", sandbox.origin).stdout == "Results of airflow-1\n"
    assert shell("git show main:dvc.lock", sandbox.origin).stdout == (finished_lab / "dvc.lock").read_text()
    with closing(sqlite3.connect(Path(scheduling["AIRFLOW_HOME"]) / "airflow.db")) as database:
        tries = dict(database.execute("select task_id, try_number from task_instance"))
    assert {name for name, number in tries.items() if number > 1} == {stage}
