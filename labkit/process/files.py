"""Files that are whole or absent: written beside their place, then renamed into it."""

import json
import os
import shutil
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from labkit.process.errors import InputError


@contextmanager
def replacing(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Yield a path for a file or folder; it takes the place of `path` on success and is removed on failure."""
    target = Path(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    # The process's id keeps two writers apart; the suffix stays, since many writers read the format from it.
    beside = target.with_name(f".{target.stem}.{os.getpid()}{target.suffix}")
    try:
        yield beside
        if beside.is_dir():
            shutil.rmtree(target, ignore_errors=True)  # a rename replaces no folder that holds anything
        beside.replace(target)
    finally:
        if beside.is_dir():
            shutil.rmtree(beside)
        beside.unlink(missing_ok=True)


def write_json(path: str | os.PathLike[str], value: Any) -> None:
    """Write `value` as JSON with sorted keys: the same value is always the same bytes."""
    with replacing(path) as beside:
        beside.write_text(json.dumps(value, indent=2, sort_keys=True) + "\n", encoding="utf-8")


def said_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object of JSON, as its `object_pairs_hook`. Raises InputError where a key is given twice."""
    if twice := [key for key, count in Counter(key for key, _ in pairs).items() if count > 1]:
        raise InputError(f"{twice[0]!r} is given twice")
    return dict(pairs)


def read_json(path: str | os.PathLike[str]) -> Any:
    """Read a JSON file."""
    return json.loads(Path(path).read_text(encoding="utf-8"))
