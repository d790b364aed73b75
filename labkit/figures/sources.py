"""Read the value that a source names: in a result that has the hash in dvc.lock, or in a file that Git tracks.

A result goes by its own path, as in goals/goals.yaml. Its bytes are Git's copy in lab/results, or those of DVC's cache.
Nothing is pulled.
"""

import csv
import json
import re
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from hashlib import md5
from io import StringIO
from pathlib import Path, PurePosixPath
from typing import Any

from labkit.figures.notation import Source
from labkit.git_cli import GitError, file_in, git, git_or_empty, is_shallow, read_blob
from labkit.paths import TABLES, lies_in
from labkit.pipeline.records import DVC_LOCK, commit_of, read_records
from labkit.pipeline.tables import REMEDY, copies_of, tables_in
from labkit.process.errors import InputError
from labkit.process.files import said_once
from labkit.process.strict_yaml import parse_yaml

RELATIVE = re.compile(r"[~^]|@\{")  # HEAD~1, main@{yesterday}
YAML = (".yaml", ".yml", ".dvc", ".lock")

Reading = Callable[[Source], Any]


class NotHereError(InputError):
    """The bytes of a source, or its commit, are not on this machine."""


def source_reader() -> Reading:
    """A function that reads sources; it remembers the files for as long as it is used.

    It raises InputError for a commit, file or key that does not exist, NotHereError for one that is not here.
    """
    commits, contents = cache(commit_known), cache(_content)

    def read(source: Source) -> Any:
        commit = commits(source.commit) if source.commit else ""
        return _value_at(contents(commit, source.file), source)

    return read


def commit_known(name: str) -> str:
    """The commit of a name, for all clones. Raises InputError where there is none, or another one tomorrow.

    Raises NotHereError in a clone that lacks the past.
    """
    try:
        commit = commit_of(name)
    except InputError as error:
        if is_shallow():
            raise NotHereError(f"this shallow clone may lack {name}; `git fetch --unshallow`") from None
        raise InputError(f"there is no commit {name} here: {error}") from None
    if RELATIVE.search(name):
        raise InputError(f"{name} is another commit after the next one; write {commit[:10]}")
    if not _is_kept(commit):
        raise InputError(
            f"{name} is in no branch or tag (was it amended, squashed or rebased?), so no other clone will have it; "
            f"`git tag NAME {name}` keeps it, and push the tag"
        )
    return commit


def _is_kept(commit: str) -> bool:
    """Whether a branch or tag leads to a commit, or HEAD does, which on a runner is on none."""
    with suppress(GitError):
        git("merge-base", "--is-ancestor", commit, "HEAD")
        return True
    return bool(
        git_or_empty("for-each-ref", "--count=1", "--contains", commit, "refs/heads", "refs/tags", "refs/remotes")
    )


def _content(commit: str, file: str) -> Any:
    """What a file holds."""
    name, where = _path_of(file), f" of {commit[:10]}" if commit else ""
    is_copy = name.is_relative_to(TABLES)
    if is_copy:
        name = name.relative_to(TABLES)
    lock = _lock(commit)
    recorded = _outs(lock or b"")
    out = next((out for out in recorded if lies_in(str(name), [out])), None)
    content = _result(commit, str(name), out, recorded[out]) if out else _bytes(commit, file)
    if is_copy and not out:  # anybody may have written it
        content = None
    if content is None and lock is None and not commit:
        raise NotHereError(f"there are no results yet: {DVC_LOCK} is missing; `make run`")
    if content is None:
        raise InputError(f"{file}{where} is neither in Git nor a result that {DVC_LOCK} records")
    return _parsed(content, PurePosixPath(file), where)


def _path_of(file: str) -> PurePosixPath:
    path = PurePosixPath(file)
    if path.is_absolute() or ".." in path.parts or "\0" in file:
        raise InputError(f"{file} is not a path from the root of the lab")
    return path


def _bytes(commit: str, file: str) -> bytes | None:
    """A file as Git has it in a commit; in the working folder, as it is there, if Git tracks it."""
    if commit:
        return file_in(commit, file)
    is_tracked = git_or_empty("--literal-pathspecs", "ls-files", "--", file)
    is_file = Path(file).is_file() and not Path(file).is_symlink()  # of a link, Git has but where it leads
    return Path(file).read_bytes() if is_tracked and is_file else None


def _lock(commit: str) -> bytes | None:
    if commit:
        return file_in(commit, DVC_LOCK)
    return Path(DVC_LOCK).read_bytes() if Path(DVC_LOCK).is_file() else None


