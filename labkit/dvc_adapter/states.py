"""The stages of dvc.yaml: what dvc.lock recorded of each, and how what is here differs from that."""

from pathlib import Path
from typing import Any, NamedTuple

import networkx
from dvc.dependency.param import ParamsDependency
from dvc.exceptions import DvcException
from dvc.stage import PipelineStage
from dvc.stage.cache import RunCacheNotFoundError
from dvc_data.hashfile.hash_info import HashInfo

from labkit.dvc_adapter.repository import Project
from labkit.dvc_adapter.storage import path_from_root


class Params(NamedTuple):
    """The parameters that a stage reads of a file, by their dotted names; `state` as of a file."""

    file: str
    recorded: dict[str, Any]
    here: dict[str, Any]
    state: str


class File(NamedTuple):
    """A file or folder that a stage reads or writes.

    `path` is as people name it, `place` is absolute. `recorded` is DVC's hash, empty where dvc.lock has none.
    `state` is how it differs from that: modified, deleted or new; empty where it does not.
    """

    path: str
    place: Path
    recorded: str
    state: str
    is_file: bool = False
    is_folder: bool = False
    is_cached: bool = False  # whether DVC's cache has all of what was recorded
    keeps_copy: bool = False  # whether DVC's cache is to have it

    @property
    def was_folder(self) -> bool:
        """Whether a folder was recorded."""
        return self.recorded.endswith(".dir")


class Stage(NamedTuple):
    """A stage, and the names of those whose outputs it reads. Of a frozen one no input is looked at."""

    name: str
    command: str
    upstream: list[str]
    inputs: list[File]
    params: list[Params]
    outs: list[File]
    ever_ran: bool
    always_runs: bool
    command_changed: bool

    @property
    def is_current(self) -> bool:
        """Whether dvc.lock and the workspace agree on the stage alone, all its outputs being here."""
        states = [*(file.state for file in (*self.inputs, *self.outs)), *(params.state for params in self.params)]
        gone = [out for out in self.outs if out.keeps_copy and out.recorded and not out.is_cached]
        return not (self.command_changed or any(states) or gone)


class Declared(NamedTuple):
    """A stage of dvc.yaml: the paths from the root of what it writes, its `meta`, and whether DVC never runs it."""

    outs: list[str]
    meta: Any
    frozen: bool


def declared_here(project: Project) -> dict[str, Declared]:
    """The stages of dvc.yaml by their names, `foreach` and variables resolved. Nothing is hashed for it."""
    repo: Any = project
    return {
        stage.addressing: Declared([path_from_root(repo, out) for out in stage.outs], stage.meta, bool(stage.frozen))
        for stage in repo.index.stages
        if isinstance(stage, PipelineStage)
    }


def stages_here(project: Project) -> list[Stage]:
    """The stages, each after those that it depends on, and else as in dvc.yaml.

    Raises InputError when dvc.yaml or a parameter file is wrong. Nothing is pulled for it.
    """
    repo: Any = project
    place = {stage: number for number, stage in enumerate(repo.index.stages)}
    order = networkx.lexicographical_topological_sort(repo.index.graph.reverse(), key=place.__getitem__)
    return [_stage(stage, repo.index.graph) for stage in order if isinstance(stage, PipelineStage)]


def ran_before(project: Project, name: str) -> bool:
    """Whether DVC's cache has what the stage would make of just what is here, from an earlier run."""
    repo: Any = project
    found = next(stage for stage in repo.index.stages if stage.addressing == name)
    trial = repo.stage.load_one(found.path, found.name)
    try:
        trial.save_deps()
        for out in trial.outs:
            out.hash_info = HashInfo()  # else DVC compares with dvc.lock alone
        repo.stage_cache.restore(trial, dry=True)
    except (RunCacheNotFoundError, DvcException):
        return False
    return True


def _stage(stage: Any, graph: Any) -> Stage:
    deps = [] if stage.frozen else stage.deps
    return Stage(
        name=stage.addressing,
        command=stage.cmd if isinstance(stage.cmd, str) else "\n".join(map(str, stage.cmd or [])),
        upstream=[other.addressing for other in graph.successors(stage) if isinstance(other, PipelineStage)],
        inputs=[_file(dep) for dep in deps if not isinstance(dep, ParamsDependency)],
        params=[_params(dep) for dep in deps if isinstance(dep, ParamsDependency)],
        outs=[_file(out) for out in stage.outs],
        ever_ran=any(file.hash_info for file in (*stage.deps, *stage.outs)),
        always_runs=bool(stage.always_changed or stage.is_callback),
        command_changed=bool(stage.changed_stage()),
    )


def _file(one: Any) -> File:
    return File(
        path=str(one),
        place=Path(one.fs_path),
        recorded=str(one.hash_info.value) if one.hash_info else "",
        state=next(iter(one.workspace_status().values()), ""),
        is_file=one.isfile(),
        is_folder=one.isdir(),
        is_cached=one.use_cache and not one.changed_cache(),
        keeps_copy=one.use_cache,
    )


def _params(one: Any) -> Params:
    return Params(
        file=str(one),
        recorded=one.hash_info.value if one.hash_info else {},
        here=one.read_params(),
        state="modified" if one.workspace_status() else "",
    )
