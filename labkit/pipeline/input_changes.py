"""How the inputs and parameters of a stage differ from what dvc.lock recorded of them, in words."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from labkit.dvc_adapter.folders import Files, files_cached, files_here, files_in_commits, hash_of, not_pulled
from labkit.dvc_adapter.repository import Project
from labkit.dvc_adapter.states import File, Params
from labkit.git_cli import file_in, git_or_empty
from labkit.process.credentials import without_credentials
from labkit.process.flat import flattened
from labkit.process.params import PARAMS_FILE

MOST_NAMES = 5  # of changed files, packages: more are counted
LONGEST_VALUE = 60


class Recorded(NamedTuple):
    """A commit in which a path is as dvc.lock recorded it, and the path's files there."""

    rev: str
    files: Files


def changes_of(project: Project, file: File) -> list[str]:
    """How a file or folder that no stage makes differs from its record, in one line; nothing where it does not."""
    if not file.recorded:
        return [f"new dependency {file.path}"]
    if not file.state:
        return []
    away = not_pulled(project, file.place)
    if file.state == "deleted":
        return [] if away.get("") == file.recorded else [f"{file.path} is missing"]
    if file.was_folder and file.is_folder:
        return folder_changes(project, file, away)
    recorded = in_commits(project, file) if file.is_file else None
    return [f"{file.path} changed{_packages(recorded, file.path, '')}"]


def folder_changes(project: Project, file: File, away: Files) -> list[str]:
    """How a folder differs from the recorded one, of which files may be `away` until they are pulled."""
    now = away | files_here(project, file.place)
    if hash_of(now) == file.recorded:
        return []  # as soon as the data are pulled
    if any(md5.endswith(".dir") for md5 in away.values()) and unchanged_since_lock(file.path):
        return []  # what a folder holds is not known before it is pulled, but its `.dvc` file is here
    recorded = in_commits(project, file)
    before = recorded.files if recorded else files_cached(project, file.recorded)
    if before is None:
        return [f"{file.path} changed"]
    changed = [path for path in sorted(before.keys() & now.keys()) if before[path] != now[path]]
    told = [f"{path}{_packages(recorded, file.path, path)}" for path in changed]
    told += [f"{path} added" for path in sorted(now.keys() - before.keys())]
    told += [f"{path} removed" for path in sorted(before.keys() - now.keys())]
    return [f"{file.path} changed: {some(told)}"]


def param_changes(params: Params) -> list[str]:
    """Each parameter that differs, by its dotted name, as `old -> new`."""
    where = "" if params.file == str(PARAMS_FILE) else f"{params.file}: "
    return [*differences(params.recorded, params.here, where)]


def differences(recorded: Any, params: Any, where: str = "") -> Iterator[str]:
    """Each parameter that differs, by its dotted name, as `old -> new`; `where` stands before it."""
    for name, before, now in changed_values(recorded, params):
        if now is None:
            yield f"{where}{name} removed (was {before})"
        elif before is None:
            yield f"{where}{name} added: {now}"
        else:
            yield f"{where}{name} {before} -> {now}"


def changed_values(recorded: Any, params: Any) -> Iterator[tuple[str, str | None, str | None]]:
    """Each parameter that differs, by its dotted name, and its values as they are shown; None where it is not there."""
    before, now = flattened(recorded or {}), flattened(params or {})
    for name in dict.fromkeys([*before, *now]):
        if name not in now or name not in before or before[name] != now[name]:
            old, new = (_value(side[name]) if name in side else None for side in (before, now))
            yield name, old, new


def unchanged_since_lock(path: str) -> bool:
    """Whether Git's files at a path are still those of the commit that last wrote dvc.lock."""
    made = git_or_empty("log", "-1", "--format=%H", "--", "dvc.lock").strip()
    differing = git_or_empty("diff", "--name-only", made, "--", path)
    return bool(made) and not differing + git_or_empty("ls-files", "--others", "--exclude-standard", "--", path)


def in_commits(project: Project, file: File) -> Recorded | None:
    """A file or folder as it was recorded, in the commits where it may well be: HEAD, and where dvc.lock was made."""
    told = git_or_empty("rev-parse", "HEAD") + git_or_empty("log", "-1", "--format=%H %P", "--", "dvc.lock")
    commits = list(dict.fromkeys(told.split()))
    found = (Recorded(rev, files) for rev, files in files_in_commits(project, file.path, commits))
    return next((recorded for recorded in found if hash_of(recorded.files) == file.recorded), None)


def _packages(recorded: Recorded | None, place: str, path: str) -> str:
    """Which packages have another version in a Pipfile.lock below a dependency; nothing where that is not known."""
    file = Path(place, path)
    if recorded is None or file.name != "Pipfile.lock":
        return ""
    try:
        old, new = (_versions(text) for text in (file_in(recorded.rev, str(file)) or b"", file.read_bytes()))
    except (ValueError, KeyError, AttributeError):  # a merge conflict, say
        return ""
    changes = [
        f"{name} {old.get(name, 'none')} -> {new.get(name, 'none')}"
        for name in sorted({*old, *new})
        if old.get(name) != new.get(name)
    ]
    return f" ({some(changes)})" if changes else ""


def _versions(lock: bytes) -> dict[str, str]:
    return {
        name: package.get("version", "").removeprefix("==") for name, package in json.loads(lock)["default"].items()
    }


def some(names: list[str]) -> str:
    """The first of the names, and how many more there are."""
    more = len(names) - MOST_NAMES
    return ", ".join(names[:MOST_NAMES]) + (f" and {more} more" if more > 0 else "")


def _value(value: Any) -> str:
    shown = without_credentials(value if isinstance(value, str) else json.dumps(value, default=str, ensure_ascii=False))
    return shown if len(shown) <= LONGEST_VALUE else f"{shown[:LONGEST_VALUE]}…"
