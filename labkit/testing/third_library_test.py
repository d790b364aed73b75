"""A model of a library that the lab has never seen, as lab/docs/adding-a-model.md tells: trained, packaged, served.

The lab has an environment of its own here, since `make lock` installs what it locks.
"""

import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from labkit.launch.environments import run_uv, where_to_find
from labkit.process.files import read_json
from labkit.testing.docs_test import DOCS, FILE, INTERPRETERS, blocks
from labkit.testing.fixtures import Shell, needs_example

pytestmark = [pytest.mark.integration, pytest.mark.nightly, needs_example]

PREDICT = """
import mlflow.pyfunc, pandas, sys
model = mlflow.pyfunc.load_model(sys.argv[1])
answer = model.predict(pandas.read_csv(sys.argv[2]))
assert "lightgbm" in sys.modules
print(*answer)
"""


@pytest.fixture(scope="module")
def lab(finished_lab: Path, tmp_path_factory: pytest.TempPathFactory, shell: Shell) -> Path:
    """A lab with results, after all that the page tells up to the removal of the model."""
    lab = Path(shutil.copytree(finished_lab, tmp_path_factory.mktemp("third") / "lab", symlinks=True))
    shell("make setup", lab, CI="1")
    own = {"PATH": f"{lab}/.venv/bin:{os.environ['PATH']}"}
    for _, language, text in blocks(DOCS / "adding-a-model.md"):
        if "remove-process" in text:
            break
        if file := FILE.match(text):
            (lab / file[1]).write_text(text, encoding="utf-8")
        elif language in INTERPRETERS:
            shell(f"{INTERPRETERS[language]} {shlex.quote(text)}", lab, **own)
    return lab


def test_no_other_model_was_trained_again(lab: Path, finished_lab: Path) -> None:
    for name in ("train_standard_classifiers", "train_dnn_pytorch"):
        lock = f"lab/processes/{name}/Pipfile.lock"
        assert (lab / lock).read_bytes() == (finished_lab / lock).read_bytes()


def test_it_is_among_the_candidates(lab: Path) -> None:
    assert "\nboosted_trees," in (lab / "artifacts/best_model/comparison.csv").read_text(encoding="utf-8")


def test_packaged_it_predicts_raw_rows_in_an_environment_of_its_requirements(
    lab: Path, tmp_path: Path, shell: Shell
) -> None:
    metrics = lab / "artifacts/boosted_trees/metrics/boosted_trees.json"
    assert read_json(metrics)["log_loss"] < 0.5
    # It alone is left to select: whether it is the best is not what is tested.
    own = {"PATH": f"{lab}/.venv/bin:{os.environ['PATH']}"}
    shell("python -m lab remove-process train_dnn_pytorch", lab, **own)
    shell("python -m lab remove-process train_standard_classifiers && dvc repro", lab, **own)
    assert read_json(lab / "artifacts/best_model/metrics.json")["selected"] == "boosted_trees"
    model = lab / "artifacts/best_model/model"
    locked = read_json(lab / "lab/processes/boosted_trees/Pipfile.lock")["default"]["lightgbm"]["version"]
    assert f"lightgbm{locked}" in (model / "requirements.txt").read_text(encoding="utf-8").split()
    clean = tmp_path / "clean"
    run_uv("venv", "--python", sys.executable, str(clean))
    python = clean / "bin" / "python"
    run_uv("pip", "install", "--python", str(python), "-r", str(model / "requirements.txt"), *where_to_find())
    rows = lab / "data/processed/example_rows.csv"
    done = subprocess.run(
        [str(python), "-c", PREDICT, str(model), str(rows)], cwd=tmp_path, env={}, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["label", "probability_benign", "probability_malignant"]
