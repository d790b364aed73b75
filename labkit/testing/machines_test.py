"""The repository's shell is that of macOS too, and a machine with another Python is told what it lacks."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from labkit.paths import ROOT

SHELL_FILES = [
    ROOT / "Makefile",
    ROOT / ".pre-commit-config.yaml",
    ROOT / ".ci" / "run",
    *sorted((ROOT / ".github" / "workflows").glob("*.yml")),
]
# What GNU's tools or bash 4 have and macOS (BSD's tools, bash 3.2) has not.
LINUX_ONLY = [
    r"readlink -f",
    r"sed -(i\b(?!\.)|n?r\b)",
    r"grep -\w*P",
    r"(date|xargs) -[dr]\b",
    r"stat -c",
    r"cp --parents",
    r"mktemp --",
    r"(?<![\w.-])(flock|nproc|realpath|setsid|tac|timeout) ",
    r"mapfile|readarray|declare -A|\|&|&>>|\$\{\w+(,,|\^\^|@)",
]


def linux_only(text: str) -> list[str]:
    return [found[0] for form in LINUX_ONLY for found in re.finditer(form, text)]


@pytest.mark.unittest
@pytest.mark.parametrize("file", SHELL_FILES, ids=lambda file: file.name)
def test_shell_is_what_macos_has_too(file: Path) -> None:
    assert linux_only(file.read_text(encoding="utf-8")) == []


@pytest.mark.unittest
def test_shell_that_macos_lacks_is_seen() -> None:
    text = "readlink -f .; sed -i s/a/b/ x; sed -r s/a/b/ x; flock x true; mapfile -t y; echo ${a,,}; timeout 5 z"
    assert len(linux_only(text)) == 7
    assert (
        linux_only(
            "sed -n s/a/b/p; sed -i.bak s/a/b/ x; timeout-minutes: 5; fcntl.flock(x); pwd -P; cp -R a b; mktemp -d"
        )
        == []
    )


@pytest.mark.integration
@pytest.mark.parametrize("version", [(3, 10, 13), (3, 12, 1), (3, 13, 0)])
def test_a_machine_with_another_python_is_told_what_to_install(version: tuple[int, int, int], tmp_path: Path) -> None:
    """The other Python is this one, which says that it is another."""
    for name in ("Makefile", "Pipfile", "Pipfile.lock"):
        shutil.copy(ROOT / name, tmp_path)
    tools = tmp_path / "bin"
    tools.mkdir()
    for name in ("make", "sh", "sed", "git", "test", "cmp"):
        (tools / name).symlink_to(str(shutil.which(name)))
    program = f"import sys; sys.version_info = {version}; exec(sys.argv[2])"
    (tools / "python3").write_text(f"#!/bin/sh\nexec {sys.executable} -c '{program}' \"$@\"\n")
    (tools / "python3").chmod(0o755)
    done = subprocess.run(["make", "setup"], cwd=tmp_path, env={"PATH": str(tools)}, capture_output=True, text=True)
    assert done.returncode == 2
    assert done.stdout == ""
    error, of_make = done.stderr.splitlines()
    assert error == (
        "error: the lab needs Python 3.11, which is not here: install it, by `uv python install 3.11` for one, "
        "or name it: make setup PYTHON=/path/to/python"
    )
    assert of_make.startswith("make: *** ")
    assert not (tmp_path / ".venv").exists()
