"""One stage on a machine of its own, and the whole put together again."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import chdir, contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from labkit.distribute.exchange import forget, publish, publish_failure, published, told_runs
from labkit.dvc_adapter.command_line import dvc
from labkit.dvc_adapter.folders import Files, files_cached, hash_of
from labkit.dvc_adapter.graph import kept_inputs
from labkit.dvc_adapter.repository import open_project
from labkit.dvc_adapter.settings import all_settings, settings_of, write_settings
from labkit.dvc_adapter.states import Stage, stages_here
from labkit.dvc_adapter.storage import cache_folder, pull, push_stage
from labkit.git_cli import GitError, ask_server, clone_at, commit_or_none, git, git_in
from labkit.paths import HOME, ROOT, TASKS, lies_in
from labkit.pipeline.plan import Plan, plan_here
from labkit.pipeline.records import DVC_LOCK, Records, commit_of, read_records, write_records
from labkit.process.errors import InputError
from labkit.process.files import replacing
from labkit.tracking.journal import EXECUTION_VARIABLE, JOURNALS, TrackedRun, remember, runs_of_execution
from labkit.tracking.tracker import deliver

DELIVERY_SECONDS = 15.0
LEFT_OUT = ("DVC_", "PYTHONPATH", "VIRTUAL_ENV")  # what would reach into the clone
OF_GIT = ("GIT_CONFIG_", "GITHUB_TOKEN")  # a stage has no use for what opens `origin`


def run_task(stage: str, execution: str, revision: str) -> None:
    """Run a stage at a commit in a clone of its own, and publish its results, unless they are published.

    Raises InputError where the commit can't be planned, or a stage that it needs has not published, and RuntimeError
    where DVC or the stage fails.
    """
    os.chdir(ROOT)
    with _clone(revision) as clone, chdir(clone):
        plan = plan_here()
        planned, done = plan.stage(stage), published(execution, plan.commit)
        if stage in done:
            print(f"{stage} has published its results of {execution} already")
            return
        if lacking := [name for name in planned.needs if name not in done]:
            raise InputError(f"{stage} needs {', '.join(lacking)}, which has not published in {execution} yet")
        _write_lock(_merged(plan, {name: done[name] for name in planned.needs}))
        with open_project() as project:
            if inputs := kept_inputs(project, stage):
                pull(project, inputs)
        try:
            _repro(stage, execution)
        except RuntimeError:
            with suppress(GitError):  # that it failed is worse than that nobody is told why
                publish_failure(execution, plan.commit, stage, _delivered_runs(execution))
            raise
        with open_project() as project:
            push_stage(project, stage)
        record = read_records(Path(DVC_LOCK).read_bytes())[stage]
        publish(execution, plan.commit, stage, record, _delivered_runs(execution))
    print(f"{stage} has published its results of {execution}")


def _delivered_runs(execution: str) -> list[TrackedRun]:
    """What this machine knows of the execution's runs, once MLflow has them, or was waited for."""
    for journal, reason in deliver(DELIVERY_SECONDS):
        print(f"not in MLflow yet: {journal.stem}: {reason}")
    return runs_of_execution(execution)


def finish(execution: str, revision: str) -> None:
    """Collect the results of an execution in a clone, publish them as those of the tag of that name, and forget.

    If a stage has not finished, the others are published and nothing is forgotten, so that a later call goes on.

    Raises InputError where the commit can't be had or nothing has finished, and RuntimeError where one of these fails,
    after its own words, or a stage has not finished.
    """
    os.chdir(ROOT)
    own = ["--execution", execution]
    with _clone(revision) as clone, chdir(clone):
        lacking = _lacking(plan := plan_here(), published(execution, plan.commit))
        for words in (["labkit.distribute", "collect", "--partial", *own], ["lab", "publish", execution]):
            if _ended_with([sys.executable, "-m", *words], execution):
                raise RuntimeError(f"{words[1]} failed; run again, it goes on from there")
        if lacking:
            raise RuntimeError(
                f"{execution} is published as far as it came: {lacking} has not finished; run that, and this again"
            )
        forget(execution)
        print(f"{execution} is published")


def collect(execution: str, partial: bool = False) -> None:
    """Put the records that an execution has published into dvc.lock here, where its commit is checked out.

    Raises InputError if one is missing (unless `partial`), there is none, two don't fit, or one is of something else
    than the commit.
    """
    os.chdir(ROOT)
    plan = plan_here()
    done = published(execution, plan.commit)
    lacking = _lacking(plan, done)
    if lacking and not (partial and done):
        raise InputError(f"{execution} is not complete: {lacking} has not published")
    with open_project() as project:
        refuse_misfits(done, lambda md5: files_cached(project, md5))
    _write_lock(_merged(plan, done))
    here = {(run.stage, run.status) for run in runs_of_execution(execution)}
    JOURNALS.mkdir(mode=0o700, parents=True, exist_ok=True)
    for run in dict.fromkeys(run for run in told_runs(execution) if (run.stage, run.status) not in here):
        remember(JOURNALS, run)
    with open_project() as project:  # what is here after `dvc repro`, and publishing looks at
        read = [path for stage in done for path in kept_inputs(project, stage)]
        pull(project, [*dict.fromkeys([*read, *done])])
    with open_project() as project:
        _refuse_others([stage for stage in stages_here(project) if stage.name in done], plan.commit)
    print(f"{DVC_LOCK} has the results of {execution}: `python -m lab publish TAG` commits them")


