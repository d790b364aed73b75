"""Where a process is told to write its run.json, with a real DVC where it resolves the place."""

from pathlib import Path

import pytest
from dvc.repo import Repo

from labkit.launch.stage import run_file_variable
from labkit.process.run_file import RUN_FILE_VARIABLE

pytestmark = pytest.mark.integration

STAGES = """
vars: [{folder: out}]
stages:
  train:
    cmd: train
    outs: [out/model, {out/run.json: {cache: true}}]
  elsewhere:
    cmd: elsewhere
    wdir: below
    outs: [run.json]
  of_variable:
    cmd: of_variable
    outs: ["${folder}/var/run.json"]
  each:
    foreach: {a: {seed: 1}, b: {seed: 2}}
    do:
      cmd: each
      wdir: below
      outs: ["${key}-${item.seed}/run.json"]
  grid:
    matrix: {seed: [1, 2], model: [x, y]}
    cmd: grid
    outs: ["grid/${item.model}/${item.seed}/run.json"]
  silent:
    cmd: silent
    outs: [out/a.json]
"""
PLACES = {
    "train": "out/run.json",
    "elsewhere": "below/run.json",
    "of_variable": "out/var/run.json",
    "each@a": "below/a-1/run.json",
    "grid@2-y": "grid/y/2/run.json",
    "silent": None,
    "another": None,
    "": None,
}


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A DVC project with these stages."""
    folder = tmp_path_factory.mktemp("lab")
    Repo.init(str(folder), no_scm=True).close()
    (folder / "dvc.yaml").write_text(STAGES)
    (folder / "below").mkdir()
    return folder


@pytest.mark.parametrize(("stage", "place"), PLACES.items())
def test_it_is_where_the_stage_has_it_among_its_outputs(
    stage: str, place: str | None, lab: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(lab)
    monkeypatch.setenv("DVC_STAGE", stage)
    told = {name: Path(value) for name, value in run_file_variable(lab).items()}
    assert told == ({RUN_FILE_VARIABLE: lab / place} if place else {})
