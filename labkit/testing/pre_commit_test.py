"""The Git hooks pass this repository, refuse what they are for, and stand in nobody's way."""

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import pytest
import yaml

from labkit.paths import ROOT
from labkit.testing.fixtures import Shell

BIN = Path(sys.prefix) / "bin"
# As an editor's commit button has it: no activated environment.
PATH = os.pathsep.join(part for part in os.environ["PATH"].split(os.pathsep) if Path(part).resolve() != BIN.resolve())

NOTEBOOK = {
    "cells": [{"cell_type": "code", "id": "a", "execution_count": 1, "metadata": {}, "outputs": [], "source": ["1\n"]}],
    "metadata": {},
    "nbformat": 4,
    "nbformat_minor": 5,
}
WORKFLOW = """
name: a
on: push
permissions: {}
jobs:
  a:
    runs-on: ubuntu-latest
    steps:
      - run: echo ${{ github.ref_name }}
"""
# What each hook refuses, as (hook, file, content).
BAD_FILES = [
    ("large-files", "table.csv", "1,2,3\n" * 200_000),
    ("merge-conflicts", "notes.md", "<" * 7 + " HEAD\n"),
    ("broken-symlinks", "link", None),
    ("yaml", "settings.yaml", "a: [1\n"),
    ("trailing-whitespace", "notes.md", "word \n"),
    ("end-of-files", "notes.md", "word"),
    ("secrets", "settings.sh", "export AWS_ACCESS_KEY_ID=AKIA" + "Z7QW3E9RTY5U1OPX\n"),
    ("notebooks", "lab/analysis/new.ipynb", json.dumps(NOTEBOOK)),
    ("ruff-check", "lib/new.py", "import os\n"),
    ("ruff-format", "lib/new.py", "a=1\n"),
    ("mypy", "lib/new.py", "a: int = ''\n"),
    ("imports", "labkit/new.py", "import lib.viz\n"),
    ("params", "params.yaml", "project: {name: 3}\n"),
    ("figures", "notes.md", "0.5<!--= params.yaml#training.no_such -->\n"),
    ("workflows", ".github/workflows/new.yml", "on: push\njobs: {a: {}}\n"),
    ("workflows-security", ".github/workflows/new.yml", WORKFLOW),
    ("workflows-run", ".github/workflows/new.yml", WORKFLOW.replace("github.ref_name", "secretz.a")),
    ("dependabot", ".github/dependabot.yml", "version: 2\nupdates: [{package-ecosystem: pip}]\n"),
]
OF_WHAT_IS_LEFT_OUT = {"pipeline-files"}
DVC_HOOKS = {"dvc-pre-commit", "dvc-pre-push"}

InClone = Callable[..., CompletedProcess[str]]


def hooks() -> list[dict[str, Any]]:
    config = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8"))
    return [{"repo": repo["repo"], **hook} for repo in config["repos"] for hook in repo["hooks"]]