def _outs(lock: bytes) -> dict[str, str]:
    records = read_records(lock)
    return {out["path"]: str(out.get("md5", "")) for record in records.values() for out in record.get("outs", [])}


def _result(commit: str, file: str, out: str, recorded: str) -> bytes:
    """The bytes of a file of the output `out`, which has the hash `recorded`."""
    from labkit.dvc_adapter.folders import hash_of  # half a second, which a text without such figures need not wait for

    copies = _copies(commit, out)
    below = "" if file == out else PurePosixPath(file).relative_to(out).as_posix()
    is_right = bool(copies) and hash_of({name: _md5(content) for name, content in copies.items()}) == recorded
    if is_right and below in copies:
        return copies[below]
    if (content := _cached(file, out, recorded)) is not None:
        return content
    where = f" of {commit[:10]}" if commit else ""
    if copies and not is_right:
        raise InputError(f"{TABLES}/{out}{where} is not what {DVC_LOCK} records; {REMEDY} where the results are")
    if is_right:
        raise InputError(f"{out}{where} has no file {below}")
    raise NotHereError(f"{file}{where} is neither in {TABLES} nor in DVC's cache; `dvc fetch --all-commits` brings it")


def _copies(commit: str, out: str) -> dict[str, bytes]:
    """Git's copies of an output, by their paths below it."""
    if commit:
        blobs = tables_in(commit)
        return {below: read_blob(blobs[path]) for below, path in copies_of(out, blobs).items()}
    tracked = [name for name in git_or_empty("ls-files", "-z", "--", TABLES).split("\0") if name]
    return {below: Path(path).read_bytes() for below, path in copies_of(out, tracked).items() if Path(path).is_file()}


def _cached(file: str, out: str, recorded: str) -> bytes | None:
    """The bytes of a file of an output in DVC's cache, or in its place if they are as recorded."""
    from labkit.dvc_adapter.repository import open_project
    from labkit.publish.kept import Kept

    with open_project(remote=False) as project:
        kept = Kept(project, {"outs": [{"path": out, "md5": recorded}]})
        found = kept.files(out).get(file)
        place = kept.place(file, found) if found else None
        return place.read_bytes() if place else None


def _parsed(content: bytes, file: PurePosixPath, where: str) -> Any:
    name = f"{file}{where}"
    if file.name == DVC_LOCK:  # which may be larger than what a person writes
        return {"stages": read_records(content)}
    if file.suffix in YAML:
        return parse_yaml(content, name)
    try:
        if file.suffix == ".json":
            return json.loads(content, object_pairs_hook=said_once)
        if file.suffix == ".csv":
            return _table(content.decode())
    except (InputError, ValueError, RecursionError, csv.Error) as error:
        raise InputError(f"{name} is not {file.suffix[1:].upper()}: {error}") from None
    raise InputError(f"{name} is not JSON, YAML or CSV: a figure's source is one of these")


def _table(text: str) -> dict[str, Any]:
    """The rows of a table by their first column; an empty one if several rows have the same."""
    found: dict[str, Any] = {}
    rows = csv.DictReader(StringIO(text, newline=""), strict=True, restkey="", restval="")
    said_once([(name, None) for name in rows.fieldnames or []])
    for row in rows:
        name = next(iter(row.values()), "")
        found[name] = {} if name in found else {column: _read(value) for column, value in row.items()}
    return found


def _read(value: Any) -> Any:
    try:
        return int(value)
    except (TypeError, ValueError):
        try:
            return float(value)
        except (TypeError, ValueError):
            return value


def _value_at(content: Any, source: Source) -> Any:
    """The value at a key, which names an entry of a list by its number or its `name`."""
    value = content
    for part in source.key:
        value = _entry(value, part, source)
    if isinstance(value, dict):
        raise InputError(f"{source} names no single value")
    return value


def _entry(value: Any, part: str, source: Source) -> Any:
    if isinstance(value, dict):
        named = {str(name): one for name, one in value.items()}
        if part in named:
            return named[part]
        known = ", ".join(list(named)[:8])
        raise InputError(f"{source} is not there: no {part!r} among {known}{', ...' if len(named) > 8 else ''}")
    if isinstance(value, list):
        if part.isdecimal() and int(part) < len(value):
            return value[int(part)]
        found = [one for one in value if isinstance(one, dict) and one.get("name") == part]
        if len(found) == 1:
            return found[0]
        raise InputError(f"{source} is not there: {len(found) or 'no'} {part!r} in a list of {len(value)}")
    raise InputError(f"{source} is not there: the value before {part!r} has no keys")


def _md5(content: bytes) -> str:
    return md5(content, usedforsecurity=False).hexdigest()
