"""What a verb ends with, where no test of its own runtime sees it."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

import runtimes.cli  # noqa: F401  (its verbs)
from labkit.cli import app


@pytest.mark.unittest
def test_a_product_that_is_wrong_is_told_by_the_exit_code(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("{}", encoding="utf-8")
    done = CliRunner().invoke(app, ["krt", "--check", str(tmp_path / "a.yaml")])
    assert done.exit_code == 1
    assert done.stdout.startswith("a.yaml: version is missing")
