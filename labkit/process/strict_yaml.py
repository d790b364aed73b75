"""YAML files that people write: what PyYAML by itself takes silently for something else is read rightly or refused."""

import re
from pathlib import Path
from typing import Any

import yaml

from labkit.process.errors import InputError

# Beyond these a file is not settings, and PyYAML takes seconds, or all of the stack or the memory.
MOST_BYTES = 100_000
MOST_VALUES = 10_000  # each alias counts as all that it stands for
DEEPEST = 50
LONGEST_NUMBER = 100


def load_yaml(path: Path) -> Any:
    """Read a YAML file. Raises InputError when it is missing, too large, no YAML, or has a key twice."""
    try:
        with path.open("rb") as stream:
            return parse_yaml(stream.read(MOST_BYTES + 1), path)
    except FileNotFoundError:
        raise InputError(f"{path} is missing; restore it with `git checkout {path}`") from None
    except OSError as error:
        raise InputError(f"{path} can't be read: {error.strerror}") from None


def parse_yaml(text: bytes, path: Path | str) -> Any:
    """Read the text of a YAML file; `path` is the file to name. Raises InputError as `load_yaml`."""
    if len(text) > MOST_BYTES:
        raise InputError(f"{path} is larger than {MOST_BYTES // 1000} kB, which no settings are; shorten it")
    try:
        return yaml.load(text.decode(), _Loader)
    except UnicodeDecodeError as error:
        raise InputError(f"{path} is not YAML: byte {error.start + 1} is not UTF-8; save it as such") from None
    except yaml.MarkedYAMLError as error:  # without the line itself, which may hold a password
        marks = {mark for mark in (error.context_mark, error.problem_mark) if mark}
        where = max((mark.line + 1 for mark in marks), default=0)
        words = " ".join(filter(None, (error.context, error.problem)))
        raise InputError(f"{path} is not YAML: line {where}: {words}") from None
    except yaml.YAMLError as error:
        raise InputError(f"{path} is not YAML: {' '.join(str(error).split())}") from None


class _Loader(yaml.SafeLoader):
    """PyYAML's loader, which by itself silently takes the last of two equal keys, and fails on what it can't make."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self._depth = self._values = 0
        self._sizes: dict[yaml.Node, int] = {}

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        event = self.peek_event()
        before = self._values
        if isinstance(event, yaml.AliasEvent):
            node = super().compose_node(parent, index)
            if node is not None and node not in self._sizes:
                raise _problem(f"*{event.anchor} contains itself", event.start_mark)
            self._values += self._sizes.get(node, 0) if node is not None else 0
        else:
            self._depth += 1
            if self._depth > DEEPEST:
                raise _problem(f"nested more than {DEEPEST} deep", event.start_mark)
            self._values += 1
            node = super().compose_node(parent, index)
            self._depth -= 1
            if node is not None:
                self._sizes[node] = self._values - before
        if self._values > MOST_VALUES:
            raise _problem(f"more than {MOST_VALUES} values, aliases written out", event.start_mark)
        return node

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen = set()
        for key, _ in node.value:
            if (name := str(key.value)) in seen:
                raise _problem(f"{name:.60} is given twice; keep one", key.start_mark)
            seen.add(name)
        return super().construct_mapping(node, deep)

    def construct_object(self, node: yaml.Node, deep: bool = False) -> Any:
        if not isinstance(node, yaml.ScalarNode):
            return super().construct_object(node, deep)
        kind = node.tag.rpartition(":")[2]
        try:
            if kind in ("int", "float") and len(node.value) > LONGEST_NUMBER:
                raise ValueError
            return super().construct_object(node, deep)
        except (ValueError, TypeError, AttributeError, LookupError, ArithmeticError):
            raise _problem(f"{node.value!r:.40} is not a valid {kind}", node.start_mark) from None


def _problem(words: str, mark: Any) -> yaml.constructor.ConstructorError:
    return yaml.constructor.ConstructorError(problem=words, problem_mark=mark)


# 1e-3 is a number to YAML 1.2, to DVC and to people; to PyYAML alone it is text.
_Loader.add_implicit_resolver("tag:yaml.org,2002:float", re.compile(r"[-+]?\d+[eE][-+]?\d+$"), list("-+0123456789"))
