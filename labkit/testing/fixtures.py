"""Fixtures for tests of the whole repository."""

import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryFile

import pytest

from labkit.file_lock import locked
from labkit.paths import ROOT
from labkit.testing.example_lab import copy_lab, has_example

Shell = Callable[..., subprocess.CompletedProcess[str]]
Once = Callable[[str, Callable[[], Path]], Path]

IDENTITY = {
    f"GIT_{role}_{part}": f"test@{part}.example" for role in ("AUTHOR", "COMMITTER") for part in ("NAME", "EMAIL")
}
NO_EXAMPLE = "it walks the example, which is not here"
needs_example = pytest.mark.skipif(not has_example(ROOT), reason=NO_EXAMPLE)


@pytest.fixture(scope="session")
def environment(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The environment of a person who has set nothing: no tracking server, no identity but a test's."""
    # MAKE's too, so that a make within `make test` is as one that a person starts.
    settings = ("AWS_", "GIT_", "GITHUB_", "LAB_", "MAKE", "MFLAGS", "MLFLOW", "PYTEST", "PYTHON")
    kept = {k: v for k, v in os.environ.items() if not k.startswith(settings)}
    return kept | IDENTITY | {"DVC_NO_ANALYTICS": "1"}


@pytest.fixture(autouse=True)
def identity(monkeypatch: pytest.MonkeyPatch) -> None:
    """Git knows who commits, also in this process: a machine may have no identity."""
    for name, value in IDENTITY.items():
        monkeypatch.setenv(name, value)


@pytest.fixture(scope="session")
def shell(environment: dict[str, str]) -> Shell:
    """Run a command line in a folder; fails the test with the command's words when it fails."""

    def run(command: str, cwd: Path, check: bool = True, **variables: str) -> subprocess.CompletedProcess[str]:
        # To files: a pipe is read until the last process that holds it ends, and DVC leaves one to watch its queue.
        with TemporaryFile("w+") as out, TemporaryFile("w+") as err:
            given = environment | variables
            ended = subprocess.run(command, cwd=cwd, shell=True, env=given, stdout=out, stderr=err, timeout=600)
            out.seek(0)
            err.seek(0)
            done = subprocess.CompletedProcess(command, ended.returncode, out.read(), err.read())
        if check and done.returncode:
            pytest.fail(f"{command} exited with {done.returncode}:\n{done.stdout}\n{done.stderr}")
        return done

    return run


@pytest.fixture(scope="session")
def new_lab(tmp_path_factory: pytest.TempPathFactory, shell: Shell) -> Callable[[], Path]:
    """Make a copy of this repository with the example in it (example_lab.py), committed, with no results yet."""

    def make() -> Path:
        if not has_example(ROOT):
            pytest.skip(NO_EXAMPLE)
        lab = copy_lab(ROOT, tmp_path_factory.mktemp("lab"))
        shell("git init --quiet --initial-branch main && git add --all && git commit --quiet --no-verify -m lab", lab)
        return lab

    return make


@pytest.fixture(scope="session")
def once(tmp_path_factory: pytest.TempPathFactory) -> Once:
    """Have a folder made by the first worker of pytest-xdist that wants it, and used by all."""
    base = tmp_path_factory.getbasetemp()
    shared = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base

    def once(name: str, make: Callable[[], Path]) -> Path:
        made = shared / f"{name}.made"
        with locked(shared / f"{name}.lock"):
            if not made.exists():
                made.write_text(str(make()), encoding="utf-8")
        return Path(made.read_text(encoding="utf-8"))

    return once


@pytest.fixture(scope="session")
def empty_database(tmp_path_factory: pytest.TempPathFactory, once: Once) -> Path:
    """An SQLite store of MLflow's without runs: making one takes a second or more, copying it nothing."""

    def make() -> Path:
        from mlflow import MlflowClient

        database = tmp_path_factory.mktemp("mlflow") / "mlflow.db"
        MlflowClient(f"sqlite:///{database}").search_experiments()
        return database

    return once("mlflow", make)


@pytest.fixture(scope="session")
def mypy_cache(shell: Shell, once: Once) -> Path:
    """What mypy knows of this repository, to set as MYPY_CACHE_DIR: to learn it takes half a minute."""

    def make() -> Path:
        shell("mypy", ROOT, check=False)
        return ROOT / ".mypy_cache"

    return once("mypy_cache", make)


@pytest.fixture(scope="session")
def finished_lab(new_lab: Callable[[], Path], shell: Shell, once: Once) -> Path:
    """A copy in which the pipeline has run once, committed with its results. To change anything, copy it first."""

    def make() -> Path:
        lab = new_lab()
        shell("python -m lab run", lab)
        shell("git add --all && git commit --quiet --no-verify --allow-empty -m results", lab)
        return lab

    return once("finished_lab", make)
