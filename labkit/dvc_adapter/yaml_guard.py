"""Refuse YAML that would hang or kill its loader, by its events, which take no memory.

DVC's loaders recurse in C until the stack ends, and write aliases out; a fork's pull request may bring such a file.
"""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import yaml

from labkit.git_cli import GitError, git, git_or_empty, read_blobs
from labkit.process.errors import InputError

DEEPEST = 50
MOST_VALUES = 1_000_000  # each alias counts as all that it stands for
READ_BY_DVC = (".yaml", ".yml", ".dvc", "dvc.lock")
OF_THE_ROOT = ("dvc.yaml", "dvc.lock", "params.yaml")  # Git may not know them yet
LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def refuse_harmful_files(commit: str | None = None) -> None:
    """Raise InputError for a file of DVC's, here or in a commit, that no loader could take."""
    for name, content in _files_here() if commit is None else _files_of(commit):
        refuse_harmful(content, name)


def refuse_harmful(content: bytes | str, name: str) -> None:
    """Raise InputError where a YAML text is too deep or, its aliases written out, too large; `name` is its file.

    What else is wrong with it, its loader tells.
    """
    open_ones: list[tuple[str | None, int]] = []  # the anchor of each, and how many values came before
    sizes: dict[str | None, int] = {}
    count = 0
    try:
        for event in yaml.parse(content, Loader=LOADER):
            if isinstance(event, yaml.CollectionStartEvent):
                open_ones.append((event.anchor, count))
            elif isinstance(event, yaml.CollectionEndEvent):
                anchor, before = open_ones.pop()
                sizes[anchor] = count - before
            elif isinstance(event, yaml.AliasEvent):
                count += sizes.get(event.anchor, 0)
            count += 1
            if len(open_ones) > DEEPEST:
                raise InputError(f"{name} is nested deeper than {DEEPEST} levels; `git checkout {name}` restores it")
            if count > MOST_VALUES:
                raise InputError(
                    f"{name} has more than {MOST_VALUES} values, aliases written out; `git checkout {name}` restores it"
                )
    except (yaml.YAMLError, UnicodeError):
        return


def _files_here() -> Iterator[tuple[str, bytes]]:
    listed = git_or_empty("ls-files", "-z").split("\0")
    for name in dict.fromkeys([*OF_THE_ROOT, *_of_dvc(listed)]):
        if Path(name).is_file():
            yield name, Path(name).read_bytes()


def _files_of(commit: str) -> Iterator[tuple[str, bytes]]:
    try:
        names = [*_of_dvc(git("ls-tree", "-r", "--name-only", "-z", commit, "--").split("\0"))]
    except GitError:
        return  # DVC tells that there is no such revision
    for name, content in zip(names, read_blobs([f"{commit}:./{name}" for name in names]), strict=True):
        if content is not None:
            yield name, content


def _of_dvc(names: Iterable[str]) -> Iterator[str]:
    for name in names:
        if name.endswith(READ_BY_DVC):
            if "\n" in name:  # `git cat-file --batch` takes one name a line
                raise InputError(f"a file of DVC's has a line break in its name: {name!r}; rename it with `git mv`")
            yield name