@pytest.fixture(scope="module")
def clone(new_lab: Callable[[], Path]) -> Path:
    """A copy of this repository with this environment as its .venv."""
    folder = new_lab()
    (folder / ".venv").symlink_to(sys.prefix)
    (folder / ".git" / "info" / "exclude").write_text(".venv\n", encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def do(clone: Path, shell: Shell, mypy_cache: Path) -> InClone:
    """Run a command line in the clone."""
    return lambda command, check=True: shell(command, clone, check, PATH=PATH, MYPY_CACHE_DIR=str(mypy_cache))


@pytest.fixture(scope="module")
def with_hooks(clone: Path, do: InClone, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The clone, with the hooks installed and a Git remote."""
    do(".venv/bin/pre-commit install && .venv/bin/python -m labkit.publish.merge_driver --install")
    origin = tmp_path_factory.mktemp("origin")
    do(f"git init --quiet --bare {origin} && git remote add origin {origin}")
    return clone


@pytest.mark.unittest
def test_every_tool_comes_from_the_lock() -> None:
    """Nothing is downloaded by pre-commit itself, so that no version stands in two places."""
    words = {word for hook in hooks() for word in hook["entry"].replace("'", " ").split()}
    tools = {word.removeprefix(".venv/bin/") for word in words if word.startswith(".venv/bin/")}
    assert [tool for tool in tools if not (BIN / tool).exists()] == []
    assert {(hook["repo"], hook["language"]) for hook in hooks()} == {("local", "system")}


@pytest.mark.unittest
def test_every_hook_is_shown_to_refuse_something() -> None:
    assert {hook["id"] for hook in hooks()} == {hook for hook, _, _ in BAD_FILES} | OF_WHAT_IS_LEFT_OUT | DVC_HOOKS


@pytest.mark.integration
def test_this_repository_passes(do: InClone) -> None:
    do(".venv/bin/pre-commit run --all-files")


@pytest.mark.integration
@pytest.mark.parametrize(("hook", "name", "content"), BAD_FILES, ids=[hook for hook, _, _ in BAD_FILES])
def test_a_bad_file_is_refused(clone: Path, do: InClone, hook: str, name: str, content: str | None) -> None:
    path = clone / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.symlink_to("nowhere") if content is None else path.write_text(content, encoding="utf-8")
    do(f"git add {name}")
    refused = do(f".venv/bin/pre-commit run {hook} --files {name}", check=False)
    do("git reset --quiet --hard")
    assert refused.returncode == 1
    assert f"hook id: {hook}" in refused.stdout


@pytest.mark.integration
def test_a_long_command_is_as_dvc_writes_it(clone: Path, do: InClone) -> None:
    folded = (
        "stages:\n  long:\n    cmd: python -m lab drift data/champion.json artifacts/report.json \n      --to a.json\n"
    )
    (clone / "dvc.lock").write_text(folded, encoding="utf-8")
    told = do("git add dvc.lock && .venv/bin/pre-commit run trailing-whitespace --files dvc.lock", check=False)
    do("git reset --quiet --hard")
    assert told.returncode == 0, told.stdout


@pytest.mark.integration
def test_git_calls_the_hooks(with_hooks: Path, do: InClone) -> None:
    (with_hooks / "notes.md").write_text("word ", encoding="utf-8")
    refused = do("git add notes.md && git commit --quiet --message notes", check=False)
    assert refused.returncode == 1
    assert "hook id: trailing-whitespace" in refused.stderr
    assert (with_hooks / "notes.md").read_text(encoding="utf-8") == "word\n"  # mended
    do("git add notes.md && git commit --quiet --message notes")


@pytest.mark.integration
def test_a_commit_of_all_that_leaves_a_new_file_out_is_told_what_to_add(with_hooks: Path, do: InClone) -> None:
    (with_hooks / "lib" / "extra.py").write_text("", encoding="utf-8")
    dvc_yaml = with_hooks / "dvc.yaml"
    dvc_yaml.write_text(dvc_yaml.read_text(encoding="utf-8").replace("- lib/viz.py", "- lib/extra.py", 1))
    refused = do("git commit --quiet --all --message extra", check=False)
    assert refused.returncode == 1
    assert "nobody else could run it: lib/extra.py" in refused.stderr
    assert "`git add lib/extra.py`, and commit again" in refused.stderr
    do("git add lib/extra.py && .venv/bin/pre-commit run pipeline-files --files dvc.yaml && git reset --quiet --hard")


@pytest.mark.integration
def test_results_of_another_dvc_lock_are_refused(with_hooks: Path, do: InClone) -> None:
    do("mkdir -p lab/results && echo 1 > lab/results/gone.json && git add lab/results")
    refused = do("git commit --quiet --message results", check=False)
    assert "not the results of dvc.lock: lab/results/gone.json" in refused.stderr
    assert "`python -m lab tables && git add lab/results`, and commit again" in refused.stderr
    do("git reset --quiet --hard")


@pytest.mark.integration
def test_without_data_and_dvc_remote_branches_are_switched_and_pushed(with_hooks: Path, do: InClone) -> None:
    assert not (with_hooks / "data" / "processed").exists()
    pushed = do("git switch --quiet --create work && git push --quiet origin work && git switch --quiet main")
    told = "no DVC remote: data stay on this machine (`python -m lab setup`)\n"
    assert told in pushed.stdout + pushed.stderr


@pytest.mark.integration
def test_data_follows_its_commit(with_hooks: Path, do: InClone, tmp_path: Path) -> None:
    """`git push` brings the data to the DVC remote, `git switch` brings it back."""
    do(f".venv/bin/dvc remote add --default storage {tmp_path} && git commit --quiet --all --message storage")
    table = with_hooks / "data" / "table.csv"
    for branch in ("one", "two"):
        do(f"git switch --quiet --create {branch}")
        table.write_text(branch, encoding="utf-8")
        do(f".venv/bin/dvc add --quiet {table} && git add data && git commit --quiet --message {branch}")
    do("git switch --quiet one")
    assert table.read_text(encoding="utf-8") == "one"
    do("git push --quiet origin one")
    assert [path.read_text(encoding="utf-8") for path in tmp_path.rglob("*") if path.is_file()] == ["one"]


@pytest.mark.integration
def test_a_new_branch_leaves_data_that_nobody_committed(with_hooks: Path, do: InClone) -> None:
    table = with_hooks / "data" / "kept.csv"
    table.write_text("old", encoding="utf-8")
    do(f".venv/bin/dvc add --quiet {table} && git add data && git commit --quiet --message kept")
    table.write_text("new", encoding="utf-8")
    do(f".venv/bin/dvc add --quiet {table} && git switch --quiet --create elsewhere")
    assert table.read_text(encoding="utf-8") == "new"


@pytest.mark.integration
def test_a_file_is_taken_back_without_a_word(with_hooks: Path, do: InClone) -> None:
    (with_hooks / "params.yaml").write_text("a: 1\n", encoding="utf-8")
    (with_hooks / "README.md").write_text("mine\n", encoding="utf-8")
    done = do("git checkout --quiet params.yaml")
    assert (done.stdout, done.stderr) == ("", "")
    do("git checkout --quiet README.md")
