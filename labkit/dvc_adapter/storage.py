"""DVC's cache and its remote: what is where, and what is pushed."""

from collections.abc import Iterator
from contextlib import suppress
from typing import Any
from uuid import uuid4

from dvc.repo import Repo
from dvc_data.hashfile.tree import Tree

from labkit.dvc_adapter.repository import Project

Settings = dict[str, Any]


def remotes(project: Project) -> dict[str, Settings]:
    """The settings of each remote by its name. Changes to them hold for as long as the project is open."""
    repo: Any = project
    found: dict[str, Settings] = repo.config["remote"]
    return found


def default_remote(project: Project) -> str:
    """The name of the remote that is pushed to; empty where there is none."""
    repo: Any = project
    return str(repo.config["core"].get("remote") or "")


def use_remote(project: Project) -> None:
    """Write, read and remove an object in the default remote, with DVC's own settings and keys.

    Raises what each kind of remote raises, and OSError when it gives back other bytes.
    """
    repo: Any = project
    remote = repo.cloud.get_remote()
    fs = remote.fs
    fs.fs.retries = 1  # s3fs's own, beside botocore's
    fs.makedirs(remote.path)  # a folder's; an S3 bucket is never made
    probe = fs.join(remote.path, f".lab-doctor-{uuid4().hex}")
    with suppress(FileNotFoundError, PermissionError):
        fs.cat_file(probe)  # for its time limit: aiohttp waits for ever for a silent server's leave to write
    fs.pipe_file(probe, probe.encode())
    try:
        if fs.cat_file(probe) != probe.encode():
            raise OSError("it gives back other bytes than it took")
    finally:
        fs.rm_file(probe)


def push(stages: list[str]) -> tuple[int, list[str]]:
    """Push what dvc.lock names: how many files went, and which of the stages' are nowhere, which DVC passes over.

    Raises what DVC and each kind of remote raise.
    """
    with Repo() as repo:
        pushed = repo.push()
        outs = [out for stage in repo.index.stages if stage.addressing in stages for out in stage.outs]
        there = repo.cloud.get_remote_odb()
        return pushed, sorted(str(out) for out in outs if out.use_cache and out.can_push and absent(out, there))


def raw_data(project: Project) -> list[str]:
    """The data that `.dvc` files name."""
    return sorted(str(out) for out in _raw_data(project))


def raw_data_not_cached(project: Project) -> list[str]:
    """Those of the raw data of which the cache lacks a file."""
    return sorted(str(out) for out in _raw_data(project) if absent(out, out.cache))


def raw_data_nowhere(project: Project) -> list[str]:
    """Those of the raw data of which cache and default remote lack a file. Raises what each kind of remote raises."""
    repo: Any = project
    remote = repo.cloud.get_remote_odb()
    return sorted(str(out) for out in _raw_data(project) if absent(out, out.cache) and absent(out, remote))


def _raw_data(project: Project) -> Iterator[Any]:
    repo: Any = project
    return (out for stage in repo.index.stages if stage.is_data_source for out in stage.outs if out.use_cache)


def absent(out: Any, store: Any) -> bool:
    """Whether `store` lacks the out's file, or any file of its folder."""
    wanted = {out.hash_info.value}
    if out.hash_info.isdir:
        for place in (out.cache, store):  # whichever has the list of the folder's files
            try:
                wanted |= {hash_info.value for _, _, hash_info in Tree.load(place, out.hash_info)}
                break
            except FileNotFoundError:
                continue
    return not wanted <= set(store.oids_exist(list(wanted)))
