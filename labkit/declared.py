"""The sections of params.yaml that a process declares, read from its code without importing it."""

import ast
from pathlib import Path


def optional_keys(params_file: Path) -> set[str]:
    """The fields of a params.py that have a default, so that params.yaml may go without them."""
    parsed = ast.parse(params_file.read_text(encoding="utf-8"), str(params_file))
    fields = [node for node in ast.walk(parsed) if isinstance(node, ast.AnnAssign)]
    return {ast.unparse(field.target) for field in fields if field.value is not None and _has_default(field.value)}


def _has_default(value: ast.expr) -> bool:
    """Whether a field's value is a default, or a Field(...) that has one."""
    if not (isinstance(value, ast.Call) and ast.unparse(value.func) == "Field"):
        return True
    return bool(value.args) or any(keyword.arg in ("default", "default_factory") for keyword in value.keywords)


def declared_sections(params_file: Path) -> set[str]:
    """The fields of the class Params in a process's params.py."""
    if not params_file.exists():
        return set()
    parsed = ast.parse(params_file.read_text(encoding="utf-8"), str(params_file))
    body = [node.body for node in parsed.body if isinstance(node, ast.ClassDef) and node.name == "Params"]
    return {ast.unparse(line.target) for line in body[0] if isinstance(line, ast.AnnAssign)}
