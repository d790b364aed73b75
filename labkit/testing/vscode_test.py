"""The editor's settings name what exists here."""

import json
from collections.abc import Callable
from configparser import ConfigParser
from pathlib import Path
from string import Template
from typing import Any

import pytest

from labkit.paths import ROOT
from labkit.testing.fixtures import Shell
from labkit.testing.marks import KINDS


def read(name: str) -> Any:
    return json.loads((ROOT / ".vscode" / name).read_text(encoding="utf-8"))


def configurations() -> dict[str, dict[str, Any]]:
    return {configuration["name"]: configuration for configuration in read("launch.json")["configurations"]}


def as_command(configuration: dict[str, Any], current_file: str) -> str:
    """The command line that VS Code makes of a configuration, in the opened folder."""
    what = f"-m {configuration['module']}" if "module" in configuration else configuration["program"]
    variables = " ".join(f"{name}={value}" for name, value in configuration.get("env", {}).items())
    command = f"{variables} python {what} {' '.join(configuration.get('args', []))}"
    folder = str(Path(current_file).parent)
    return Template(command).substitute(workspaceFolder=".", file=current_file, fileDirname=folder)


@pytest.mark.unittest
def test_all_unit_and_integration_tests_can_be_chosen() -> None:
    markers = ConfigParser()
    markers.read(ROOT / "pytest.ini")
    known = [line.split(":")[0] for line in markers["pytest"]["markers"].split("\n") if line]
    chosen = {name: configuration.get("args") for name, configuration in configurations().items()}
    assert chosen["All tests"] is None
    assert [chosen["Unit tests"], chosen["Integration tests"]] == [["-m", mark] for mark in known if mark in KINDS]


@pytest.mark.unittest
def test_every_tool_that_a_setting_is_for_is_recommended() -> None:
    recommended = read("extensions.json")["recommendations"]
    assert read("settings.json")["[python]"]["editor.defaultFormatter"] in recommended
    of_setting = {"python": "ms-python.python", "jupyter": "ms-toolsai.jupyter", "ruff": "charliermarsh.ruff"}
    of_setting |= {"mypy-type-checker": "ms-python.mypy-type-checker"}
    needed = {of_setting[key.split(".")[0]] for key in read("settings.json") if key.split(".")[0] in of_setting}
    assert needed <= set(recommended)


@pytest.mark.nightly
@pytest.mark.integration
def test_a_process_and_a_test_file_can_be_started(new_lab: Callable[[], Path], shell: Shell) -> None:
    lab = new_lab()
    shell(as_command(configurations()["Current file's process"], "lab/processes/prepare_data/params.py"), lab)
    assert (lab / "data" / "processed" / "dataset.json").exists()
    passed = shell(as_command(configurations()["Current file's tests"], "labkit/process/files_test.py"), lab).stdout
    assert "passed" in passed
    shell(as_command(configurations()["Current file"], "labkit/process/params.py"), lab)
