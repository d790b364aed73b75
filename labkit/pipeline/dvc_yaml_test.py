"""dvc.yaml and the Pipfiles name what the code of the processes depends on, no more and no less."""

from pathlib import Path

import pytest

from labkit.pipeline.dependencies import declared_stages, faults
from labkit.process.errors import InputError

MAIN = "lab/processes/train/main.py"
PARAMS = "lab/processes/train/params.py"
PIPFILE = "lab/processes/train/Pipfile"

# A lab without faults, which each test below spoils in one place.
TREE = {
    "Pipfile": '[packages]\npydantic = "*"\npyyaml = "==6.0.3"\n',
    "dvc.yaml": """
stages:
  train:
    cmd: python -m labkit.launch train
    deps:
      - data/processed
      - lab/processes/train
      - lib/files.py
      - lib/metrics.py
    params:
      - training
      - labkit/launch/kernels.yaml:
  train_more:
    cmd: python -m labkit.launch train_more
    deps:
      - lab/processes/train_more
    params:
      - labkit/launch/kernels.yaml:
""",
    "lab/__init__.py": "",
    "labkit/process/params.py": "from pydantic import BaseModel\n",
    "labkit/launch/environments.py": "",
    MAIN: """
import json
from typing import TYPE_CHECKING

from labkit.process.params import read_params
from lab.processes.train import model
from lab.processes.train.params import Params

if TYPE_CHECKING:
    from lib.viz import Plot

params = read_params(Params)
NAME = "train"
""",
    "lab/processes/train/model.py": "def fit():\n    from lib.metrics import accuracy\n",
    "lab/processes/train/main_test.py": "import pytest\nimport lib.viz\nimport labkit.launch.environments\n",
    PARAMS: "import math\nfrom labkit.process.params import Strict\nclass Params(Strict):\n    training: int\n",
    PIPFILE: '[packages]\npydantic = "*"\n',
    "lab/processes/train_more/main.py": "",
    "lab/processes/train_more/Pipfile": "[packages]\n",
    "lib/__init__.py": "",
    "lib/files.py": "def read():\n    import yaml\n",
    "lib/metrics.py": "from .files import read\n",
    "lib/viz.py": "import matplotlib\nfrom labkit.process.files import replacing\n",
}


def plant(root: Path, tree: dict[str, str]) -> Path:
    for name, text in tree.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text, encoding="utf-8")
    return root


@pytest.mark.unittest
def test_a_lab_without_faults_has_none(tmp_path: Path) -> None:
    assert faults(plant(tmp_path, TREE)) == []


