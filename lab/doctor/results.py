"""Checks of the results: whether dvc.lock is that of this code, and whether the raw data can be had.

DVC takes half a second to import, so each check does it for itself, beside the others.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from lab.doctor.check import Check, ok, problem, warning

if TYPE_CHECKING:
    from dvc.output import Output
    from dvc.repo import Repo
    from dvc.stage import Stage


def check_lock_file() -> Check:
    """Whether dvc.lock is that of this code, data and params. Nothing is pulled for that."""
    from lab.stages import in_order, project

    with project() as repo:
        stages = in_order(repo)
        stale = [stage.addressing for stage in stages if is_stale(repo, stage)]
    if stale:
        return warning("dvc.lock", f"not that of this code, data and params: {', '.join(stale)}", "`dvc repro`")
    return ok("dvc.lock", f"the {len(stages)} stages are those of this code, data and params")


def is_stale(repo: Repo, stage: Stage) -> bool:
    """Whether the stage has to run, as far as can be told by what is here. Outs that are not here do not count."""
    made = {out.fs_path: out.hash_info for other in repo.index.stages for out in other.outs}
    for dep in stage.deps:
        status = dep.status()
        if status.get(str(dep)) == "deleted":
            if dep.fs_path not in made or made[dep.fs_path] != dep.hash_info:
                return True
        elif status and not (dep.hash_info and _with_missing_data(repo, dep) == dep.hash_info):
            return True
    return bool(stage.changed_stage())


def _with_missing_data(repo: Repo, folder: Output) -> Any:
    """The hash that a folder would have, if what the .dvc files in it name were here; None when that is unknown."""
    from dvc_data.hashfile.build import build

    missing = [out for out in _raw_data(repo) if out.fs.isin(out.fs_path, folder.fs_path) and not out.exists]
    if not missing or any(out.hash_info.isdir for out in missing):
        return folder.hash_info if missing else None
    tree: Any
    _, _, tree = build(folder.cache, folder.fs_path, folder.fs, "md5", ignore=repo.dvcignore, dry_run=True)
    for out in missing:
        tree.add(out.fs.relparts(out.fs_path, folder.fs_path), out.meta, out.hash_info)
    tree.digest()
    return tree.hash_info


def check_raw_data() -> Check:
    """Whether the data that .dvc files name can be had: from the cache, or else from the remote."""
    from lab.stages import project

    subject = "raw data"
    with project() as repo:
        outs = [*_raw_data(repo)]
        lacking = {out: missing for out in outs if (missing := _not_in(out, out.cache))}
        if not outs:
            return ok(subject, "no .dvc file names any")
        if not lacking:
            return ok(subject, f"what {len(outs)} .dvc files name is in the cache")
        names = ", ".join(sorted(map(str, lacking)))
        if "remote" not in repo.config["core"]:
            return problem(subject, f"not in the cache, and there is no remote: {names}", "`dvc commit` where it is")
        try:
            remote = repo.cloud.get_remote_odb()
            gone = sorted(str(out) for out in lacking if _not_in(out, remote))
        except Exception as error:  # why, the check of the remote tells
            found = f"not in the cache, and the remote can't be asked ({type(error).__name__}): {names}"
            return warning(subject, found, "see the DVC remote")
    if gone:
        found = f"neither in the cache nor in the remote: {', '.join(gone)}"
        return problem(subject, found, "`dvc commit && dvc push` where it is")
    return ok(subject, f"what {len(outs)} .dvc files name is in the cache or the remote; `dvc pull` brings it")


def _raw_data(repo: Repo) -> Iterator[Output]:
    return (out for stage in repo.index.stages if stage.is_data_source for out in stage.outs if out.use_cache)


def _not_in(out: Output, odb: Any) -> list[str]:
    """The hashes of the out's file, or of its folder and the files in it, that `odb` lacks."""
    from dvc_data.hashfile.tree import Tree

    wanted = [out.hash_info.value]
    if out.hash_info.isdir:
        for place in (out.cache, odb):
            try:
                wanted += [hash_info.value for _, _, hash_info in Tree.load(place, out.hash_info)]
                break
            except FileNotFoundError:
                continue
    found = set(odb.oids_exist(wanted))
    return [value for value in wanted if value not in found]
