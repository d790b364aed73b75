"""The checks of a clone and its machine, each well and ill."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from labkit.doctor import clone
from labkit.launch import kernels
from labkit.launch.locks import pipfile_hashes
from labkit.paths import ROOT
from labkit.testing.fixtures import Shell, needs_example


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder in which this process stands; Git knows nobody, and nothing of other repositories."""
    for name in [name for name in os.environ if name.startswith("GIT_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(tmp_path / "gitconfig"))
    monkeypatch.setenv("GIT_CONFIG_SYSTEM", os.devnull)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path))
    (tmp_path / "lab").mkdir()
    monkeypatch.chdir(tmp_path / "lab")
    return tmp_path / "lab"


@pytest.fixture
def locked(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The Pipfiles of this repository in a folder that the checks take for the repository."""
    for lock in [ROOT / "Pipfile.lock", *ROOT.glob("lab/processes/*/Pipfile.lock")]:
        copy = folder / lock.relative_to(ROOT)
        copy.parent.mkdir(parents=True, exist_ok=True)
        for file in (lock, lock.with_suffix("")):
            shutil.copy(file, copy.parent)
    monkeypatch.setattr(clone, "ROOT", folder)
    monkeypatch.setattr(clone, "PROCESSES", folder / "lab" / "processes")
    return folder


@pytest.mark.integration
def test_who_commits_is_told_from_settings_or_variables(
    folder: Path, shell: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    nobody = clone.check_identity()
    assert (nobody.state, nobody.subject) == ("problem", "git identity")
    assert "git config --global user.name" in nobody.fix
    monkeypatch.setenv("GIT_AUTHOR_NAME", "Ada")
    monkeypatch.setenv("GIT_AUTHOR_EMAIL", "ada@example.com")
    assert clone.check_identity() == ("git identity", "ok", "commits are by Ada", "")


@pytest.mark.integration
def test_missing_hooks_and_a_missing_driver_are_named(folder: Path, shell: Shell) -> None:
    assert "not a Git repository" in clone.check_hooks().found
    shell("git init --quiet", folder)
    missing = "not installed: pre-commit, pre-push, post-checkout, the merge driver of dvc.lock"
    assert clone.check_hooks() == ("git hooks", "problem", missing, "`make -B setup`")
    shutil.copy(ROOT / ".pre-commit-config.yaml", folder)
    (folder / "labkit").symlink_to(ROOT / "labkit")
    shell("pre-commit install && python -m labkit.publish.merge_driver --install", folder)
    assert clone.check_hooks().state == "ok"
    (folder / ".git" / "hooks" / "pre-push").unlink()
    assert clone.check_hooks().found == "not installed: pre-push"
    (folder / ".git" / "info" / "attributes").unlink()
    assert clone.check_hooks().found == "not installed: pre-push, the merge driver of dvc.lock"


@pytest.mark.integration
def test_dvcs_notes_are_warned_of_where_others_can_write(
    new_lab: Callable[[], Path], shell: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    lab = new_lab()
    monkeypatch.chdir(lab)
    monkeypatch.delenv("DVC_SITE_CACHE_DIR", raising=False)
    assert "write to /var/tmp/dvc" in clone.check_site_cache().found
    (lab / ".venv").symlink_to(sys.prefix)
    shell("make hooks", lab)
    assert (lab / ".dvc/plots.html").is_file()  # the page of DVC's plots, which comes with them
    assert clone.check_site_cache().found == f"in {lab}/.lab/dvc, where no other user can write"
    look = "from dvc.repo import Repo; print(Repo().site_cache_dir)"
    assert shell(f'env -u DVC_SITE_CACHE_DIR python -c "{look}"', lab).stdout.startswith(f"{lab}/.lab/dvc/")
    assert (lab / ".lab").stat().st_mode & 0o077 == 0
    for open_to_all in ("/var/tmp", "relative"):
        monkeypatch.setenv("DVC_SITE_CACHE_DIR", open_to_all)
        assert clone.check_site_cache().state == "warning"


@pytest.mark.unittest
def test_what_is_wrong_in_any_of_the_files_is_told(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "goals").mkdir()
    for name in ("params.yaml", "goals/goals.yaml"):
        shutil.copy(ROOT / name, folder / name)
    assert clone.check_settings().state == "ok"
    params = (folder / "params.yaml").read_text(encoding="utf-8")
    (folder / "params.yaml").write_text(params.replace("project:", "projekt:"), encoding="utf-8")
    (folder / "goals" / "goals.yaml").unlink()
    (folder / "dvc.yaml").write_text("stages: {train: {meta: {limit: 6}}}\n", encoding="utf-8")
    monkeypatch.setattr("labkit.launch.limits.ROOT", folder)
    check = clone.check_settings()
    assert check.state == "problem"
    assert "projekt" in check.found
    assert "goals/goals.yaml is missing" in check.found
    assert "dvc.yaml: stages.train.meta.limit: '6' is not a time" in check.found


@pytest.mark.integration
def test_a_pipfile_changed_since_its_lock_is_named(locked: Path) -> None:
    assert clone.check_locks().state == "ok"
    pipfile = locked / "lab" / "processes" / "prepare_data" / "Pipfile"
    pipfile.write_text(pipfile.read_text(encoding="utf-8").replace("[packages]", "[packages]\nnew = '*'"))
    found = "changed since it was locked: lab/processes/prepare_data/Pipfile"
    assert clone.check_locks() == ("locks", "problem", found, "`make lock`")
    (locked / "Pipfile.lock").write_text("<<<<<<<")
    assert "locked: Pipfile, lab" in clone.check_locks().found


@pytest.mark.integration
def test_many_pipfiles_have_the_hashes_that_each_has_alone() -> None:
    pipfiles = [ROOT / "Pipfile", *ROOT.glob("lab/processes/*/Pipfile")]
    assert pipfile_hashes(pipfiles) == [pipfile_hashes([pipfile])[0] for pipfile in pipfiles]
    assert len(set(pipfile_hashes(pipfiles))) == len(pipfiles)


@pytest.mark.unittest
def test_packages_that_differ_from_the_lock_are_named(locked: Path) -> None:
    assert clone.check_environment().state == "ok"
    lock = json.loads((locked / "Pipfile.lock").read_text(encoding="utf-8"))
    for group in lock["default"], lock["develop"]:
        group["numpy"] = {"version": "==0.0.1"}
    lock["develop"]["no-such-package"] = {"version": "==1.0"}
    lock["develop"]["for-another-system"] = {"version": "==1.0", "markers": "sys_platform == 'none'"}
    (locked / "Pipfile.lock").write_text(json.dumps(lock), encoding="utf-8")
    check = clone.check_environment()
    assert check.state == "problem"
    assert check.found.endswith("is not what Pipfile.lock says: no-such-package, numpy")


@needs_example
@pytest.mark.unittest
def test_environments_that_are_not_made_yet_are_no_problem(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("labkit.launch.environments.ENVIRONMENTS", tmp_path)
    check = clone.check_process_environments()
    assert check.state == "ok"
    assert check.found.startswith("to be made when it first runs: prepare_data")


@pytest.mark.unittest
def test_little_room_is_a_warning_and_none_a_problem(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clone, "LEAST_FREE_BYTES", 0)
    for few_bytes, state in ((0, "ok"), (1 << 80, "warning")):
        monkeypatch.setattr(clone, "FEW_FREE_BYTES", few_bytes)
        assert clone.check_disk().state == state
    monkeypatch.setattr(clone, "LEAST_FREE_BYTES", 1 << 80)
    check = clone.check_disk()
    assert check.state == "problem"
    assert check.found.startswith("full: ")
    assert "for the workspace" in check.found


@pytest.mark.unittest
@pytest.mark.parametrize("name", ["DVC's cache", "the environments", "the journals"])
def test_a_disk_that_takes_nothing_is_a_problem_whatever_its_figures_say(
    folder: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    read_only = Path("/proc/self")  # for the superuser too
    places = {"the environments": "ENVIRONMENTS", "the journals": "JOURNALS"}
    if name in places:
        monkeypatch.setattr(clone, places[name], read_only / "folder")
    else:
        (folder / ".dvc").mkdir()
        (folder / ".dvc" / "cache").symlink_to(read_only)
    check = clone.check_disk()
    assert check.state == "problem"
    assert re.search(f"^[a-z ]+ for {name} \\(", check.found)
    assert "/proc/" in check.fix


@pytest.mark.integration
def test_a_full_disk_is_told(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # A limit on the size of files cuts a write short just as a full disk does.
    program = "import signal; signal.signal(signal.SIGXFSZ, signal.SIG_IGN); from labkit.doctor.clone import check_disk"
    command = [sys.executable, "-c", f"{program}; print(check_disk())"]
    done = subprocess.run(
        ["bash", "-c", 'ulimit -f 100; exec "$@"', "bash", *command],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )
    assert "state='problem', found='no space left for the workspace, DVC" in done.stdout.replace('"', "'")


@pytest.mark.unittest
@pytest.mark.parametrize(
    ("script", "found"),
    [
        ("echo 'NVIDIA H200, 143771 MiB'", "NVIDIA H200, 143771 MiB"),
        ("echo 'no devices were found'; exit 6", "no NVIDIA GPU"),
    ],
)
def test_the_gpu_is_what_nvidias_tool_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str, found: str
) -> None:
    tool = tmp_path / "nvidia-smi"
    tool.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    assert clone.check_gpu().found.startswith(found)


@pytest.mark.unittest
@pytest.mark.parametrize(
    ("device", "runner", "state"),
    [("cpu", "true", "ok"), ("cuda", "", "warning"), ("cuda", "true", "problem"), ("[", "true", "ok")],
)
def test_a_gpu_that_params_yaml_asks_for_and_is_not_there_is_told_before_anything_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, device: str, runner: str, state: str
) -> None:
    (tmp_path / "nvidia-smi").write_text("#!/bin/sh\nexit 9\n", encoding="utf-8")
    (tmp_path / "nvidia-smi").chmod(0o755)
    (tmp_path / "params.yaml").write_text(f"training: {{device: {device}}}\n", encoding="utf-8")
    (tmp_path / "processes" / "train").mkdir(parents=True)
    (tmp_path / "processes" / "train" / "params.py").write_text("class Params:\n    training: int\n", encoding="utf-8")
    for module in (clone, kernels):
        monkeypatch.setattr(module, "PROCESSES", tmp_path / "processes")
    monkeypatch.setattr(kernels, "ROOT", tmp_path)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    monkeypatch.setenv("GITHUB_ACTIONS", runner)

    check = clone.check_gpu()

    assert check.state == state
    assert ("params.yaml gives train `device: cuda`" in check.found) == (device == "cuda")
