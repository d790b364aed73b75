"""A lock is made from its Pipfile and the root lock."""

from pathlib import Path

import pytest

from labkit.launch.locks import lock_process
from labkit.paths import PROCESSES
from labkit.process.errors import InputError


@pytest.mark.integration
def test_locking_again_changes_nothing(tmp_path: Path) -> None:
    for folder in sorted(pipfile.parent for pipfile in PROCESSES.glob("*/Pipfile")):
        again = tmp_path / folder.name
        again.mkdir()
        (again / "Pipfile").write_bytes((folder / "Pipfile").read_bytes())
        lock_process(again)
        assert (again / "Pipfile.lock").read_bytes() == (folder / "Pipfile.lock").read_bytes()


@pytest.mark.unittest
@pytest.mark.parametrize(
    ("package", "message"),
    [
        ('numpyy = "*"', r"Pipfile: the root lock has no numpyy; put that in \./Pipfile, then `make lock`"),
        ('numpy = "==0.0.1"', r"Pipfile: the root lock has no numpy==0\.0\.1; put that"),
        ("numpy = ", "Pipfile is no TOML"),
    ],
)
def test_a_pipfile_that_the_root_lock_cannot_serve_is_refused(tmp_path: Path, package: str, message: str) -> None:
    (tmp_path / "Pipfile").write_text(f"[packages]\n{package}\n", encoding="utf-8")
    with pytest.raises(InputError, match=message):
        lock_process(tmp_path)
    assert not (tmp_path / "Pipfile.lock").exists()
