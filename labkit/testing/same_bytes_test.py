"""The same bytes on processors of both vendors: on this machine's own, and on those that QEMU emulates.

Each night a processor of either vendor is emulated; every run holds the whole training, on the processor that it has,
to the dvc.lock that was committed.

An interpreter starts slowly under emulation, so one does all the work on some data, with the packages of the tests'
environment, which are those of the processes (locks_test.py), and trains for few epochs and few trees.
"""

import os
import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from sklearn.datasets import load_wine

from labkit.launch.kernels import deciding_variables
from labkit.paths import ROOT
from labkit.process.tracking import md5_of
from labkit.testing.example_lab import STAGES, example_params, read_yaml, write_yaml

pytestmark = pytest.mark.integration

EMULATOR = shutil.which("qemu-x86_64")
# Intel's and AMD's of the same years. QEMU 7.2 knows no AVX-512, which the machine itself may have.
PROCESSORS = ("Haswell-v4", "EPYC-Milan")
EPOCHS, TREES = 4, 5  # what many compute, few do too

PROCESSES = f"""
from importlib import import_module
from pathlib import Path
from labkit.process.run_file import write_run_file
from labkit.process.tracking import Run
from labkit.process.trainers import trainers

# Select, too, in this very process: one that it starts would not be emulated.
predictions = import_module("lab.processes.select_best_model.predictions")
predictions.run_in = lambda process, module, folder: import_module(module).main(Path(folder))
for process in trainers():  # before any is packaged: a package holds what it alone has imported
    import_module(f"lab.processes.{{process}}.model")
for process in {STAGES}:
    import_module(f"lab.processes.{{process}}.main").main(run := Run(None))
    write_run_file(f"artifacts/{{process}}/run.json", run.told)
"""

FAMILIES = """
import joblib, numpy as np
from sklearn.datasets import make_classification
from labkit.process.params import read_params
from lab.processes.train_standard_classifiers.classifiers import Rows, create_classifiers, fit
from lab.processes.train_standard_classifiers.params import Params

X, y = make_classification(
    10_000, 8, n_informative=6, n_classes=3, n_clusters_per_class=1, class_sep=3.0, random_state=0
)
for name, classifier in create_classifiers(read_params(Params).classifiers, y).items():
    fit(name, classifier, Rows(X.astype(np.float32), y))
    joblib.dump((classifier, classifier.predict_proba(X[:1000])), f"{name}.joblib")
"""

DIABETES = {"source": "diabetes"}  # numbers to predict
WINE = {"source": "sqlite:///data/raw/wine.db", "query": "SELECT * FROM wines", "target": "target"}  # three classes


class Part(NamedTuple):
    """Some work: what is asked of the data, the code, and one of the files that it makes."""

    data: dict[str, str]
    work: str
    example: str


PARTS = {
    "default": Part({}, PROCESSES, "artifacts/train_dnn_pytorch/models/densenet.pt"),
    "diabetes": Part(DIABETES, PROCESSES, "artifacts/train_dnn_pytorch/models/densenet.pt"),
    "wine": Part(WINE, PROCESSES, "artifacts/best_model/model/MLmodel"),
    "families": Part({}, FAMILIES, "support_vector_machine.joblib"),
}


def fill(folder: Path, part: Part) -> Path:
    """Put what the work of a part reads into a folder, and return it."""
    params = example_params(ROOT)
    params["training"]["epochs"] = EPOCHS
    for family in ("random_forest", "gradient_boosting"):
        params["classifiers"][family]["n_estimators"] = TREES
    params["data"] |= part.data
    raw = folder / "data" / "raw"
    raw.mkdir(parents=True)
    write_yaml(folder / "params.yaml", params)
    with sqlite3.connect(raw / "wine.db") as connection:
        load_wine(as_frame=True).frame.to_sql("wines", connection, index=False)
    return folder


def make(folder: Path, part: Part, *emulator: str) -> dict[str, str]:
    """Do the work of a part in a folder. The md5 of every file there, by its path."""
    environment = {**os.environ, **deciding_variables("portable", "x86_64"), "PYTHONPATH": str(ROOT)}
    work = [*emulator, sys.executable, "-c", part.work]
    done = subprocess.run(
        work, cwd=fill(folder, part), env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    )
    assert done.returncode == 0, done.stderr.decode()
    return {path.relative_to(folder).as_posix(): md5_of(path) for path in folder.rglob("*") if path.is_file()}


@pytest.mark.skipif(EMULATOR is None, reason="there is no qemu-x86_64 to emulate others: `apt-get install qemu-user`")
@pytest.mark.nightly
@pytest.mark.parametrize("cpu", PROCESSORS)
@pytest.mark.parametrize("part", PARTS.values(), ids=PARTS)
def test_another_processor_makes_the_same_bytes(cpu: str, part: Part, tmp_path: Path) -> None:
    own = make(tmp_path / "own", part)
    assert part.example in own
    assert make(tmp_path / "other", part, str(EMULATOR), "-cpu", cpu) == own


def test_this_machine_makes_the_bytes_that_were_committed(finished_lab: Path) -> None:
    """As far as the example is what was committed: of the same code, data and parameters come the same bytes."""
    committed, own = (read_yaml(folder / "dvc.lock")["stages"] for folder in (ROOT, finished_lab))
    same = [stage for stage in STAGES if stage in committed and inputs(committed[stage]) == inputs(own[stage])]
    if not same:
        pytest.skip("dvc.lock records other code, data or parameters than the example's")
    assert {stage: own[stage]["outs"] for stage in same} == {stage: committed[stage]["outs"] for stage in same}


def inputs(record: dict[str, Any]) -> dict[str, Any]:
    """What a stage's record says that it read."""
    return {key: record[key] for key in ("cmd", "deps", "params")}
