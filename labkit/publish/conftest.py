"""A remote repository, a laptop that has pushed a tag, and the runner's checkout of it: Git alone, nothing trained."""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from labkit.pipeline.records import Records, write_records
from labkit.testing.fixtures import Shell

# What the first version of this template did after a run, with its two mistakes of spelling put right.
NAIVE = """
branch=$(git branch -r --contains "$TAG"); branch=${branch#*/}
git add dvc.lock
git commit --quiet -m "$(git show -s --format=%B "$branch")-results"
git push origin "HEAD:$branch"
"""


class Place(NamedTuple):
    """Where a tag runs: a bare remote, a laptop's clone of it, and the runner's."""

    origin: Path
    laptop: Path
    runner: Path
    git: Callable[..., str]

    def on_laptop(self, command: str) -> str:
        """Run a command line on the laptop."""
        return self.git(command, self.laptop)

    def tagged(self, tag: str = "run-example-1") -> str:
        """Push the laptop's branch and a tag; check the tag out on the runner. The commit that the tag is on."""
        self.on_laptop(f"git push --quiet origin HEAD; git tag {tag}; git push --quiet origin {tag}")
        self.git(f"git fetch --quiet --tags origin; git checkout --quiet --detach {tag}", self.runner)
        return self.git("git rev-parse HEAD", self.runner)

    def ran(self, records: Records, folder: Path | None = None) -> None:
        """Leave on the runner what a run leaves: records in dvc.lock."""
        (folder or self.runner).joinpath("dvc.lock").write_text(write_records(records), encoding="utf-8")

    def naive(self, tag: str = "run-example-1") -> int:
        """Publish as the first version did; the exit code."""
        return int(self.git(f"({NAIVE}) >/dev/null 2>&1; echo $?", self.runner, TAG=tag))

    def show(self, name: str) -> str:
        """A revision or file of the remote."""
        return self.git(f"git show {name}", self.origin)


@pytest.fixture
def place(tmp_path: Path, shell: Shell, monkeypatch: pytest.MonkeyPatch) -> Place:
    """A project of one file with two records, on main; this process stands in the runner's checkout."""

    def git(command: str, cwd: Path, **variables: str) -> str:
        return shell(command, cwd, **variables).stdout.strip()

    found = Place(tmp_path / "origin", tmp_path / "laptop", tmp_path / "runner", git)
    git("git init --quiet --bare --initial-branch main origin && git clone --quiet origin laptop 2>&1", tmp_path)
    found.ran({"a": {"md5": "a0"}, "b": {"md5": "b0"}}, found.laptop)
    found.on_laptop("git switch --quiet --create main; echo 0 > code.txt; git add .; git commit --quiet -m code")
    found.on_laptop("git push --quiet origin main")
    git("git clone --quiet origin runner", tmp_path)
    monkeypatch.chdir(found.runner)
    return found
