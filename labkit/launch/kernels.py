"""The environment variables that decide the bytes of a process's results: those of kernels.yaml beside this file.

A process runs on the CPU with the portable kernels unless a section of params.yaml that it reads says otherwise.
"""

import platform
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from labkit.declared import declared_sections
from labkit.paths import PROCESSES, ROOT
from labkit.process.errors import InputError

KERNELS_FILE = Path(__file__).with_suffix(".yaml")


class Choice(NamedTuple):
    """What params.yaml chooses for a process."""

    kernels: str = "portable"
    device: str = "cpu"


ALLOWED = {"kernels": {"portable", "native"}, "device": {"cpu", "cuda"}}


def deciding_variables(kernels: str, architecture: str = platform.machine()) -> dict[str, str]:
    """The variables for a process with these kernels on this architecture. Raises InputError for a spoilt file."""
    try:
        content = _content()
        groups = [content["every_machine"], content.get(architecture, {}).get(kernels, {})]
        return {name: str(value) for group in groups for name, value in group.items()}
    except (AttributeError, KeyError, TypeError):
        raise InputError(f"{KERNELS_FILE} lacks a group; restore it with `git checkout {KERNELS_FILE}`") from None


def all_variables() -> set[str]:
    """The names of all variables that decide bytes on some machine: the caller's own values must not."""
    groups = [content for content in _content().values() if isinstance(content, dict)]
    inner = [part for group in groups for part in group.values() if isinstance(part, dict)]
    return {name for group in [*groups, *inner] for name, value in group.items() if not isinstance(value, dict)}


def chosen(process: str) -> Choice:
    """The kernels and the device of a process, by `kernels` and `device` in any section that it declares.

    Other values than these are the process's own affair. Raises InputError where two sections differ.
    """
    return choice_in(process, _sections(process))


def choice_in(process: str, sections: Iterable[Mapping[str, Any]]) -> Choice:
    """The kernels and the device that sections of params.yaml choose. Raises InputError where two differ."""
    found: dict[str, str] = {}
    for section in sections:
        for key, allowed in ALLOWED.items():
            value = section.get(key)
            if isinstance(value, str) and value in allowed and found.setdefault(key, value) != value:
                told = f"params.yaml: two sections of {process} differ in `{key}`"
                raise InputError(f"{told}; a process can have only one value")
    return Choice(**found)


def _content() -> dict[str, Any]:
    from labkit.process.strict_yaml import load_yaml  # the launcher first looks whether its packages are there

    content: dict[str, Any] = load_yaml(KERNELS_FILE)
    return content


def _sections(process: str) -> list[dict[str, Any]]:
    """The sections of params.yaml that a process declares; none where it is spoilt, which the process itself tells."""
    from labkit.process.strict_yaml import load_yaml

    declared = declared_sections(PROCESSES / process / "params.py")
    try:
        content = load_yaml(ROOT / "params.yaml")
    except InputError:
        return []
    named = content if isinstance(content, dict) else {}
    return [section for name in sorted(declared) if isinstance(section := named.get(name), dict)]
