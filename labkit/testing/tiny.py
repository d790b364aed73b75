"""A pytest plugin: a lab of tiny stages with a real origin and a real remote, for tests of many machines."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from labkit.testing.example_lab import write_yaml
from labkit.testing.fixtures import Shell

# As a set of stages may be: data that `dvc add` keeps, folders that are read in part, a `foreach`, a stage elsewhere.
STAGES: dict[str, Any] = {
    "join": {"cmd": "cat made/b/x made/c/x > joined", "deps": ["made/b/x", "made/c/x"], "outs": ["joined"]},
    "first": {"cmd": "cat in/raw > start", "deps": ["in"], "params": ["project"], "outs": ["start"]},
    "each": {
        "foreach": ["b", "c"],
        "do": {
            "cmd": "mkdir -p made/${item}; cat start > made/${item}/x",
            "deps": ["start"],
            "outs": ["made/${item}"],
        },
    },
    "elsewhere": {
        "wdir": "away",
        "cmd": 'eval "$HINDRANCE" && cp ../start copy',  # a test may have it fail, or hang
        "deps": ["../start"],
        "metrics": ["copy"],
    },
}


@pytest.fixture(scope="session")
def tiny_template(new_lab: Callable[[], Path], tmp_path_factory: pytest.TempPathFactory, shell: Shell) -> Path:
    """A folder with a lab that has these stages in the place of its own, `alone`, and its origin and its remote."""
    lab = Path(shutil.move(new_lab(), tmp_path_factory.mktemp("template") / "alone"))
    shutil.rmtree(lab / "lab/processes")
    write_yaml(lab / "dvc.yaml", {"stages": STAGES})
    for folder in ("in", "away"):
        (lab / folder).mkdir()
    (lab / "in/raw").write_text("1\n")
    (lab / "away/note").touch()  # Git keeps no empty folder
    shell("dvc config core.analytics false && dvc remote add --quiet -d share ../share", lab)
    shell("dvc add --quiet in/raw && dvc push --quiet in/raw.dvc", lab)
    shell("git add --all && git commit --quiet --no-verify -m tiny", lab)
    shell("git init --quiet --bare --initial-branch main ../origin", lab)
    shell("git remote add origin ../origin && git push --quiet origin HEAD:main", lab)
    return lab.parent


@pytest.fixture
def tiny_lab(tiny_template: Path, tmp_path: Path) -> Path:
    """A copy of all of it."""
    return Path(shutil.copytree(tiny_template, tmp_path / "place", symlinks=True))
