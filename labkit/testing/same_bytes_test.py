"""The same bytes on processors of both vendors: on this machine's own, and on those that QEMU emulates.

Every run emulates a processor of the other vendor; the nightly one also an older processor of this machine's own.

An interpreter starts slowly under emulation, so one does all of a processor's work, with the packages of the tests'
environment, which are those of the processes (locks_test.py), and trains for few epochs and few trees. The whole
training is held, on this machine's processor, to the dvc.lock that was committed.
"""

import os
import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from sklearn.datasets import load_wine

from labkit.launch.kernels import deciding_variables
from labkit.launch.machine import this_machine
from labkit.paths import ROOT
from labkit.process.tracking import md5_of
from labkit.testing.example_lab import STAGES, example_params, read_yaml, write_yaml

pytestmark = pytest.mark.integration

EMULATOR = shutil.which("qemu-x86_64")
# Intel's and AMD's of the same years. QEMU 7.2 knows no AVX-512, which the machine itself may have.
PROCESSORS = {"GenuineIntel": "Haswell-v4", "AuthenticAMD": "EPYC-Milan"}
EPOCHS, TREES = 4, 5  # what many compute, few do too

WORK = """
import os
from importlib import import_module
from pathlib import Path
import joblib, numpy as np
from sklearn.datasets import make_classification
from labkit.process.params import read_params
from lab.processes.train_standard_classifiers.classifiers import Rows, create_classifiers, fit
from lab.processes.train_standard_classifiers.params import Params
from labkit.process.tracking import Run
from labkit.process.trainers import trainers

# Select, too, in this very process: one that it starts would not be emulated.
predictions = import_module("lab.processes.select_best_model.predictions")
predictions.run_in = lambda process, module, folder: import_module(module).main(Path(folder))
for process in trainers():
    import_module(f"lab.processes.{process}.model")

start = os.getcwd()
for folder in ("default", "wine", "diabetes"):
    os.chdir(os.path.join(start, folder))
    for process in %r:
        import_module(f"lab.processes.{process}.main").main(Run(None))

X, y = make_classification(
    10_000, 8, n_informative=6, n_classes=3, n_clusters_per_class=1, class_sep=3.0, random_state=0
)
os.chdir(os.path.join(start, "families"))
for name, classifier in create_classifiers(read_params(Params).classifiers, y).items():
    fit(name, classifier, Rows(X.astype(np.float32), y))
    joblib.dump((classifier, classifier.predict_proba(X[:1000])), f"{name}.joblib")
"""


def fill(folder: Path) -> Path:
    """Put what WORK reads into a folder, and return it."""
    params = example_params(ROOT)
    params["training"]["epochs"] = EPOCHS
    for family in ("random_forest", "gradient_boosting"):
        params["classifiers"][family]["n_estimators"] = TREES
    for name in ("default", "wine", "diabetes", "families"):
        (folder / name).mkdir(parents=True)
    write_yaml(folder / "default" / "params.yaml", params)
    own = dict(params["data"])
    params["data"] |= {"source": "diabetes"}
    write_yaml(folder / "diabetes" / "params.yaml", params)
    params["data"] |= own
    params["data"] |= {"source": "sqlite:///data/raw/wine.db", "query": "SELECT * FROM wines", "target": "target"}
    write_yaml(folder / "wine" / "params.yaml", params)
    (folder / "wine" / "data" / "raw").mkdir(parents=True)
    with sqlite3.connect(folder / "wine" / "data" / "raw" / "wine.db") as connection:
        load_wine(as_frame=True).frame.to_sql("wines", connection, index=False)
    write_yaml(folder / "families" / "params.yaml", params)
    return folder


def make(folder: Path, *emulator: str) -> Path:
    """Do the work in a folder, and return it."""
    environment = {**os.environ, **deciding_variables("portable", "x86_64"), "PYTHONPATH": str(ROOT)}
    work = [*emulator, sys.executable, "-c", WORK % (STAGES,)]
    done = subprocess.run(work, cwd=fill(folder), env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    assert done.returncode == 0, done.stderr.decode()
    return folder


@pytest.fixture(scope="module")
def native(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of what this machine's own processor made."""
    return make(tmp_path_factory.mktemp("native"))


def is_own(vendor: str) -> bool:
    return vendor == this_machine().vendor


@pytest.fixture(
    scope="module",
    params=[pytest.param(cpu, marks=[pytest.mark.nightly] * is_own(vendor)) for vendor, cpu in PROCESSORS.items()],
)
def emulated(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of what another processor made."""
    if EMULATOR is None:
        pytest.skip("there is no qemu-x86_64 to emulate other processors: `apt-get install qemu-user`")
    return make(tmp_path_factory.mktemp(request.param), EMULATOR, "-cpu", request.param)


@pytest.mark.parametrize(
    ("part", "example"),
    [
        ("default", "artifacts/train_dnn_pytorch/models/densenet.pt"),
        ("diabetes", "artifacts/train_dnn_pytorch/models/densenet.pt"),  # a number
        ("wine", "artifacts/best_model/model/MLmodel"),  # three classes, from a database
        ("families", "support_vector_machine.joblib"),  # on 10,000 rows
    ],
)
def test_another_processor_makes_the_same_bytes(native: Path, emulated: Path, part: str, example: str) -> None:
    own, other = (md5s(made / part) for made in (native, emulated))
    assert example in own
    assert other == own


def md5s(folder: Path) -> dict[str, str]:
    """The md5 of every file in a folder, by its path there."""
    return {path.relative_to(folder).as_posix(): md5_of(path) for path in folder.rglob("*") if path.is_file()}


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
