"""A module runs with another process's packages; what it lacks there is told with the line that adds it."""

from pathlib import Path

import pytest

from labkit.launch.elsewhere import lacking
from labkit.paths import PROCESSES
from labkit.process.errors import InputError
from labkit.process.trainers import run_in

PROCESS = next((lock.parent.name for lock in sorted(PROCESSES.glob("*/Pipfile.lock"))), "")


@pytest.mark.unittest
def test_a_missing_package_is_told_with_its_pin_where_the_root_has_it() -> None:
    assert lacking("a", "yaml") == (
        'lab/processes/a/Pipfile: add the line `pyyaml = "==6.0.3"`, then `make lock`: the models of a need yaml'
    )


@pytest.mark.unittest
def test_a_package_that_the_root_lacks_too_is_added_to_the_one_pipfile_that_needs_it() -> None:
    assert lacking("a", "lightning_fast.boost").startswith(
        'lab/processes/a/Pipfile: add the line `lightning-fast = "*"`, then `make lock`'
    )


@pytest.mark.unittest
def test_a_missing_module_of_the_lab_is_no_package() -> None:
    assert lacking("a", "lib.nothing").startswith("lib.nothing is not a module of this lab")


@pytest.mark.integration
@pytest.mark.skipif(not PROCESS, reason="no process is here")
def test_it_runs_there_and_fails_in_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No process has pytest, which this environment has."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "here.py").write_text(
        "import sys\nfrom pathlib import Path\nPath('prefix').write_text(sys.prefix)\nimport pytest", encoding="utf-8"
    )
    with pytest.raises(InputError, match=rf"^lab/processes/{PROCESS}/Pipfile: add the line `pytest = "):
        run_in(PROCESS, "here")
    assert Path("prefix").read_text(encoding="utf-8").rpartition("/")[2].startswith(f"{PROCESS}-")
    (tmp_path / "here.py").write_text("import sys\nsys.exit('error: no such thing')", encoding="utf-8")
    with pytest.raises(InputError, match=r"^no such thing$"):
        run_in(PROCESS, "here")
    (tmp_path / "here.py").write_text("1 / 0", encoding="utf-8")
    with pytest.raises(RuntimeError, match="ZeroDivisionError"):
        run_in(PROCESS, "here")
