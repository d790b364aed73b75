"""Checks of the results: whether dvc.lock is that of this code, and whether the raw data can be had."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from labkit.doctor.check import Check, ok, problem, warning
from labkit.github import on_runner

if TYPE_CHECKING:  # DVC takes half a second to import, which the checks do beside each other
    from dvc.output import Output
    from dvc.repo import Repo


def check_lock_file() -> Check:
    """Whether dvc.lock is that of this code, data and params. Nothing is pulled for that."""
    from labkit.pipeline.forged import forged_here
    from labkit.pipeline.status import pipeline_status

    stages = pipeline_status()
    if forged := [one for one in forged_here() if one.certain]:
        found = "; ".join(f"{one.stage}: {one}" for one in forged)
        return problem("dvc.lock", found, "`python -m lab mend`, then `dvc repro`")
    stale = [stage.stage for stage in stages if stage.verdict in ("runs", "may run")]
    if stale and on_runner():
        return ok("dvc.lock", f"this run is for {', '.join(stale)}: not that of this code, data and params yet")
    if stale:
        found = f"not that of this code, data and params: {', '.join(stale)}; `python -m lab status` tells why"
        return warning("dvc.lock", found, "`dvc repro`")
    return ok("dvc.lock", f"the {len(stages)} stages are those of this code, data and params")


def check_raw_data() -> Check:
    """Whether the data that .dvc files name can be had: from the cache, or else from the remote."""
    from labkit.pipeline.remote import limit_waiting
    from labkit.pipeline.stages import project

    subject = "raw data"
    with project() as repo:
        outs = [*_raw_data(repo)]
        lacking = [out for out in outs if _absent(out, out.cache)]
        if not outs:
            return ok(subject, "no .dvc file names any")
        if not lacking:
            return ok(subject, f"all that .dvc files name is in the cache ({len(outs)})")
        if "remote" not in repo.config["core"]:
            found = f"not in the cache, and there is no remote: {_names(lacking)}"
            return problem(subject, found, "`dvc commit` where it is")
        limit_waiting(repo)
        try:
            remote = repo.cloud.get_remote_odb()
            gone = [out for out in lacking if _absent(out, remote)]
        except Exception as error:  # the check of the remote tells why
            found = f"not in the cache, and the remote can't be asked ({type(error).__name__}): {_names(lacking)}"
            return warning(subject, found, "see the DVC remote")
    if gone:
        found = f"neither in the cache nor in the remote: {_names(gone)}"
        return problem(subject, found, "`dvc commit && dvc push` where it is")
    return ok(subject, f"all that .dvc files name is in the cache or the remote; `dvc pull` brings {_names(lacking)}")


def _names(outs: list[Output]) -> str:
    return ", ".join(sorted(map(str, outs)))


def _raw_data(repo: Repo) -> Iterator[Output]:
    return (out for stage in repo.index.stages if stage.is_data_source for out in stage.outs if out.use_cache)


def _absent(out: Output, store: Any) -> bool:
    """Whether `store` lacks the out's file, or any file of its folder."""
    from dvc_data.hashfile.tree import Tree

    wanted = {out.hash_info.value}
    if out.hash_info.isdir:
        for place in (out.cache, store):  # whichever has the list of the folder's files
            try:
                wanted |= {hash_info.value for _, _, hash_info in Tree.load(place, out.hash_info)}
                break
            except FileNotFoundError:
                continue
    return not wanted <= set(store.oids_exist(list(wanted)))
