"""What is imported stands in the root Pipfile: what another package happens to bring, it may leave out tomorrow."""

import ast
import sys
from collections.abc import Iterator
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
from packaging.utils import canonicalize_name

from labkit.launch.locks import read_pipfile
from labkit.paths import ROOT

pytestmark = pytest.mark.unittest

OWN = ("benchmarks", "goals", "lab", "labkit", "lib", "runtimes")
MADE = "public_input_pb2"  # beside the node of a .krt, by runtimes/krt
ALONE = ("airflow", "kfp")  # in environments of their own: their Pipfiles are in runtimes


def imported(file: Path) -> Iterator[str]:
    """The packages that a file imports, anywhere in it."""
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        if isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names = [node.module]
        yield from (name.split(".")[0] for name in names)


def test_every_package_that_is_imported_is_named() -> None:
    files = [ROOT / "conftest.py", *(file for folder in OWN for file in (ROOT / folder).rglob("*.py"))]
    read = {package: file for file in files for package in imported(file)}
    others = read.keys() - {*sys.stdlib_module_names, *OWN, MADE, *ALONE, "conftest"}
    assert {"dvc", "typer"} <= others
    pipfile = read_pipfile(ROOT)
    named = {canonicalize_name(name) for name in (*pipfile["packages"], *pipfile["dev-packages"])}
    brought_by = packages_distributions()
    lacking = {
        f'{read[package].relative_to(ROOT)} imports {package}: add the line `{providers[0]} = "*"` to the Pipfile'
        for package in others
        if not named & set(providers := [*map(canonicalize_name, brought_by.get(package, [package]))])
    }
    assert lacking == set()
