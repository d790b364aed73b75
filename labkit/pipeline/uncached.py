"""Outputs with `cache: false`: a runner loses those that Git ignores, and can't publish past those that Git tracks.

`dvc stage add` writes it for its options -M, -O and --plots-no-cache. And outputs that Git tracks beside DVC: of two
contents of one file, whoever reads the commit may get the one that no run made.
"""

import os
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from labkit.git_cli import git_or_empty
from labkit.pipeline.dependencies import DVC_YAML, declared_stages
from labkit.pipeline.records import DVC_LOCK, read_records
from labkit.process.errors import InputError

WHY = "with `cache: false` DVC keeps no copy, and no other machine gets it"


def refuse_uncached(root: Path = Path()) -> None:
    """Raise InputError where an output says `cache: false`, or Git tracks it, with what to change for each.

    What else is wrong there, DVC tells. Raises InputError, too, when it is not YAML.
    """
    found = [
        fault(name, *output) for name, stage in declared_stages(root).items() for output in uncached_outputs(stage)
    ]
    if found:
        raise InputError(f"{'; '.join(found)}: {WHY}")
    if tracked := tracked_outputs(root):
        raise InputError(
            f"{', '.join(tracked)}: Git tracks what a stage writes and DVC keeps, and may hold other bytes than "
            f"{DVC_LOCK} records; run `git rm -r --cached {shlex.join(tracked)}`, and commit"
        )


def refuse_nested() -> None:
    """Raise InputError where stages of another folder's dvc.yaml take part: no results commit has their records."""
    if not git_or_empty("ls-files", "--cached", "--others", "--exclude-standard", "--", f"*/{DVC_YAML}"):
        return  # as in most labs, without DVC, which takes long to import
    from labkit.dvc_adapter.graph import nodes_here
    from labkit.dvc_adapter.repository import open_project

    with open_project() as project:
        nested = [node.name for node in nodes_here(project) if ":" in node.name]
    if nested:
        raise InputError(
            f"{', '.join(nested)}: only records of the root's {DVC_LOCK} are published, merged and checked; "
            f"move {'it' if len(nested) == 1 else 'them'} to the root's {DVC_YAML}, with `wdir: FOLDER`"
        )


def tracked_outputs(root: Path = Path()) -> list[str]:
    """The files of the outputs in dvc.lock or dvc.yaml that Git tracks. Raises InputError when they can't be read."""
    lock = root / DVC_LOCK
    records = read_records(lock.read_bytes()) if lock.exists() else {}
    outs = [out["path"] for record in records.values() for out in record.get("outs", [])]
    outs += [os.path.normpath(out) for stage in declared_stages(root).values() for _, _, _, out in _outputs(stage)]
    here = [out for out in outs if not out.startswith(("../", "/"))]  # of others Git says nothing at all
    command = ("--literal-pathspecs", "-C", str(root), "ls-files", "-z", "--")
    return list(filter(None, git_or_empty(*command, *here).split("\0"))) if here else []


def uncached_outputs(stage: Any) -> Iterator[tuple[str, str, Path]]:
    """The outputs of a stage of dvc.yaml that say `cache: false`: their list, the remedy, their path from the root."""
    for kind, path, settings, place in _outputs(stage):
        if settings.get("cache") is False:
            remedy = f"{path}: remove `cache: false`" if len(settings) > 1 else f"write `- {path}` alone"
            yield kind, remedy, place


def _outputs(stage: Any) -> Iterator[tuple[str, str, dict[Any, Any], Path]]:
    """The outputs of a stage of dvc.yaml: their list, path and settings, and their path from the root."""
    options = _mapping(_mapping(stage).get("do", stage))  # of a stage with foreach or matrix
    for kind in ("outs", "metrics", "plots"):
        outs = options.get(kind)
        for item in outs if isinstance(outs, list) else []:
            for path, settings in _mapping({item: None} if isinstance(item, str) else item).items():
                yield kind, str(path), _mapping(settings), Path(str(options.get("wdir", "")), str(path))


def fault(stage: str, kind: str, remedy: str, out: Path) -> str:
    """What to change for an output. A file that Git has, DVC refuses to keep."""
    in_git = git_or_empty("ls-files", "--", str(out))
    untrack = f" and run `git rm -r --cached {shlex.quote(str(out))}`" if in_git else ""
    return f"{DVC_YAML}: stages.{stage}.{kind}: {remedy}{untrack}"


def _mapping(value: Any) -> dict[Any, Any]:
    return value if isinstance(value, dict) else {}
