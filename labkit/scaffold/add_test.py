"""A new process is whole and works, or is not there at all."""

import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from labkit.paths import ROOT
from labkit.pipeline.dependencies import declared_stages, faults
from labkit.process.errors import InputError
from labkit.scaffold import add
from labkit.scaffold.add import NEEDED, add_process, check_name, check_needed
from labkit.testing.fixtures import Shell


@pytest.mark.unittest
@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("", "can't name a process; use lower-case letters, digits and _, such as clean_data"),
        ("Clean", "can't name a process"),
        ("clean-data", "can't name a process"),
        ("2nd", "can't name a process"),
        ("../up", "can't name a process"),
        ("clean\n", "can't name a process"),
        ("class", "can't name a process"),
        ("yes", "means something else to YAML or pydantic"),
        ("json", "means something else to YAML or pydantic"),
        ("x" * 61, ""),
        ("params", "is what another file of a process is called"),
        ("lab", "is what another file of a process is called"),
        ("main", "is what another file of a process is called"),
        ("clean_test", "is what another file of a process is called"),
        *((name, "is in dvc.yaml already; take another name") for name in declared_stages(ROOT)),
        ("project", "is in params.yaml already; take another name"),
        ("conftest", "is in lab/processes already; take another name"),
    ],
)
def test_a_bad_name_is_refused(name: str, reason: str) -> None:
    with pytest.raises(InputError) as refused:
        check_name(name)
    assert str(refused.value).startswith(f"{name!r:.60} {reason}")


@pytest.mark.unittest
def test_a_good_name_is_taken() -> None:
    check_name("describe_data_2")
    check_name("x" * 60)


@pytest.mark.unittest
def test_a_model_without_a_stage_that_prepares_its_data_is_refused(tmp_path: Path) -> None:
    for file in NEEDED:
        with pytest.raises(InputError, match=rf"{file}\b.*: not here, "):
            check_needed(tmp_path)
        (tmp_path / file).parent.mkdir(exist_ok=True)
        (tmp_path / file).write_text("", encoding="utf-8")
    dvc_yaml = tmp_path / "dvc.yaml"
    dvc_yaml.write_text("stages: {train: {cmd: train, deps: [data/processed], outs: [m]}}\n", encoding="utf-8")
    with pytest.raises(InputError, match=r"^dvc.yaml: no stage writes data/processed, which a new model reads; "):
        check_needed(tmp_path)
    dvc_yaml.write_text("stages: {prepare: {cmd: prepare, outs: [data/processed]}}\n", encoding="utf-8")
    check_needed(tmp_path)


@pytest.mark.unittest
def test_params_yaml_is_as_before_where_dvc_yaml_takes_no_stage(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    texts = {
        "params.yaml": "project: {name: lab}\n",
        "dvc.yaml": "stages: {train: {cmd: x}}\n",
        "Pipfile": "[packages]\n",
    }
    for name, text in texts.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    (tmp_path / "processes").mkdir()
    for name, place in (
        ("ROOT", ""),
        ("PROCESSES", "processes"),
        ("PARAMS_YAML", "params.yaml"),
        ("DVC_YAML", "dvc.yaml"),
    ):
        monkeypatch.setattr(add, name, tmp_path / place)
    monkeypatch.setattr(add, "lock_process", lambda _: None)
    with pytest.raises(InputError, match=r"^stages: write its entries on lines of their own"):
        add_process("describe_data")
    assert {name: (tmp_path / name).read_text(encoding="utf-8") for name in texts} == texts
    assert not list((tmp_path / "processes").iterdir())


@pytest.fixture
def lab(new_lab: Callable[[], Path]) -> Path:
    """A copy of this repository."""
    return new_lab()


@pytest.mark.nightly  # this_lab/command_line_test.py runs one each time
@pytest.mark.integration
def test_a_new_process_works(lab: Path, shell: Shell, mypy_cache: Path) -> None:
    new = "lab/processes/describe_data"
    said = shell(f"{sys.executable} -m lab new-process describe_data", lab).stdout
    assert [line.split("\t")[1:] for line in shell("git diff --numstat", lab).stdout.splitlines()] == [
        ["0", "dvc.yaml"],
        ["0", "params.yaml"],
    ]
    assert faults(lab) == []
    shell(f"ruff check {new} && ruff format --check {new} && mypy {new}", lab, MYPY_CACHE_DIR=str(mypy_cache))
    for command in filter(None, map(str.strip, said.splitlines()[1:])):
        shell(command, lab)
    assert "artifacts/describe_data/summary.json" in shell("dvc metrics show", lab).stdout


@pytest.mark.nightly  # README's commands, which docs_test.py runs each time, add one too
@pytest.mark.integration
def test_a_new_model_is_trained_tested_and_selected_among(
    finished_lab: Path, tmp_path: Path, shell: Shell, mypy_cache: Path
) -> None:
    """Nothing is edited by hand, and when it goes, nothing is left of it."""
    lab, new = shutil.copytree(finished_lab, tmp_path / "lab", symlinks=True), "lab/processes/forest"
    said = shell("python -m lab new-process --model forest", lab).stdout
    numbers = [line.split("\t")[1:] for line in shell("git diff --numstat", lab).stdout.splitlines()]
    assert numbers == [["0", "dvc.yaml"], ["0", "params.yaml"]]
    assert faults(lab) == []
    shell(f"ruff check {new} && ruff format --check {new} && mypy {new}", lab, MYPY_CACHE_DIR=str(mypy_cache))
    for command in filter(None, map(str.strip, said.splitlines()[1:])):
        shell(command, lab)
    model = lab / new / "model.py"
    code = model.read_text(encoding="utf-8")
    model.write_text(code.replace("import joblib", "import jobless as joblib"), encoding="utf-8")
    refused = shell("dvc repro select_best_model", lab, check=False)
    assert 'error: lab/processes/forest/Pipfile: add the line `jobless = "*"`' in refused.stderr
    assert "Traceback" not in refused.stderr
    model.write_text(code, encoding="utf-8")
    ran = shell("dvc repro", lab).stdout
    assert [name for name in declared_stages(lab) if f"Running stage '{name}'" in ran] == ["select_best_model"]
    models = lab / "artifacts/best_model/comparison.csv"
    assert "\nforest," in models.read_text(encoding="utf-8")
    shell("python -m lab remove-process forest && git diff --exit-code dvc.yaml params.yaml", lab)
    shell("dvc repro && python -m lab tables", lab)
    assert "\nforest," not in models.read_text(encoding="utf-8")
    assert shell("git status --porcelain", lab).stdout == ""


@pytest.mark.integration
def test_nothing_stays_of_a_process_that_could_not_be_written(lab: Path, shell: Shell) -> None:
    lock = lab / "Pipfile.lock"
    lock.write_text(lock.read_text(encoding="utf-8").replace('"pydantic"', '"pidantic"'), encoding="utf-8")
    shell("git commit --quiet --no-verify --all --message spoilt", lab)
    refused = shell(f"{sys.executable} -m lab new-process describe_data", lab, check=False)
    assert refused.returncode == 1
    assert refused.stderr.startswith("error: ")
    assert "the root lock has no pydantic" in refused.stderr
    assert shell("git status --porcelain", lab).stdout == ""
