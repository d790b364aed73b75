"""The README's tree is the repository's; that its picture is what `make run` shows is checked by .ci/run."""

import re
import subprocess
from pathlib import Path

import pytest

from labkit.paths import ROOT
from labkit.testing.example_lab import STAGES
from labkit.testing.fixtures import needs_example

pytestmark = needs_example


def tree_paths(readme: str) -> list[str]:
    """The paths of the README's directory tree, folders with a slash at the end."""
    folders: list[str] = []
    paths = []
    for line in readme.splitlines():
        if found := re.match(r"^((?:│   |    )*)(?:├── |└── )(\S+)", line):
            depth, name = len(found[1]) // 4, found[2]
            paths.append("".join(folders[:depth]) + name)
            folders[depth:] = [name]
    return paths


def tracked() -> set[str]:
    """Every file that Git knows, and every folder of theirs with a slash at the end."""
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()
    folders = {f"{folder}/" for file in listed for folder in Path(file).parents if str(folder) != "."}
    return folders | set(listed)


@pytest.mark.unittest
def test_it_is_short() -> None:
    assert len((ROOT / "README.md").read_text(encoding="utf-8").splitlines()) < 150


@pytest.mark.unittest
def test_the_tree_names_what_exists() -> None:
    paths = tree_paths((ROOT / "README.md").read_text(encoding="utf-8"))
    assert len(paths) > 20
    assert [path for path in paths if path not in tracked()] == []


@pytest.mark.unittest
def test_the_tree_names_every_folder_at_the_top_and_every_process_of_the_example() -> None:
    paths = set(tree_paths((ROOT / "README.md").read_text(encoding="utf-8")))
    wanted = {p for p in tracked() if p.count("/") == 1 and p.endswith("/")} - {".dvc/"}
    wanted |= {f"lab/processes/{name}/" for name in STAGES} & tracked()
    assert wanted - paths == set(), "add these to the tree in README.md"
