"""A commit's dvc.lock is of what the same commit has, or what differs is named. Git and DVC are real."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from labkit.dvc_adapter.agreement import disagreements
from labkit.dvc_adapter.repository import open_project
from labkit.testing.fixtures import Shell

pytestmark = pytest.mark.integration

DVC_YAML = """
stages:
  prepare:
    cmd: cat raw/rows.csv raw/more.csv > rows.csv
    deps: [raw, code/prepare]
    params: [split, {other.yaml: }]
    outs: [rows.csv]
  train:
    cmd: cp rows.csv model
    deps: [rows.csv, code/train.py]
    outs: [model]
  report:
    cmd: cp rows.csv report
    deps: [rows.csv]
    outs: [report]
"""


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory, shell: Shell) -> Path:
    lab = tmp_path_factory.mktemp("made")
    for folder in ("raw", "code/prepare"):
        (lab / folder).mkdir(parents=True)
    texts = {
        "raw/rows.csv": "1\n",
        "raw/more.csv": "2\n",
        "code/prepare/main.py": "print()\n",
        "code/prepare/main_test.py": "\n",
        "code/train.py": "print()\n",
        "params.yaml": "split: {seed: 1}\nelse: 2\n",
        "other.yaml": "a: 1\n",
        "dvc.yaml": DVC_YAML,
        ".dvcignore": "*_test.py\n",
    }
    for name, text in texts.items():
        (lab / name).write_text(text)
    shell("git init -q -b main && dvc init -q && echo '*_test.py' > .dvcignore && dvc add -q raw/rows.csv", lab)
    shell("dvc repro -q && git add -A && git commit -qm run", lab)
    return lab


@pytest.fixture
def commit(made: Path, tmp_path: Path, shell: Shell, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], str]:
    """Commit what a command line leaves, by the name `edited`; what is in the folder afterwards is not asked."""
    lab = shutil.copytree(made, tmp_path / "lab", symlinks=True)
    monkeypatch.chdir(lab)

    def commit(command: str) -> str:
        shell(
            f"{command}; git add -A; git commit -q --allow-empty -m edited; git branch edited; git checkout -q HEAD~1",
            lab,
        )
        return "edited"

    return commit


@pytest.mark.parametrize(
    ("command", "found"),
    [
        ("true", {}),
        ("echo '# reason' >> params.yaml; sed -i 's/else: 2/else: 3/' params.yaml", {}),
        ("echo edited >> code/prepare/main_test.py", {}),
        ("sed -i 's/seed: 1/seed: 2/' params.yaml", {"prepare": ["params.yaml"]}),
        ("echo 'b: 2' >> other.yaml", {"prepare": ["other.yaml"]}),
        ("echo '# edited' >> code/prepare/main.py", {"prepare": ["code/prepare"]}),
        ("touch code/prepare/new.py", {"prepare": ["code/prepare"]}),
        ("echo 3 > raw/rows.csv; dvc add -q raw/rows.csv", {"prepare": ["raw"]}),
        ("git rm -q code/train.py", {"train": ["code/train.py"]}),
        ("sed -i 's/cp rows.csv model/cp -f rows.csv model/' dvc.yaml", {"train": ["its command"]}),
        (
            "echo 3 > raw/rows.csv; dvc add -q raw/rows.csv; dvc repro -q prepare",
            {"train": ["rows.csv"], "report": ["rows.csv"]},
        ),
        ("dvc repro -q --force", {}),
    ],
)
def test_what_a_stage_reads_is_compared_with_its_record(
    commit: Callable[[str], str], command: str, found: dict[str, list[str]]
) -> None:
    revision = commit(command)
    with open_project() as project:
        assert disagreements(project, revision) == found
        assert disagreements(project, revision, "train") == {key: found[key] for key in found if key != "report"}
