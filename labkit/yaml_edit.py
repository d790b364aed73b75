"""YAML files that people write, changed in one place: the parser says where, and every other byte stays.

ruamel.yaml keeps comments too, but as part of the entry above them: the comment on the next entry would go with an
entry that is removed, and stand above one that is added.
"""

import json
import re
from collections.abc import Iterator
from contextlib import suppress
from typing import Any, NamedTuple

import yaml

from labkit.process.errors import InputError


class Entry(NamedTuple):
    """An entry of a mapping or a list: its lines, as a slice, and its node. Comments below it are the next one's."""

    start: int
    end: int
    value: Any


def with_value(text: str, value: str | float | None, *path: str) -> str:
    """The text with another scalar in the place of the one at `path`.

    Raises InputError where it is missing, or can't be replaced as it stands.
    """
    node: Any = yaml.compose(text)
    for key in path:
        if not isinstance(node, yaml.MappingNode) or key not in (found := {name: it for name, _, it in _entries(node)}):
            raise InputError(f"{'.'.join(path)} is missing; add it, on a line of its own")
        node = found[key]
    changed = text[: node.start_mark.index] + _scalar(value) + text[node.end_mark.index :]
    wanted = content = yaml.safe_load(text)
    for key in path[:-1]:
        content = content[key]
    content[path[-1]] = value
    with suppress(yaml.YAMLError):
        if yaml.safe_load(changed) == wanted:
            return changed
    raise InputError(f"{'.'.join(path)} can't be replaced as it stands; write it on a line of its own")


def with_entry(text: str, entry: str, key: str) -> str:
    """The text with `entry`, indented lines, as the last one of the mapping at `key`, made where it is missing.

    Raises InputError where the mapping is written in braces.
    """
    lines, added = text.splitlines(), entry.splitlines()
    if key not in (yaml.safe_load(text) or {}):
        return _text([*lines, f"{key}:", *added])
    start, end, value = find(text, key)
    if not value.value:  # nothing, or {}
        return _text([*lines[:start], f"{key}:", *added, *lines[end:]])
    if value.flow_style:
        raise InputError(f"{key}: write its entries on lines of their own, indented below it")
    return _text([*lines[:end], "", *added, *lines[end:]])


def with_item(text: str, item: str, *path: str) -> str:
    """The text with `item` in the list at `path`, before the first one that comes after it in alphabetical order.

    Raises InputError where the list is written in brackets.
    """
    listed = find(text, *path).value
    if not isinstance(listed, yaml.SequenceNode) or listed.flow_style or not listed.value:
        raise InputError(f"{'.'.join(path)}: write its items on lines of their own, a - before each")
    lines = text.splitlines()
    places = [(str(node.value), find(text, *path, number)) for number, node in enumerate(listed.value)]
    line = next((entry.start for other, entry in places if other > item), places[-1][1].end)
    dash = lines[places[0][1].start]
    return _text([*lines[:line], f"{dash[: _indent(dash)]}- {item}", *lines[line:]])


def without(text: str, *path: str | int) -> str:
    """The text without the entry at `path` and the gap above it; an inner mapping without entries is {}.

    Raises InputError where the entry shares a line with another.
    """
    lines = text.splitlines()
    if path[:-1] and len((parent := find(text, *path[:-1])).value.value) == 1:
        start, end, _ = parent
        return _text([*lines[:start], f"{lines[start].split(':')[0]}: {{}}", *lines[end:]])
    start, end, _ = find(text, *path)
    gap = start > 0 and not lines[start - 1].strip()
    return _text([*lines[: start - gap], *lines[end:]])


def find(text: str, *path: str | int) -> Entry:
    """The entry at `path`. Raises InputError where it shares a line with another."""
    lines = text.splitlines()
    node: Any = yaml.compose(text)
    start, end = 0, len(lines)
    for key in path:
        if node.flow_style:
            raise InputError(f"{'.'.join(map(str, path))}: write it on lines of its own")
        entries = [*_entries(node)]
        number = [name for name, _, _ in entries].index(key)
        if number + 1 < len(entries):
            end = entries[number + 1][1]
        _, start, node = entries[number]
    indent = _indent(lines[start])
    while end > start + 1 and (not lines[end - 1].strip() or _is_comment_above_next(lines[end - 1], indent)):
        end -= 1
    return Entry(start, end, node)


def _text(lines: list[str]) -> str:
    return "".join(f"{line}\n" for line in lines)


def _entries(node: Any) -> Iterator[tuple[str | int, int, Any]]:
    """The name or number, the first line and the value of each entry."""
    if isinstance(node, yaml.SequenceNode):
        yield from ((number, item.start_mark.line, item) for number, item in enumerate(node.value))
    else:
        yield from ((key.value, key.start_mark.line, value) for key, value in node.value)


def _is_comment_above_next(line: str, indent: int) -> bool:
    return line.lstrip().startswith("#") and _indent(line) <= indent


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip())


def _scalar(text: str | float | None) -> str:
    """A scalar as YAML; text is bare where that is read back as the same, else in quotes."""
    if not isinstance(text, str):
        return str(yaml.safe_dump(text).splitlines()[0])
    bare = re.fullmatch(r"[A-Za-z](?:[\w .-]*[\w.-])?", text) and yaml.safe_load(text) == text
    return text if bare else json.dumps(text)
