"""Stands in for the main.py of every process in faults_test.py: next to no work, and a digest in each file it writes.

The digest is of all that dvc.lock should record of this run's inputs, so that a record which no run made is found out.
A test stops it by a file in the sandbox's folder `gates`, which has the name of the stage.
"""

import csv
import hashlib
import json
import os
import time
from pathlib import Path
from typing import Any

import yaml

from labkit.process.errors import InputError
from labkit.process.tracking import JOURNAL_VARIABLE, Run, md5_of, run_process

STAGE = Path(__file__).parent.name
JOURNAL = Path(os.environ.get(JOURNAL_VARIABLE, "")).stem  # which `run_process` takes away
DIVERGES = 0.9  # with this learning rate

Params = dict[str, Any]


def digest(deps: dict[str, str], params: Params) -> str:
    """The digest of what a stage read: the md5 of each dependency, and its sections of params.yaml."""
    return hashlib.sha256(json.dumps([deps, params], sort_keys=True).encode()).hexdigest()


def dvc_md5(path: Path) -> str:
    """The md5 of a file or folder as dvc.lock has it, what .dvcignore names left out."""
    if path.is_file():
        return md5_of(path)
    files = {
        file.relative_to(path).as_posix(): md5_of(file)
        for file in path.rglob("*")
        if file.is_file() and not file.name.endswith(("_test.py", "README.md", ".gitignore", ".pyc"))
    }
    entries = [{"md5": md5, "relpath": name} for name, md5 in sorted(files.items())]
    return hashlib.md5(json.dumps(entries, sort_keys=True).encode(), usedforsecurity=False).hexdigest() + ".dir"


def wait_at_gate(gates: Path) -> None:
    """Tell that this stage has begun; go on when its gate is open."""
    with (gates / "begun").open("a") as begun:
        begun.write(f"{STAGE} {JOURNAL}\n")
    while (gates / STAGE).exists():
        (gates / f"{STAGE}.reached").touch()
        time.sleep(0.02)


def write(path: Path, options: dict[str, Any], made_of: str, files: int) -> None:
    """Write an output of the kind that its name says, with the digest in each file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    number = int(made_of[:4], 16) / 2**16
    if path.suffix == ".csv":
        with path.open("w", newline="") as file:
            rows = csv.writer(file)
            rows.writerows([[options.get("x", "row"), options.get("y", "number"), "made_of"], [1, number, made_of]])
    elif path.suffix:
        metrics = {"log_loss": number, "accuracy": number, "balanced_accuracy": number, "roc_auc": number}
        told = {"selected": "densenet", "metric": "log_loss", "test": metrics, "warnings": []}
        path.write_text(json.dumps({"made_of": made_of} | told))
    else:
        path.mkdir(exist_ok=True)
        for name in range(files):
            (path / f"{name}.json").write_text(json.dumps({"made_of": made_of, "name": name, "log_loss": number}))


def main(run: Run) -> None:
    """Write the stage's outputs."""
    stage = yaml.safe_load(Path("dvc.yaml").read_text(encoding="utf-8"))["stages"][STAGE]
    whole = yaml.safe_load(Path("params.yaml").read_text(encoding="utf-8"))
    params = {section: whole[section] for section in stage["params"] if isinstance(section, str)}
    wait_at_gate(Path(os.environ["LAB_SANDBOX"]) / "gates")
    if params.get("training", {}).get("lr") == DIVERGES:
        raise InputError("the training diverged")
    made_of = digest({dep: dvc_md5(Path(dep)) for dep in stage["deps"]}, params)
    run.log_params(params)
    run.log_metrics({"made_of": int(made_of[:8], 16)})
    files = params.get("classifiers", {}).get("random_forest", {}).get("n_estimators", 1)
    for out in [*stage["outs"], *stage.get("metrics", []), *stage.get("plots", [])]:
        [(name, options)] = out.items() if isinstance(out, dict) else [(out, {})]
        write(Path(name), options, made_of, files if name.endswith("models") else 1)
        if Path(name).is_file():
            run.log_artifact(name)


if __name__ == "__main__":
    run_process(main)
