"""The sections of params.yaml that a process declares, read from its code without importing it."""

import ast
from pathlib import Path


def declared_sections(params_file: Path) -> set[str]:
    """The fields of the class Params in a process's params.py."""
    if not params_file.exists():
        return set()
    parsed = ast.parse(params_file.read_text(encoding="utf-8"), str(params_file))
    body = [node.body for node in parsed.body if isinstance(node, ast.ClassDef) and node.name == "Params"]
    return {ast.unparse(line.target) for line in body[0] if isinstance(line, ast.AnnAssign)}
