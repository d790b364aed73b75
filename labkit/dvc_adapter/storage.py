"""What DVC's cache and remote have, and what moves between them."""

import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

from dvc.repo import Repo
from dvc_data.hashfile.hash_info import HashInfo
from dvc_data.hashfile.tree import Tree

from labkit.dvc_adapter.repository import Project

Settings = dict[str, Any]
MD5 = re.compile(r"[0-9a-f]{32}(\.dir)?")


def remotes(project: Project) -> dict[str, Settings]:
    """The settings of each remote by its name. Changes to them hold for as long as the project is open."""
    repo: Any = project
    found: dict[str, Settings] = repo.config["remote"]
    return found


def default_remote(project: Project) -> str:
    """The name of the remote that is pushed to; empty where there is none."""
    repo: Any = project
    return str(repo.config["core"].get("remote") or "")


class ReadOnlyError(Exception):
    """A remote can be read and not written."""


class RunCacheError(Exception):
    """A remote holds a run cache: `dvc repro --pull` takes results from it unchecked."""


def use_remote(project: Project) -> None:
    """Write, read and remove an object in the default remote, with DVC's own settings and keys.

    Raises ReadOnlyError, RunCacheError, what each kind of remote raises, and OSError when it gives back other bytes.
    """
    repo: Any = project
    remote = repo.cloud.get_remote()
    fs = remote.fs
    fs.fs.retries = 1  # s3fs's own, beside botocore's
    if fs.protocol == "s3":
        _write_without_expect(fs.fs)
    fs.makedirs(remote.path)  # a folder's; an S3 bucket is never made
    probe = fs.join(remote.path, f".lab-doctor-{uuid4().hex}")
    try:
        fs.pipe_file(probe, probe.encode())
    except OSError as error:  # an answer
        if _can_be_read(fs, probe):
            raise ReadOnlyError(str(error)) from error
        raise
    try:
        if fs.cat_file(probe) != probe.encode():
            raise OSError("it gives back other bytes than it took")
    finally:
        fs.rm_file(probe)
    fs.fs.invalidate_cache()
    if fs.exists(run_cache := fs.join(remote.path, "runs")):
        raise RunCacheError(fs.unstrip_protocol(run_cache))


def error_code(error: BaseException) -> str:
    """The code of an S3 server's error; empty for an error of another kind."""
    response = getattr(error.__cause__, "response", None) or {}
    return str(response.get("Error", {}).get("Code", ""))


def _write_without_expect(s3: Any) -> None:
    """Write without 'Expect: 100-continue': aiohttp waits forever if a server does not answer it."""
    from botocore.handlers import add_expect_header

    s3.connect()
    s3.s3.meta.events.unregister("before-call.s3", add_expect_header)


def _can_be_read(fs: Any, absent: str) -> bool:
    """Whether a remote can be read: then only this object is missing."""
    try:
        fs.cat_file(absent)
    except FileNotFoundError as error:
        return error_code(error) in ("", "NoSuchKey")
    except Exception:  # each kind of remote raises its own
        return False
    return True


def push(stages: list[str]) -> tuple[int, list[str]]:
    """Push what dvc.lock names: how many files went, and which of the stages' are nowhere, which DVC passes over.

    Raises what DVC and each kind of remote raise.
    """
    with Repo() as repo:
        pushed = repo.push()
        outs = [out for stage in repo.index.stages if stage.addressing in stages for out in stage.outs]
        there = repo.cloud.get_remote_odb()
        return pushed, sorted(str(out) for out in outs if out.use_cache and out.can_push and absent(out, there))


def pull(project: Project, paths: list[str] | None = None) -> None:
    """Pull outputs and raw data, all by default, from the cache or the remote.

    Raises what DVC and each kind of remote raise.
    """
    repo: Any = project
    repo.pull(targets=paths)


def bring(project: Project, hashes: Iterable[str]) -> None:
    """Fetch these files, and the lists of folders' files (`.dir`), into the cache, if the default remote has them.

    Raises what each kind of remote raises.
    """
    repo: Any = project
    asked = {md5 for md5 in hashes if MD5.fullmatch(md5)}
    lacking = {HashInfo("md5", md5) for md5 in asked if not Path(repo.cache.local.oid_to_path(md5)).exists()}
    if lacking and default_remote(project):
        there = set(repo.cloud.get_remote_odb().oids_exist([one.value for one in lacking]))
        repo.cloud.pull({one for one in lacking if one.value in there})


def push_stage(project: Project, name: str) -> None:
    """Push the outputs of a stage. Raises what DVC and each kind of remote raise."""
    repo: Any = project
    repo.push(targets=[name])


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


def raw_data_hashes(project: Project) -> dict[str, str]:
    """DVC's hash of each of the raw data, by its path from the root; that of a folder ends with `.dir`."""
    repo: Any = project
    return {path_from_root(repo, out): str(out.hash_info.value) for out in _raw_data(project)}


def cache_folder(project: Project) -> Path:
    """The folder of DVC's cache. It is laid out as a remote in a folder is."""
    repo: Any = project
    return Path(repo.cache.local_cache_dir)


def cached_file(project: Project, md5: str) -> Path | None:
    """Where DVC's cache has the file with this md5; None where it has none."""
    repo: Any = project
    if not MD5.fullmatch(md5):  # a record of any branch may hold a path out of the cache
        return None
    place = Path(repo.cache.local.oid_to_path(md5))
    return place if place.is_file() else None


def path_from_root(repo: Any, out: Any) -> str:
    """Where an output is, from the root of the repository."""
    return "/".join(repo.fs.relparts(out.fs_path, repo.root_dir))


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
