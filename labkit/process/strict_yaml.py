"""YAML files that people write: what PyYAML by itself takes silently for something else is read rightly or refused."""

import re
from pathlib import Path
from typing import Any

import yaml

from labkit.process.errors import InputError


def load_yaml(path: Path) -> Any:
    """Read a YAML file. Raises InputError when it is missing, no YAML, or has a key twice."""
    try:
        with path.open("rb") as stream:
            return yaml.load(stream, _Loader)
    except FileNotFoundError:
        raise InputError(f"{path} is missing; restore it with `git checkout {path}`") from None
    except yaml.YAMLError as error:
        raise InputError(f"{path} is no YAML: {' '.join(str(error).split())}") from None


class _Loader(yaml.SafeLoader):
    """PyYAML's loader, which by itself silently takes the last of two equal keys."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        names = [str(key.value) for key, _ in node.value]
        for index, (key, _) in enumerate(node.value):
            if names[index] in names[:index]:
                problem = f"{names[index]} stands here for the second time; keep one"
                raise yaml.constructor.ConstructorError(problem=problem, problem_mark=key.start_mark)
        return super().construct_mapping(node, deep)


# 1e-3 is a number to YAML 1.2, to DVC and to people; to PyYAML alone it is text.
_Loader.add_implicit_resolver("tag:yaml.org,2002:float", re.compile(r"[-+]?\d+[eE][-+]?\d+$"), list("-+0123456789"))
