"""The processes that train models, and their packages: for the process that compares what they have trained.

A process that trains models leaves

    artifacts/<process>/metrics/<model>.json      the model's metrics on the validation rows
    artifacts/<process>/models/<model>.<suffix>   the model, a file or a folder
    lab/processes/<process>/model.py              with `load_model(file)`, which imports packages and lib alone

A model can be loaded only where its process's packages are: `run_in` goes there. A process that imports this module
reads what all of them leave, and dvc.yaml must say so (labkit/pipeline/dependencies.py).
"""

import os
import subprocess
import sys
from pathlib import Path

from labkit.paths import ROOT
from labkit.process.errors import InputError
from labkit.process.inputs import LAB_PYTHON_VARIABLE

MODEL_CODE = "model.py"


def all_trainers(root: Path = ROOT) -> list[str]:
    """The processes that train models, in alphabetical order."""
    found = root.glob(f"lab/processes/*/{MODEL_CODE}")
    return sorted(code.parent.name for code in found if "\ndef load_model(" in code.read_text(encoding="utf-8"))


def code_of(process: str) -> Path:
    """The module that loads what a process has trained."""
    return ROOT / "lab" / "processes" / process / MODEL_CODE


def results_of(process: str) -> tuple[str, str]:
    """The folders of the metrics and of the models of a process that trains."""
    return f"artifacts/{process}/metrics", f"artifacts/{process}/models"


def run_in(process: str, module: str, *arguments: str) -> None:
    """Run `python -m module` with the packages of another process; what it prints is shown.

    Raises InputError when a package is missing there, or in the module's words when it ends with a line `error: ...`,
    and RuntimeError when it fails otherwise.
    """
    python = os.environ.get(LAB_PYTHON_VARIABLE) or sys.executable
    command = [python, "-m", "labkit.launch.elsewhere", process, module, *arguments]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, env=environment, stderr=subprocess.PIPE, text=True)
    if done.returncode:
        said = done.stderr.strip()
        if (last := said.rpartition("\n")[2]).startswith("error: "):
            raise InputError(last.removeprefix("error: "))
        raise RuntimeError(f"{module} failed in the environment of {process}:\n{said}")
    sys.stderr.write(done.stderr)
