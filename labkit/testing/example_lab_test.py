"""What a project changes in its parameters, goals, data and remotes never reaches the copies that tests work in."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from labkit.paths import ROOT
from labkit.testing.example_lab import STAGES, adapt, copy_lab, example_params, needed_stages, read_yaml, write_yaml
from labkit.testing.fixtures import Shell


def process(lab: Path, name: str, deps: list[str], outs: list[str], **more: Any) -> None:
    """Add a process with a section of its own, and a stage, by hand."""
    folder = lab / "lab" / "processes" / name
    folder.mkdir()
    (folder / "main.py").touch()
    (folder / "params.py").write_text(f"class Params(Strict):\n    {name}: int\n", encoding="utf-8")
    pipeline, params = read_yaml(lab / "dvc.yaml"), read_yaml(lab / "params.yaml")
    command = f"python -m labkit.launch {name}"
    pipeline["stages"][name] = {"cmd": command, "deps": [f"lab/processes/{name}", *deps], "outs": outs} | more
    write_yaml(lab / "dvc.yaml", pipeline | {"plots": outs})
    write_yaml(lab / "params.yaml", params | {name: 1})


def contents(folder: Path) -> dict[str, bytes]:
    files = [path for path in folder.rglob("*") if path.is_file() and path.relative_to(folder).parts[0] != ".git"]
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


@pytest.fixture(scope="module")
def template(new_lab: Callable[[], Path]) -> Path:
    """A copy of this repository."""
    return new_lab()


@pytest.fixture
def project(template: Path, tmp_path: Path, shell: Shell) -> Path:
    """A project far from the example: own data in DVC, own remote, parameters, goals and a process on these data."""
    lab = shutil.copytree(template, tmp_path / "project", symlinks=True)
    params = read_yaml(lab / "params.yaml")
    params["project"]["name"] = "wines"
    params["data"] = {"source": "data/raw/wine.csv", "target": "quality", "query": None, "separator": ";"}
    params["data"] |= {"missing": {"a": "median"}, "dates": {"b": ["year"]}}
    params["split"] |= {"group": "patient", "folds": 5}
    params["training"]["lr"] = 0.1
    params["training"]["hidden_layers"] = [8]
    write_yaml(lab / "params.yaml", params)
    (lab / "goals/goals.yaml").write_text("- {goal: g, file: f, metric: m, at_least: 1.0}\n", encoding="utf-8")
    (lab / "data/raw/wine.csv").write_text("a,quality\n1,2\n", encoding="utf-8")
    (lab / "data/raw/codes.csv").write_text("1,2\n", encoding="utf-8")
    process(lab, "count_codes", ["data/raw/codes.csv"], ["artifacts/codes.json"])
    shell("dvc add data/raw/wine.csv data/raw/codes.csv && dvc remote add --default minio s3://wines/dvc", lab)
    (lab / "dvc.lock").write_text("schema: '2.0'\nstages: {}\n", encoding="utf-8")
    return lab


@pytest.mark.integration
@pytest.mark.parametrize("committed", [True, False])
def test_the_copy_of_a_project_is_the_copy_of_the_template(
    project: Path, template: Path, tmp_path: Path, shell: Shell, committed: bool
) -> None:
    if committed:
        shell("git add --all && git commit --quiet --no-verify --message wines", project)
    assert contents(copy_lab(project, tmp_path / "copy")) == contents(template)
    assert (tmp_path / "copy/data/raw").is_dir()


@pytest.mark.integration
def test_a_process_that_the_example_needs_is_kept_with_its_parameters(project: Path, tmp_path: Path) -> None:
    process(project, "train_more", ["data/processed"], [], metrics=[{"artifacts/more/metrics": {"cache": True}}])
    pipeline = read_yaml(project / "dvc.yaml")
    pipeline["stages"]["select_best_model"]["deps"].append("artifacts/more/metrics/more.json")
    write_yaml(project / "dvc.yaml", pipeline)
    copy = copy_lab(project, tmp_path / "copy")
    assert set(read_yaml(copy / "dvc.yaml")["stages"]) == {*STAGES, "train_more"}
    assert "train_more" in read_yaml(copy / "params.yaml")
    assert "count_codes" not in read_yaml(copy / "params.yaml")
    assert {path.name for path in (copy / "lab/processes").glob("*/")} >= {*STAGES, "train_more"}
    assert not (copy / "lab/processes/count_codes").exists()


@pytest.mark.integration
def test_where_the_whole_project_is_tested_its_own_sections_stay(project: Path) -> None:
    params = example_params(project)
    assert (params["training"]["lr"], params["count_codes"]) == (0.0003, 1)


@pytest.mark.unittest
def test_a_key_that_a_project_added_stays_with_its_reason_and_one_that_it_removed_is_gone(tmp_path: Path) -> None:
    def read(text: str) -> Any:
        (tmp_path / "text.yaml").write_text(text, encoding="utf-8")
        return read_yaml(tmp_path / "text.yaml")

    example = read("a:\n  x: 9 # why\n  list: [3] # list\n  gone: 4\n\nb: {z: 1}\n")
    adapt(example, read("a:\n  x: 1 # other\n  new: 2 # new\n  list: [1, 2]\nmine:\n  y: null # mine\n"))
    write_yaml(tmp_path / "text.yaml", example)
    text = (tmp_path / "text.yaml").read_text(encoding="utf-8")
    assert text == "a:\n  x: 9 # why\n  list: [3] # list\n  new: 2 # new\nmine:\n  y: null # mine\n"


@pytest.mark.unittest
def test_a_copy_keeps_comments_and_look(tmp_path: Path) -> None:
    for name in ("params.yaml", "dvc.yaml"):
        write_yaml(tmp_path / name, read_yaml(ROOT / name))
        assert (tmp_path / name).read_text(encoding="utf-8") == (ROOT / name).read_text(encoding="utf-8")


@pytest.mark.unittest
def test_a_stage_is_needed_when_one_of_the_example_reads_from_it_however_far() -> None:
    stages = {
        "fetch": {"cmd": "", "outs": ["data/raw/codes.csv"]},
        "clean": {"cmd": "", "deps": ["data/raw/codes.csv"], "outs": [{"data/clean": {"persist": True}}]},
        "prepare_data": {"cmd": "", "deps": ["data/clean/table.csv"], "outs": ["data/processed"]},
        "report": {"cmd": "", "deps": ["data/processed"], "plots": ["report.png"]},
    }
    assert set(needed_stages(stages)) == {"fetch", "clean", "prepare_data"}
