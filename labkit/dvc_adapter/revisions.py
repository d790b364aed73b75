"""Files as they were in a commit: what Git has, and what DVC's cache or its remote has of the outputs."""

import shlex
from pathlib import Path
from typing import Any

from dvc_data.hashfile.tree import Tree
from dvc_data.index import DataIndexDirError

from labkit.dvc_adapter.folders import Files, hash_of
from labkit.dvc_adapter.repository import Project, switched
from labkit.dvc_adapter.storage import absent, default_remote, path_from_root
from labkit.paths import lies_in, overlaps
from labkit.process.errors import InputError
from labkit.process.files import replacing
from labkit.process.tracking import md5_of


def copy_from(project: Project, rev: str, path: str, target: Path) -> None:
    """Write a file or folder of a commit to `target`; `path` is one from the root of the project.

    Raises FileNotFoundError where the commit, or cache and remote, do not have it, InputError where it is not what
    the commit's dvc.lock records, and what each kind of remote raises.
    """
    repo: Any = project
    if Path(path).is_absolute() or ".." in Path(path).parts:
        raise FileNotFoundError(path)
    _fetch(project, rev, path)
    with switched(project, rev):
        files = repo.dvcfs
        if not files.exists(path):
            raise FileNotFoundError(path)
        try:
            with replacing(target) as beside:
                files.get(path, str(beside), recursive=files.isdir(path))
                _refuse_other_bytes(repo, rev, path, beside)
        except DataIndexDirError:  # not even the list of the folder's files could be had
            raise FileNotFoundError(path) from None


def not_kept(project: Project, rev: str, stage: str) -> list[str]:
    """The outputs of a commit's stage of which the default remote, or the cache where there is none, lacks a file.

    Git has to have those without `cache`. Raises what each kind of remote raises.
    """
    repo: Any = project
    store = repo.cloud.get_remote_odb() if default_remote(project) else repo.cache.local
    with switched(project, rev):
        outs = [out for one in repo.index.stages if getattr(one, "name", "") == stage for out in one.outs]
        lacking = [out for out in outs if (absent(out, store) if out.use_cache else not repo.fs.exists(out.fs_path))]
        return sorted(out.def_path for out in lacking)


def _refuse_other_bytes(repo: Any, rev: str, path: str, copy: Path) -> None:
    """Raise InputError where a copy of `path` is not what is recorded: DVC prefers what Git tracks to its cache."""
    files = [file for file in copy.rglob("*") if file.is_file()] if copy.is_dir() else [copy]
    found = {Path(path, file.relative_to(copy)).as_posix(): md5_of(file) for file in files}
    for out in (out for out in repo.index.outs if out.hash_info):
        place = path_from_root(repo, out)
        if overlaps(path, [place]) and not _is_recorded(repo, out, path, found):
            raise InputError(
                f"{path} of {rev[:10]} has other bytes than dvc.lock there records of {place}: Git tracks it, or the "
                f"copy is damaged; `git rm -r --cached {shlex.quote(place)}`, then `dvc repro`, and commit"
            )


def _is_recorded(repo: Any, out: Any, path: str, found: Files) -> bool:
    """Whether files with these hashes, all that there are at `path`, are what is recorded of an output there."""
    place = path_from_root(repo, out)
    if lies_in(place, [path]):
        below = {file.removeprefix(place).lstrip("/"): known for file, known in found.items() if lies_in(file, [place])}
        return bool(below) and hash_of(below) == out.hash_info.value
    tree = Tree.load(repo.cache.local, out.hash_info)
    recorded = {"/".join((place, *key)): str(one.value) for key, _, one in tree}
    return found == {file: known for file, known in recorded.items() if lies_in(file, [path])}


def _fetch(project: Project, rev: str, path: str) -> None:
    """Fetch what the cache lacks of a commit's outputs at a path.

    By the settings that are here: in a commit, DVC takes the remote `../share` for `/share`.
    """
    repo: Any = project
    with switched(project, rev):
        outs = [
            out
            for out in repo.index.outs
            if out.use_cache and out.hash_info and overlaps(path, [path_from_root(repo, out)])
        ]
        lacking = [out.hash_info for out in outs if absent(out, repo.cache.local)]
    if lacking and default_remote(project):
        repo.cloud.pull(lacking)  # of a folder, that is the list of its files
        trees = [Tree.load(repo.cache.local, one) for one in lacking if one.isdir]
        repo.cloud.pull({hash_info for tree in trees for _, _, hash_info in tree})