def _lacking(plan: Plan, done: Records) -> str:
    """The stages that have not published."""
    return ", ".join(stage.name for stage in plan.stages if stage.name not in done)


def _merged(plan: Plan, done: Records) -> Records:
    """The records of the commit, those of `done` in their place; new ones at the end in the order of the plan."""
    lock = Path(DVC_LOCK)
    before = read_records(lock.read_bytes()) if lock.exists() else {}
    return before | {stage.name: done[stage.name] for stage in plan.stages if stage.name in done}


def refuse_misfits(records: Records, files_of: Callable[[str], Files | None]) -> None:
    """Raise InputError where a stage read another version of what a stage wrote, or of a part of it.

    `files_of` gives the files of a folder by its hash, as far as they are known here.
    """
    written = [(out, stage) for stage, record in records.items() for out in record.get("outs", [])]
    for stage, record in records.items():
        for dep in record.get("deps", []):
            for out, maker in written:
                if lies_in(dep["path"], [out["path"]]) and _differs(dep, out, files_of):
                    raise InputError(f"{stage} read another {dep['path']} than {maker} wrote; run the execution again")


def _refuse_others(stages: list[Stage], commit: str) -> None:
    """Raise InputError where a result is of another command, other parameters or inputs than are here."""
    for stage in stages:
        read = {one.path: one.state for one in stage.inputs} | {one.file: one.state for one in stage.params}
        if differs := ["command"] * stage.command_changed + [name for name, state in read.items() if state]:
            raise InputError(
                f"what {stage.name} has published is of another {', '.join(differs)} than {commit[:10]} has; "
                "`python -m labkit.distribute forget` the execution, and run it again"
            )


def _differs(dep: dict[str, Any], out: dict[str, Any], files_of: Callable[[str], Files | None]) -> bool:
    below = Path(dep["path"]).relative_to(out["path"]).as_posix()
    if below == ".":
        return bool(dep.get("md5") != out.get("md5"))
    if (files := files_of(str(out.get("md5")))) is None:
        return False
    part = {path.removeprefix(below).lstrip("/"): md5 for path, md5 in files.items() if lies_in(path, [below])}
    return not part or hash_of(part) != dep.get("md5")


def _write_lock(records: Records) -> None:
    with replacing(DVC_LOCK) as beside:
        beside.write_text(write_records(records), encoding="utf-8")


@contextmanager
def _clone(revision: str) -> Iterator[Path]:
    """A clone of this lab at a commit, with this lab's remotes, keys and cache; it is removed afterwards."""
    commit = _fetched(revision)
    origin, top = git("remote", "get-url", "origin"), Path(git("rev-parse", "--show-toplevel"))
    with open_project() as project:
        cache = cache_folder(project)
    own = settings_of("local")
    (HOME / ".lab").mkdir(mode=0o700, exist_ok=True)
    TASKS.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=TASKS, ignore_cleanup_errors=True) as folder:
        clone = clone_at(commit, Path(folder).resolve() / "lab")
        core = {**own["core"], "remote": all_settings()["core"].get("remote"), "site_cache_dir": f"{folder}/site"}
        local = {**own, "core": core, "cache": {"dir": str(cache)}, "remote": all_settings()["remote"]}
        git_in(clone, "remote", "set-url", "origin", str(top / origin) if (top / origin).exists() else origin)
        with chdir(clone):
            write_settings("local", local)
        yield clone


def _fetched(revision: str) -> str:
    """The commit that a revision names, from `origin` where it is not here."""
    if not commit_or_none(revision):
        ask_server("fetch", "--quiet", "origin", revision)
    return commit_of(revision)


def _repro(stage: str, execution: str) -> None:
    """Run the stage if it changed: its inputs are here, and the outputs of an unchanged one need not be.

    Raises RuntimeError where it fails, after DVC's own words.
    """
    if _ended_with(dvc("repro", "--single-item", "--allow-missing", stage), execution, OF_GIT):
        raise RuntimeError(f"{stage} failed")


def _ended_with(command: list[str], execution: str, left_out: tuple[str, ...] = ()) -> int:
    """The exit code of a command that is run in the clone, as a part of the execution."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(LEFT_OUT + left_out)}
    path = os.pathsep.join([str(Path(sys.executable).parent), kept.get("PATH", os.defpath)])
    return subprocess.run(command, env={**kept, "PATH": path, EXECUTION_VARIABLE: execution}).returncode
