"""Checks of the results: whether dvc.lock is that of this code, and whether the raw data can be had."""

from contextlib import suppress

from labkit.doctor.check import Check, ok, problem, warning
from labkit.github import on_runner

# DVC takes half a second to import, which the checks do beside each other: hence the imports inside of them.


def check_lock_file() -> Check:
    """Whether dvc.lock is that of this code, data and params. Nothing is pulled for that."""
    from labkit.git_cli import is_shallow
    from labkit.pipeline.forged import WHOLE, forged_here

    if forged := forged_here():
        found = "; ".join(f"{one.stage}: {one}" for one in forged)
        if any(one.certain for one in forged):
            return problem("dvc.lock", found, "`python -m lab mend`, then `dvc repro`")
        return warning("dvc.lock", found, f"`dvc repro --force --single-item {forged[0].stage}`")
    if is_shallow():
        return warning("dvc.lock", "this clone is shallow, so nothing tells which records a merge made by lines", WHOLE)
    if on_runner():  # what is not that of this code, the run is for
        return ok("dvc.lock", "runs made its records, as far as the history tells")
    from labkit.pipeline.status import pipeline_status

    stages = pipeline_status()
    stale = [stage.stage for stage in stages if stage.forecast in ("runs", "may run")]
    if stale:
        found = f"stale: {', '.join(stale)}; `python -m lab status` tells why"
        return warning("dvc.lock", found, "`dvc repro`")
    return ok("dvc.lock", f"the {len(stages)} stages are those of this code, data and params")


def check_tracked() -> Check:
    """Whether Git tracks what the pipeline reads, and its copies of results are those of dvc.lock."""
    from labkit.git_cli import git_or_empty
    from labkit.pipeline.tables import REMEDY, stale_tables
    from labkit.pipeline.untracked import PIPELINE, remedy, untracked_files

    subject = "git files"
    if not (files := untracked_files()):
        if stale := stale_tables():
            return warning(subject, f"not the results of dvc.lock: {', '.join(stale)}", f"{REMEDY}, and commit")
        return ok(subject, "Git tracks all that the pipeline reads")
    committed = not git_or_empty("status", "--porcelain", "--", *PIPELINE)
    found = f"the pipeline reads what Git does not track: {', '.join(files)}"
    return (problem if committed else warning)(subject, found, f"{remedy(files)}, and commit")


def check_raw_data() -> Check:
    """Whether the data that .dvc files name can be had: from the cache, or else from the remote."""
    from labkit.git_cli import GitError, git

    subject = "raw data"
    with suppress(GitError):  # outside of a repository DVC may still find some
        if not git("ls-files", "--cached", "--others", "--exclude-standard", "--", "*.dvc"):
            return ok(subject, "no .dvc file names any")  # without DVC, which takes long to ask

    from labkit.dvc_adapter.repository import open_project
    from labkit.dvc_adapter.storage import default_remote, raw_data, raw_data_not_cached, raw_data_nowhere
    from labkit.pipeline.remote import limit_waiting

    with open_project() as project:
        named, lacking = raw_data(project), raw_data_not_cached(project)
        if not named:
            return ok(subject, "no .dvc file names any")
        if not lacking:
            return ok(subject, f"all that .dvc files name is in the cache ({len(named)})")
        if not default_remote(project):
            found = f"not in the cache, and there is no remote: {', '.join(lacking)}"
            fix = "set a remote (`python -m lab setup`), then `dvc push` where the data are"
            return problem(subject, found, fix)
        limit_waiting(project)
        try:
            gone = raw_data_nowhere(project)
        except Exception as error:  # the check of the remote tells why
            found = f"not in the cache, and the remote can't be asked ({type(error).__name__}): {', '.join(lacking)}"
            return warning(subject, found, "see the DVC remote")
    if gone:
        found = f"neither in the cache nor in the remote: {', '.join(gone)}"
        return problem(subject, found, "`dvc push` where the data are")
    return ok(
        subject, f"all that .dvc files name is in the cache or the remote; `dvc pull` brings {', '.join(lacking)}"
    )
