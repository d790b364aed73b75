"""A pipeline of two stages is verified for real: in a clone, by DVC, from its raw data."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from labkit.process.files import read_json
from labkit.proof.verify import verify
from labkit.testing.fixtures import Shell

DVC_YAML = """
stages:
  judge:
    cmd: wc -c < model/weights > score.txt && echo '{"loss":' $(cat model/weights) '}' > score.json
    deps: [model]
    outs: [score.txt]
    metrics: [score.json]
  train:
    cmd: mkdir model && cat raw/numbers > model/weights
    deps: [raw]
    outs: [model]
    meta: {tolerance: 0.5}
"""
Verify = Callable[..., tuple[int, dict[str, Any]]]


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory, shell: Shell) -> Path:
    """Its results are committed; its raw data are in DVC's cache alone, and its outputs there too."""
    folder = tmp_path_factory.mktemp("finished") / "project"
    (folder / "raw").mkdir(parents=True)
    (folder / "raw" / "numbers").write_text("1.25\n")
    (folder / "dvc.yaml").write_text(DVC_YAML)
    (folder / ".dvcignore").write_text(".lab\n.gitignore\n")
    (folder / ".gitignore").write_text("/.lab/\n")
    shell(
        "git init --quiet --initial-branch main && dvc init --quiet && dvc remote add --quiet -d share ../share", folder
    )
    shell("dvc add --quiet raw/numbers && dvc repro --quiet", folder)
    shell("git add --all && git commit --quiet --no-verify -m results", folder)
    return folder


@pytest.fixture
def project(finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy to spoil, with this process in it."""
    folder = Path(shutil.copytree(finished, tmp_path / "project", symlinks=True))
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture
def verified(project: Path) -> Callable[..., tuple[int, dict[str, Any]]]:
    """Verify a revision: the exit code, and the receipt."""

    def run(revision: str = "") -> tuple[int, dict[str, Any]]:
        code = verify(revision, to=project / ".lab" / "receipts")
        [receipt] = (project / ".lab" / "receipts").glob("*.json")
        return code, read_json(receipt)

    return run


def outcomes(receipt: dict[str, Any]) -> dict[str, dict[str, Any]]:
    [lock] = [one for one in receipt["predicate"]["configuration"] if one["name"] == "dvc.lock"]
    return {one["output"]: one for one in lock["annotations"]["outcomes"]}


@pytest.mark.integration
def test_x(project: Path, verified: Verify, capfd) -> None:
    code, receipt = verified()
    print(json.dumps(receipt, indent=1))
    print(capfd.readouterr().out)
    assert code == 0
