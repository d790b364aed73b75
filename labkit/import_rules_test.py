"""Which part of the machinery may import which: a newcomer reads LAYERS from the top down."""

import grimp
import pytest

from labkit.paths import ROOT

pytestmark = pytest.mark.unittest

# Each layer imports only those below it. Modules in one layer know nothing of each other.
LAYERS: list[set[str]] = [
    {"cli"},
    {"writeup"},
    {"figures"},
    {"site"},
    {"compare", "doctor", "lineage", "run", "scaffold", "setup", "sweep", "ui", "upgrade"},
    {"distribute", "proof", "publish"},
    {"registry"},
    {"report"},
    {"pipeline"},
    {"launch"},
    {"tracking"},
    {"goals", "yaml_edit"},
    {"dvc_adapter"},
    {"process"},
    {"declared", "detached", "file_lock", "git_cli", "github", "markup", "paths", "terminal"},
]
OUTSIDE = {"testing"}  # copies of the repository for the tests: nothing but tests imports it
OF_DVC = {"dvc", "dvc_data", "dvc_objects", "dvc_render"}
USERS = ("lab", "lib", "goals", "runtimes")


@pytest.fixture(scope="module")
def graph() -> grimp.ImportGraph:
    """The imports of everything that is not a test."""
    found = grimp.build_graph("labkit", *USERS, cache_dir=None)
    for module in set(found.modules):
        if module.endswith(("_test", ".conftest")) or module.startswith("labkit.testing"):
            found.remove_module(module)
    return found


def test_every_part_has_its_layer() -> None:
    folder = ROOT / "labkit"
    modules = {path.stem for path in folder.glob("*.py") if not path.stem.endswith("_test")} - {"__init__"}
    packages = {path.parent.name for path in folder.glob("*/__init__.py")}
    assert set.union(*LAYERS) | OUTSIDE == modules | packages


def test_the_machinery_imports_nothing_of_the_user_s(graph: grimp.ImportGraph) -> None:
    theirs = {
        (importer, imported)
        for importer in graph.find_descendants("labkit")
        for imported in graph.find_modules_directly_imported_by(importer)
        if imported.split(".")[0] in USERS
    }
    assert theirs == set()


def test_the_adapter_alone_writes_command_lines_of_dvc() -> None:
    files = [file for top in ("labkit", "runtimes") for file in (ROOT / top).rglob("*.py")]
    written = [file for file in files if '"-m", "dvc"' in file.read_text(encoding="utf-8")]
    code = [file for file in written if not file.stem.endswith("_test")]
    assert [file.relative_to(ROOT).as_posix() for file in code] == ["labkit/dvc_adapter/command_line.py"]


def test_a_layer_imports_only_those_below_it(graph: grimp.ImportGraph) -> None:
    rules = [grimp.Layer(*layer, independent=True) for layer in LAYERS]
    assert graph.find_illegal_dependencies_for_layers(rules, containers={"labkit"}) == set()


def test_the_adapter_alone_imports_dvc() -> None:
    """Tests aside: those drive the real one. Imports for type checking alone count as well."""
    found = grimp.build_graph("labkit", *USERS, include_external_packages=True, cache_dir=None)
    importers = {module for dvc in OF_DVC & found.modules for module in found.find_modules_that_directly_import(dvc)}
    elsewhere = {module for module in importers if not module.startswith("labkit.dvc_adapter.")}
    assert {module for module in elsewhere if not module.endswith(("_test", ".conftest"))} == set()
    assert importers > elsewhere  # those of the adapter are seen
