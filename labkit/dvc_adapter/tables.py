"""The small results: metrics, and the tables that plots are drawn from; and what they are in DVC's cache."""

from collections.abc import Iterator, Sequence
from hashlib import md5
from pathlib import Path
from typing import Any

from dvc_data.hashfile.hash_info import HashInfo
from dvc_data.hashfile.tree import Tree
from dvc_render import ImageRenderer

from labkit.dvc_adapter.folders import hash_of, tree_of
from labkit.dvc_adapter.repository import Project
from labkit.process.files import replacing

MOST_BYTES = 200_000  # of an output: what is larger is not a table that people look at

Contents = dict[str, bytes]  # by path below an output; a file by itself is at the empty path


def table_outputs(project: Project) -> list[str]:
    """The outputs that dvc.yaml calls metrics or plots, and what its `meta.data` names (pipeline/drift.py)."""
    repo: Any = project
    return [str(out) for out in repo.index.outs if _is_table(out)]


def recorded_tables(project: Project) -> Iterator[tuple[str, Contents]]:
    """The metrics and tables that dvc.lock names, as far as the cache has them whole.

    Not images, nor large ones, nor those with `push: false`.
    """
    repo: Any = project
    for out in repo.index.outs:
        if _is_table(out) and out.use_cache and out.can_push and out.hash_info:
            files = _files(out)
            images = [file for file in files if Path(str(out), file).suffix.lower() in ImageRenderer.EXTENSIONS]
            if images or not all(file.exists() for file in files.values()):
                continue
            if sum(file.stat().st_size for file in files.values()) <= MOST_BYTES:
                yield str(out), {name: file.read_bytes() for name, file in files.items()}


def give_to_cache(project: Project, recorded: str, contents: Contents) -> bool:
    """Put an output into the cache if it is the one with the hash `recorded`; whether it is."""
    repo: Any = project
    files = {path: md5(content).hexdigest() for path, content in contents.items()}
    if hash_of(files) != recorded:
        return False
    objects = {files[path]: content for path, content in contents.items()}
    if "" not in files:
        objects[recorded] = tree_of(files).as_bytes()
    for oid, content in objects.items():
        if not (place := Path(repo.cache.local.oid_to_path(oid))).exists():
            with replacing(place) as beside:
                beside.write_bytes(content)
                beside.chmod(0o444)  # as DVC leaves them: what may be written to is hashed again each time
    return True


def check_out_absent(project: Project, outputs: Sequence[str]) -> None:
    """Check out the outputs that are not here from the cache."""
    repo: Any = project
    if absent := [output for output in outputs if not Path(output).exists()]:
        repo.checkout(targets=absent, allow_missing=True)


def _is_table(out: Any) -> bool:
    told = getattr(out.stage, "meta", None) or {}
    return bool(out.metric or out.plot or str(out) == told.get("data"))


def _files(out: Any) -> dict[str, Path]:
    """The files of an output in the cache, by their paths below it."""
    place = out.cache.oid_to_path
    if not out.hash_info.isdir:
        return {"": Path(place(out.hash_info.value))}
    try:
        tree = Tree.load(out.cache, HashInfo("md5", out.hash_info.value))
    except FileNotFoundError:
        return {"": Path(place(out.hash_info.value))}  # which is not there
    return {"/".join(key): Path(place(hash_info.value)) for key, _, hash_info in tree}
