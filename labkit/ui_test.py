"""What `make ui` starts tells nobody of it, and has no jobs for an assistant."""

import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from labkit.paths import ROOT

pytestmark = pytest.mark.integration

# It becomes the server, by `sys.executable`: here a script that asks MLflow what that server would do.
START = 'import sys; from labkit import ui; ui.page = lambda *_: "here"; sys.executable = sys.argv[1]; ui.show_runs(1)'
ASK = """
import sys
from mlflow.environment_variables import MLFLOW_SERVER_ENABLE_JOB_EXECUTION
from mlflow.telemetry.utils import is_telemetry_disabled
print(is_telemetry_disabled(), MLFLOW_SERVER_ENABLE_JOB_EXECUTION.get(), *sys.argv[1:])
"""


def test_what_it_starts_has_telemetry_and_jobs_off(tmp_path: Path) -> None:
    server = tmp_path / "python"
    server.write_text(f'#!/bin/sh\nexec {shlex.join([sys.executable, "-c", ASK])} "$@"\n', encoding="utf-8")
    server.chmod(0o755)
    bare = {"HOME": str(tmp_path), "PYTHONPATH": str(ROOT)}  # MLflow tells nothing where tests run
    said = subprocess.check_output([sys.executable, "-c", START, str(server)], cwd=tmp_path, env=bare, text=True)
    assert said.splitlines()[-1].startswith("True False -m mlflow ui ")
    assert "--host 127.0.0.1" in said
