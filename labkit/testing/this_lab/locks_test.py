"""The locks of this lab agree with their Pipfiles and with each other, on every machine."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

from labkit.launch.locks import read_pipfile, versions
from labkit.paths import PROCESSES, ROOT, RUNTIMES
from labkit.process.files import read_json

AGREEING = [ROOT, *sorted(pipfile.parent for pipfile in PROCESSES.glob("*/Pipfile"))]
FOLDERS = [*AGREEING, *(pipfile.parent for pipfile in RUNTIMES.glob("*/Pipfile"))]
of_each_folder = pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
of_each_agreeing_folder = pytest.mark.parametrize("folder", AGREEING, ids=lambda folder: folder.name)


def locked(folder: Path) -> dict[str, Any]:
    lock = read_json(folder / "Pipfile.lock")
    packages: dict[str, Any] = lock["default"] | lock["develop"]
    return packages


def wanted(folder: Path) -> dict[str, SpecifierSet]:
    pipfile = read_pipfile(folder)
    packages = pipfile["packages"] | pipfile.get("dev-packages", {})
    return {canonicalize_name(name): versions(package) for name, package in packages.items()}


@pytest.mark.integration
@of_each_folder
def test_pipenv_finds_the_lock_up_to_date(folder: Path) -> None:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PIP_")}
    environment |= {"PIP_CONFIG_FILE": os.devnull, "PIPENV_PIPFILE": str(folder / "Pipfile")}
    command = [sys.executable, "-m", "pipenv", "verify"]
    verified = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert verified.returncode == 0, f"{folder / 'Pipfile'} was changed after its lock; run `make lock`"


@pytest.mark.unittest
@of_each_folder
def test_no_place_to_install_from_is_named(folder: Path) -> None:
    """So that everyone's own settings hold."""
    assert "source" not in read_pipfile(folder)
    assert read_json(folder / "Pipfile.lock")["_meta"]["sources"] == []
    assert [name for name, package in locked(folder).items() if "index" in package] == []


@pytest.mark.unittest
@of_each_folder
def test_the_lock_holds_the_versions_that_the_pipfile_wants(folder: Path) -> None:
    for name, allowed in wanted(folder).items():
        assert allowed.contains(locked(folder)[name]["version"].removeprefix("=="), prereleases=True), name


@pytest.mark.unittest
@of_each_agreeing_folder
def test_every_locked_package_has_the_root_locks_version_and_hashes(folder: Path) -> None:
    root = locked(ROOT)
    differing = [name for name, package in locked(folder).items() if package != root.get(name)]
    assert differing == [], f"run `python -m labkit.launch.locks {folder.relative_to(ROOT)}`"


@pytest.mark.unittest
@of_each_agreeing_folder
def test_a_pin_is_the_same_in_every_pipfile(folder: Path) -> None:
    root = wanted(ROOT)
    assert {name: str(pin) for name, pin in wanted(folder).items() if pin != root.get(name, pin)} == {}