@pytest.mark.unittest
@pytest.mark.parametrize(
    ("file", "old", "new", "fault"),
    [
        ("dvc.yaml", "      - lib/metrics.py\n", "", "dvc.yaml: stages.train.deps: add the line `- lib/metrics.py`"),
        (
            "dvc.yaml",
            "      - lib/files.py\n",
            "",
            "dvc.yaml: stages.train.deps: add the line `- lib/files.py`",
        ),
        (
            "dvc.yaml",
            "      - lab/processes/train\n",
            "",
            "dvc.yaml: stages.train.deps: add the line `- lab/processes/train`",
        ),
        (
            "dvc.yaml",
            "      - lib/files.py\n",
            "      - lib/files.py\n      - lib/viz.py\n",
            "dvc.yaml: stages.train.deps: remove the line `- lib/viz.py`: nothing that lab/processes/train imports",
        ),
        (
            "dvc.yaml",
            "python -m labkit.launch train\n",
            "python -m labkit.launch train_less\n",
            "dvc.yaml: stages: add one with the line `cmd: python -m labkit.launch train`",
        ),
        ("dvc.yaml", "      - training\n", "", "dvc.yaml: stages.train.params: add the line `- training`"),
        (
            "dvc.yaml",
            "      - labkit/launch/kernels.yaml:\n",
            "",
            "dvc.yaml: stages.train.params: add the line `- labkit/launch/kernels.yaml:`",
        ),
        (
            "dvc.yaml",
            "- labkit/launch/kernels.yaml:\n",
            "- labkit/launch/kernels.yaml: [format]\n",
            "dvc.yaml: stages.train.params: add the line `- labkit/launch/kernels.yaml:`",
        ),
        (
            "dvc.yaml",
            "- training\n",
            "- training\n      - data\n",
            "dvc.yaml: stages.train.params: remove the line `- data`: "
            "no section that lab/processes/train/params.py declares",
        ),
        (
            "dvc.yaml",
            "- training\n",
            "- training\n      - other.yaml: [a]\n",
            "dvc.yaml: stages.train.params: remove the line `- {'other.yaml': ['a']}`: "
            "no section that lab/processes/train/params.py declares",
        ),
        (
            PARAMS,
            "training: int",
            "training: int\n    data: int",
            "dvc.yaml: stages.train.params: add the line `- data`",
        ),
        (
            MAIN,
            "if TYPE_CHECKING:",
            "if True:",
            "dvc.yaml: stages.train.deps: add the line `- lib/viz.py`",
        ),
        (MAIN, "import json", "import yaml", f'{PIPFILE}: add the line `pyyaml = "==6.0.3"`: {MAIN}:2 imports yaml'),
        (MAIN, "import json", "import numpy.linalg", f'{PIPFILE}: add the line `numpy = "*"`: {MAIN}:2 imports numpy'),
        (
            "lib/metrics.py",
            "from .files",
            "import pytest\nfrom .files",
            f'{PIPFILE}: add the line `pytest = "*"`: lib/metrics.py:1 imports pytest',
        ),
        (
            PIPFILE,
            'pydantic = "*"\n',
            "",
            f'{PIPFILE}: add the line `pydantic = "*"`: labkit/process/params.py:1 imports pydantic',
        ),
        (
            MAIN,
            "import json",
            "import lab.processes.train_more.main",
            f"{MAIN}:2: imports lab.processes.train_more.main, of another process; move what both need to lib",
        ),
        (
            MAIN,
            "import json",
            "from labkit.launch import environments",
            f"{MAIN}:2: imports labkit.launch.environments; a process imports lib, labkit.process and its own folder",
        ),
        (
            MAIN,
            "import json",
            "from labkit.process.params import CommonParams",
            f"{MAIN}:2: imports labkit.process.params.CommonParams; declare the sections that it needs in params.py",
        ),
        (
            MAIN,
            "import json",
            "text = open('params.yaml').read()",
            f"{MAIN}:2: reads params.yaml by itself; use read_params",
        ),
        (
            PARAMS,
            "from labkit.process.params",
            "import yaml\nfrom labkit.process.params",
            f"{PARAMS}:2: imports yaml; every process reads this file: keep to pydantic",
        ),
        (
            "lib/files.py",
            "import yaml",
            "from goals import goals_test",
            "lib/files.py:2: imports goals.goals_test; lib imports nothing that builds on it",
        ),
        (
            "lib/files.py",
            "import yaml",
            "import labkit.launch",
            "lib/files.py:2: imports labkit.launch; lib imports nothing that builds on it",
        ),
        (
            MAIN,
            "import json",
            "import runtimes.sandbox",
            f"{MAIN}:2: imports runtimes.sandbox; a process imports lib, labkit.process and its own folder",
        ),
        (
            MAIN,
            "import json",
            "import yaml\nimport yaml.nodes",
            f'{PIPFILE}: add the line `pyyaml = "==6.0.3"`: {MAIN}:2 imports yaml',
        ),
        (
            "dvc.yaml",
            "      - lab/processes/train_more\n    params:\n      - labkit/launch/kernels.yaml:\n",
            "      - lab/processes/train_more\n",
            "dvc.yaml: stages.train_more.params: add the line `- labkit/launch/kernels.yaml:`",
        ),
        (
            "lib/__init__.py",
            "",
            "SEED = 1",
            "lib/__init__.py: runs in every process, but no stage depends on it; leave it empty",
        ),
    ],
)
def test_a_fault_is_found_and_told_with_its_remedy(tmp_path: Path, file: str, old: str, new: str, fault: str) -> None:
    assert old in TREE[file]
    found = faults(plant(tmp_path, TREE | {file: TREE[file].replace(old, new, 1)}))
    assert fault in found
    assert len([one for one in found if "Pipfile: add" in one]) <= 1  # of each package the first


@pytest.mark.unittest
def test_a_stage_that_stands_for_several_is_read_as_one(tmp_path: Path) -> None:
    one = TREE["dvc.yaml"].partition("  train_more:\n")
    several = "    foreach: [a, b]\n    do:\n" + "".join(f"  {line}\n" for line in one[2].splitlines())
    assert faults(plant(tmp_path, TREE | {"dvc.yaml": "".join((*one[:2], several))})) == []


