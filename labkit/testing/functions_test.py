"""Functions fit in a head, and have another name than their module."""

import ast
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from labkit.paths import ROOT

pytestmark = pytest.mark.unittest

MOST = 15  # ruff passes over comprehensions, `and`, `or` and conditional expressions; of a test there may be more
ONE_EACH = (ast.If, ast.IfExp, ast.For, ast.AsyncFor, ast.While, ast.ExceptHandler, ast.comprehension, ast.match_case)


def branches(function: ast.AST) -> int:
    """The ways that a function may go, one for each condition and loop more than the plain one."""
    nodes = list(ast.walk(function))
    conditions = sum(len(node.values) - 1 for node in nodes if isinstance(node, ast.BoolOp))
    conditions += sum(len(node.ifs) for node in nodes if isinstance(node, ast.comprehension))
    return 1 + conditions + sum(isinstance(node, ONE_EACH) for node in nodes)


def functions() -> Iterator[tuple[str, ast.AST]]:
    """Each function of the repository that is not a test, with its place."""
    for name in subprocess.check_output(["git", "ls-files", "*.py"], cwd=ROOT, text=True).splitlines():
        if not name.endswith("_test.py") and (ROOT / name).exists():
            for node in ast.walk(ast.parse((ROOT / name).read_text(encoding="utf-8"))):
                if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                    yield f"{name}: {node.name}", node


def test_no_function_has_too_many_branches() -> None:
    counted = {place: branches(function) for place, function in functions()}
    assert {place: count for place, count in counted.items() if count > MOST} == {}
    assert len(counted) > 0


def test_no_module_and_function_have_one_name() -> None:
    places = [place.partition(": ") for place, _ in functions()]
    assert [place for place, _, name in places if Path(place).stem == name and name != "main"] == []


@pytest.mark.parametrize(
    ("code", "count"),
    [
        ("pass", 1),
        ("if a and b or c: pass", 4),
        ("x = [a for a in b if a if b]", 4),
        ("x = a if b else c", 2),
        ("for a in b:\n    while c: pass", 3),
        ("try: pass\nexcept A: pass\nexcept B: pass", 3),
        ("match a:\n    case 1: pass\n    case 2: pass", 3),
    ],
)
def test_every_way_is_counted(code: str, count: int) -> None:
    assert branches(ast.parse(code)) == count
