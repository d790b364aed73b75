import ast
import hashlib
from pathlib import Path

import pytest

from labkit.launch import kernels
from labkit.launch.kernels import KERNELS_FILE, Choice, chosen, deciding_variables
from labkit.process.errors import InputError
from labkit.process.strict_yaml import load_yaml

pytestmark = pytest.mark.unittest

PARAMS = """
class Params(Strict):
    training: int
    data: int
"""


@pytest.fixture(autouse=True)
def lab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A lab with the process `train` and nothing else."""
    (tmp_path / "train").mkdir()
    (tmp_path / "train" / "params.py").write_text(PARAMS)
    (tmp_path / "params.yaml").write_text("training: {kernels: native}\n")
    monkeypatch.setattr(kernels, "PROCESSES", tmp_path)
    monkeypatch.setattr(kernels, "ROOT", tmp_path)
    return tmp_path


def test_each_choice_has_its_variables_and_all_machines_have_some() -> None:
    portable, native = (deciding_variables(choice, "x86_64") for choice in ("portable", "native"))
    assert portable["MKL_CBWR"] == "COMPATIBLE"
    assert native["MKL_CBWR"] == "AUTO"
    assert portable.keys() - native.keys() >= {"ONEDNN_MAX_CPU_ISA", "NPY_DISABLE_CPU_FEATURES", "OPENBLAS_CORETYPE"}
    elsewhere = deciding_variables("portable", "aarch64")
    assert elsewhere == deciding_variables("native", "aarch64")
    assert elsewhere.items() < native.items()
    assert elsewhere["OMP_NUM_THREADS"] == "1"


@pytest.mark.parametrize("text", ["[]", "format: 1\n", "every_machine: {}\nx86_64: 3\n", "every_machine: ["])
def test_a_spoilt_file_is_told_with_its_remedy(lab: Path, monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setattr(kernels, "KERNELS_FILE", lab / "kernels.yaml")
    (lab / "kernels.yaml").write_text(text)
    with pytest.raises(InputError, match=r"kernels\.yaml"):
        deciding_variables("portable", "x86_64")


@pytest.mark.parametrize(
    ("params", "choice"),
    [
        ("training: {kernels: native}", Choice("native", "cpu")),
        ("training: {kernels: portable}\ndata: {source: a}", Choice("portable", "cpu")),
        ("training: {device: cuda}\ndata: 3", Choice("portable", "cuda")),
        ("other: {kernels: native}", Choice("portable", "cpu")),
        ("training: 3", Choice("portable", "cpu")),
        ("training: {device: [cuda], kernels: 1}", Choice("portable", "cpu")),
        ("training: {device: tpu}\ndata: {device: gpu}", Choice("portable", "cpu")),
        ("training: [", Choice("portable", "cpu")),  # the process itself says what is wrong
        ("3", Choice("portable", "cpu")),
    ],
)
def test_a_process_has_the_choice_of_any_section_that_it_declares(lab: Path, params: str, choice: Choice) -> None:
    (lab / "params.yaml").write_text(params)
    assert chosen("train") == choice


def test_a_process_without_sections_has_what_all_have() -> None:
    assert chosen("nobody") == Choice("portable", "cpu")


def code_digest() -> str:
    """Of what runs inside of every process, and around it, without its comments and docstrings."""
    digest = hashlib.sha256()
    launch = KERNELS_FILE.parent
    around = [launch / f"{name}.py" for name in ("environments", "kernels", "launcher")]
    for file in [*sorted((launch.parent / "process").glob("*.py")), *around]:
        if file.name.endswith("_test.py"):
            continue
        tree = ast.parse(file.read_text(encoding="utf-8"))
        for node in ast.walk(tree):
            if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef) and ast.get_docstring(node) is not None:
                node.body = node.body[1:]
        digest.update(ast.dump(tree).encode())
    return digest.hexdigest()[:16]


def test_who_changes_the_code_of_every_process_is_asked_whether_results_differ() -> None:
    """No stage names this code. If results can differ, raise `format` in kernels.yaml; then put the new digest here."""
    assert load_yaml(KERNELS_FILE)["format"] == 1
    assert code_digest() == "1c1f25649661e985"  # pragma: allowlist secret