MODEL = "lab/processes/train/model.py"
SELECT = "lab/processes/select/main.py"
# The same lab, where `train` trains models and `select` compares them.
COMPARED = TREE | {
    "dvc.yaml": TREE["dvc.yaml"].replace(
        "      - labkit/launch/kernels.yaml:\n  train_more:",
        """\
      - labkit/launch/kernels.yaml:
    metrics:
      - artifacts/train/metrics
    outs:
      - artifacts/train/models
  select:
    cmd: python -m labkit.launch select
    deps:
      - artifacts/train/metrics
      - artifacts/train/models
      - lab/processes/select
      - lab/processes/train/Pipfile.lock
      - lab/processes/train/model.py
      - lib/nets.py
    params:
      - labkit/launch/kernels.yaml:
  train_more:""",
    ),
    MODEL: "from lib.nets import load\n\ndef load_model(file):\n    return load(file)\n",
    MAIN: "from labkit.process.params import read_params\nfrom lab.processes.train.params import Params\n"
    "from lib.metrics import accuracy\n",
    SELECT: "from labkit.process.trainers import trainers\n",
    "lab/processes/select/Pipfile": "[packages]\n",
    "labkit/process/trainers.py": "",
    "lib/nets.py": "import torch\n",
    PIPFILE: TREE[PIPFILE] + 'torch = "*"\n',
}
COMPARED["dvc.yaml"] = COMPARED["dvc.yaml"].replace("- lib/metrics.py\n", "- lib/metrics.py\n      - lib/nets.py\n", 1)


@pytest.mark.unittest
def test_a_lab_that_compares_models_has_no_faults_and_needs_no_package_of_theirs(tmp_path: Path) -> None:
    assert faults(plant(tmp_path, COMPARED)) == []


@pytest.mark.unittest
@pytest.mark.parametrize(
    ("dvc_yaml", "told"),
    [
        ("- train", r"has no `stages` with names; `git checkout .*dvc.yaml` restores it"),
        ("stages: [train]", "has no `stages` with names"),
        ("stages: {train: python}", r"stages\.train is 'python'; write its `cmd`, `deps` and `outs` below it"),
        (
            "stages: {train: {cmd: a, deps: lib}}",
            r"stages\.train\.deps is 'lib'; write one path a line, each after",
        ),
        ("stages: {train: {cmd: a, deps: [lib: {}]}}", r"stages\.train\.deps is \[\{'lib': \{\}\}\]"),
        ("stages: {train: {cmd: a, outs: [1]}}", r"stages\.train\.outs is \[1\]"),
        ("stages: {train: {cmd: a, outs: [{}]}}", r"stages\.train\.outs is \[\{\}\]"),
        ("stages: {train: {foreach: [1], do: {cmd: a, plots: 2}}}", r"stages\.train\.plots is 2"),
    ],
)
def test_a_pipeline_of_another_shape_is_refused(tmp_path: Path, dvc_yaml: str, told: str) -> None:
    (tmp_path / "dvc.yaml").write_text(dvc_yaml, encoding="utf-8")
    with pytest.raises(InputError, match=told):
        declared_stages(tmp_path)


@pytest.mark.unittest
@pytest.mark.parametrize(
    ("file", "old", "new", "fault"),
    [
        (
            "dvc.yaml",
            "- artifacts/train/metrics\n      -",
            "-",
            "select.deps: add the line `- artifacts/train/metrics`",
        ),
        ("dvc.yaml", "- artifacts/train/models\n      -", "-", "select.deps: add the line `- artifacts/train/models`"),
        ("dvc.yaml", "- lab/processes/train/Pipfile.lock\n      -", "-", "`- lab/processes/train/Pipfile.lock`"),
        ("dvc.yaml", "- lab/processes/train/model.py\n      -", "-", "`- lab/processes/train/model.py`"),
        ("dvc.yaml", "/model.py\n      - lib/nets.py\n", "/model.py\n", "select.deps: add the line `- lib/nets.py`"),
        (SELECT, "trainers", "params", "select.deps: remove the line `- lab/processes/train/model.py`"),
        (
            "dvc.yaml",
            "    outs:\n      - artifacts/train/models\n",
            "",
            "train.outs: add the line `- artifacts/train/m",
        ),
        ("dvc.yaml", "    metrics:\n      - artifacts/train/metrics\n", "", "train.metrics: add the line `- artifacts"),
        (MODEL, "from lib", "from labkit.process import files\nfrom lib", f"{MODEL}:1: imports labkit.process.files, "),
        ("lib/nets.py", "import", "from labkit.process import files\nimport", "lib/nets.py:1: imports labkit.process."),
    ],
)
def test_what_a_comparison_of_models_lacks_is_told(tmp_path: Path, file: str, old: str, new: str, fault: str) -> None:
    assert old in COMPARED[file]
    found = faults(plant(tmp_path, COMPARED | {file: COMPARED[file].replace(old, new, 1)}))
    assert [line for line in found if fault in line]
