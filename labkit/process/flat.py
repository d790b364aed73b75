"""The leaves of nested mappings, by the names on their way."""

from collections.abc import Iterator, Mapping
from typing import Any


def leaves(values: Mapping[Any, Any]) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Each value that is not a mapping, or an empty one, with the keys that lead to it."""
    for name, value in values.items():
        if isinstance(value, Mapping) and value:
            yield from (((str(name), *path), leaf) for path, leaf in leaves(value))
        else:
            yield (str(name),), value


def flattened(values: Mapping[Any, Any]) -> dict[str, Any]:
    """The leaves by their dotted names."""
    return {".".join(path): value for path, value in leaves(values)}


def is_number(value: Any) -> bool:
    """Whether a value is a number, as a truth value is not."""
    return isinstance(value, int | float) and not isinstance(value, bool)
