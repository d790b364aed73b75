"""Files as they were in a commit: what Git has, and what DVC's cache or its remote has of the outputs."""

from pathlib import Path
from typing import Any

from dvc_data.hashfile.tree import Tree

from labkit.dvc_adapter.repository import Project
from labkit.dvc_adapter.storage import absent, default_remote
from labkit.paths import overlaps
from labkit.process.files import replacing


def copy_from(project: Project, rev: str, path: str, target: Path) -> None:
    """Write a file or folder of a commit to `target`; `path` is one from the root of the project.

    Raises FileNotFoundError where the commit, or cache and remote, do not have it, and what each kind of remote raises.
    """
    repo: Any = project
    if Path(path).is_absolute() or ".." in Path(path).parts:
        raise FileNotFoundError(path)
    _fetch(project, rev, path)
    with repo.switch(rev):
        files = repo.dvcfs
        if not files.exists(path):
            raise FileNotFoundError(path)
        with replacing(target) as beside:
            files.get(path, str(beside), recursive=files.isdir(path))


def not_kept(project: Project, rev: str, stage: str) -> list[str]:
    """The outputs of a commit's stage of which the default remote, or the cache where there is none, lacks a file.

    Git has to have those without `cache`. Raises what each kind of remote raises.
    """
    repo: Any = project
    store = repo.cloud.get_remote_odb() if default_remote(project) else repo.cache.local
    with repo.switch(rev):
        outs = [out for one in repo.index.stages if getattr(one, "name", "") == stage for out in one.outs]
        lacking = [out for out in outs if (absent(out, store) if out.use_cache else not repo.fs.exists(out.fs_path))]
        return sorted(out.def_path for out in lacking)


def _fetch(project: Project, rev: str, path: str) -> None:
    """Bring what the cache lacks of a commit's outputs at a path.

    By the settings that are here: in a commit, DVC takes the remote `../share` for `/share`.
    """
    repo: Any = project
    with repo.switch(rev):
        outs = [out for out in repo.index.outs if out.use_cache and out.hash_info and overlaps(path, [out.def_path])]
        lacking = [out.hash_info for out in outs if absent(out, repo.cache.local)]
    if lacking and default_remote(project):
        repo.cloud.pull(lacking)  # of a folder, that is the list of its files
        trees = [Tree.load(repo.cache.local, one) for one in lacking if one.isdir]
        repo.cloud.pull({hash_info for tree in trees for _, _, hash_info in tree})
