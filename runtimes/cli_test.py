"""What a verb ends with, where no test of its own runtime sees it."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

import runtimes.cli  # noqa: F401  (its verbs)
from labkit.cli import app
from labkit.testing.fixtures import Shell


@pytest.mark.unittest
def test_a_product_that_is_wrong_is_told_by_the_exit_code(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("{}", encoding="utf-8")
    done = CliRunner().invoke(app, ["krt", "--check", str(tmp_path / "a.yaml")])
    assert done.exit_code == 1
    assert done.stdout.startswith("a.yaml: version is missing")


@pytest.mark.integration
def test_what_can_not_be_written_there_is_told_in_a_line(finished_lab: Path, shell: Shell) -> None:
    refused = shell("python -m lab export --to dvc.yaml/crate", finished_lab, check=False)
    assert (refused.returncode, refused.stderr) == (1, "error: dvc.yaml/crate: Not a directory\n")
