"""The files of a folder, and DVC's hash of them: as they are here, in a commit, or as they were recorded."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from dvc_data.hashfile.build import build
from dvc_data.hashfile.hash import file_md5
from dvc_data.hashfile.hash_info import HashInfo
from dvc_data.hashfile.tree import Tree

from labkit.dvc_adapter.repository import Project

Files = dict[str, str]  # DVC's hash by path below the folder; a file by itself is at the empty path


def files_here(project: Project, folder: Path) -> Files:
    """The files of a folder in the workspace, but for those that .dvcignore names."""
    repo: Any = project
    _, _, tree = build(repo.cache.local, str(folder), repo.fs, "md5", ignore=repo.dvcignore, dry_run=True)
    return _files_of(tree)


def not_pulled(project: Project, place: Path) -> Files:
    """The data of `.dvc` files at or below a place that are not here; the hash of a folder ends with `.dir`."""
    repo: Any = project
    return {
        Path(out.fs_path).relative_to(place).as_posix().removeprefix("."): str(out.hash_info.value)
        for out in repo.index.outs
        if out.stage.is_data_source and Path(out.fs_path).is_relative_to(place) and not out.exists
    }


def files_cached(project: Project, recorded: str) -> Files | None:
    """The files of the folder with this hash; None where DVC's cache does not have the list."""
    repo: Any = project
    try:
        return _files_of(Tree.load(repo.cache.local, HashInfo("md5", recorded)))
    except FileNotFoundError:
        return None


def files_in_commits(project: Project, path: str, commits: Sequence[str]) -> Iterator[tuple[str, Files]]:
    """For each commit, its name and the files of a folder there, or the file alone; `path` is one from the root."""
    repo: Any = project
    for commit in repo.brancher(revs=list(commits)):
        if commit == "workspace":
            continue
        top = repo.fs.join(repo.root_dir, path)
        found = [top] if repo.fs.isfile(top) else repo.dvcignore.find(repo.fs, top)
        yield (
            commit,
            {"" if file == top else "/".join(repo.fs.relparts(file, top)): file_md5(file, repo.fs) for file in found},
        )


def hash_of(files: Files) -> str:
    """DVC's hash of a folder with these files, or of the file alone."""
    return files[""] if "" in files else str(tree_of(files).hash_info.value)


def tree_of(files: Files) -> Tree:
    """A folder with these files, as DVC's cache keeps it."""
    tree: Tree = Tree.from_list([{"relpath": path, "md5": md5} for path, md5 in files.items()], hash_name="md5")
    tree.digest()
    return tree


def _files_of(tree: Any) -> Files:
    return {"/".join(key): str(hash_info.value) for key, _, hash_info in tree}
