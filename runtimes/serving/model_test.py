"""Where the model is that a person names."""

from pathlib import Path

import pytest

from labkit.process.tracking import md5_of
from labkit.testing.fixtures import Shell
from runtimes.serving.model import Place, locate

DVC_YAML = "stages: {select: {cmd: train, outs: [last], meta: {registry: {name: best, model: last}}}}\n"


@pytest.mark.integration
def test_a_folder_with_a_model_and_the_last_runs_are_named_by_their_bytes(
    tmp_path: Path, shell: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "dvc.yaml").write_text(DVC_YAML, encoding="utf-8")
    shell("git init --quiet && git add dvc.yaml && git commit --quiet -m lab", tmp_path)
    for name in ("own", "last"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "MLmodel").write_text(name, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    assert locate("own") == Place(Path("own"), "best", md5_of(Path("own"))[:10])
    assert locate(None) == Place(Path("last"), "best", md5_of(Path("last"))[:10])
