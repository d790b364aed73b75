"""The graph of dvc.yaml: what `dvc repro` looks at, in its order, and what each stage reads and writes."""

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

from dvc.dependency.param import ParamsDependency
from dvc.dvcfile import PROJECT_FILE
from dvc.exceptions import CheckoutError
from dvc.repo import lock_repo
from dvc.repo.reproduce import collect_stages, get_active_graph, plan_repro
from dvc.stage import PipelineStage

from labkit.dvc_adapter.repository import Project
from labkit.dvc_adapter.storage import path_from_root
from labkit.paths import lies_in


class Step(NamedTuple):
    """A stage or a .dvc file, by the name that `dvc repro --single-item` takes, and the steps before it.

    outs: the absolute paths of what it writes. Fresh is what `dvc repro` would pass over, and so all that it needs.
    """

    name: str
    needs: list[str]
    command: str
    outs: list[Path]
    is_fresh: bool


class Node(NamedTuple):
    """A stage, the stages whose outputs it reads, and the paths from the root of what it reads and writes.

    hindrances: why another machine can't run it from what Git and the remote have.
    """

    name: str
    command: list[str]
    needs: list[str]
    inputs: list[str]
    outputs: list[str]
    meta: Any
    hindrances: list[str]


def steps_here(project: Project) -> list[Step]:
    """What `dvc repro` looks at, in its order. Nothing is run, pulled or written."""
    repo: Any = project
    with lock_repo(repo):
        graph, order = _reproduced(repo)
        fresh: set[Any] = set()
        for stage in order:
            if fresh.issuperset(graph.successors(stage)) and not stage.changed():
                fresh.add(stage)
        return [
            Step(
                name=stage.addressing,
                needs=_names(graph.successors(stage)),
                command=stage.cmd if isinstance(stage.cmd, str) else "\n".join(map(str, stage.cmd or [])),
                outs=[Path(out.fs_path) for out in stage.outs],
                is_fresh=stage in fresh,
            )
            for stage in order
        ]


def bring_unchanged(project: Project) -> None:
    """Pull, from the cache or the remote, what `dvc repro --pull` would: the outputs of what did not change.

    What the remote lacks stays away. Raises what each kind of remote raises.
    """
    repo: Any = project
    with lock_repo(repo):
        graph, order = _reproduced(repo)
        unchanged: set[Any] = set()
        for stage in order:
            before = [*graph.successors(stage)]
            if unchanged.issuperset(before) and not stage.changed(allow_missing=True, upstream=before):
                unchanged.add(stage)
        away = [stage.addressing for stage in order if stage in unchanged and stage.changed()]
    if away:
        with suppress(CheckoutError):
            repo.pull(targets=away)


def nodes_here(project: Project) -> list[Node]:
    """The stages that `dvc repro` runs, in its order. Nothing is hashed for it."""
    repo: Any = project
    _, order = _reproduced(repo)
    return [
        Node(
            name=stage.addressing,
            command=[stage.cmd] if isinstance(stage.cmd, str) else [*(stage.cmd or [])],
            needs=_names(one for one in repo.index.graph.successors(stage) if isinstance(one, PipelineStage)),
            inputs=[_path(repo, dep) for dep in stage.deps if not isinstance(dep, ParamsDependency)],
            outputs=[_path(repo, out) for out in stage.outs],
            meta=stage.meta,
            hindrances=[*_hindrances(repo, stage)],
        )
        for stage in order
        if isinstance(stage, PipelineStage)
    ]


def kept_inputs(project: Project, name: str) -> list[str]:
    """The inputs of a stage that DVC keeps, as `dvc pull` takes them: outputs of other stages, and raw data."""
    repo: Any = project
    (stage,) = (one for one in repo.index.stages if one.addressing == name)
    wanted = [dep.fs_path for dep in stage.deps if not isinstance(dep, ParamsDependency) and dep.fs == repo.fs]
    found = []
    for out in repo.index.outs:
        for place in map(Path, wanted):
            if lies_in(place, [out.fs_path]):  # it, or a part of it
                found.append(str(place.relative_to(repo.root_dir)))
            elif lies_in(out.fs_path, [place]):
                found.append(path_from_root(repo, out))
    return sorted({*found})


def _reproduced(repo: Any) -> tuple[Any, list[Any]]:
    graph = get_active_graph(repo.index.graph)
    return graph, plan_repro(graph, collect_stages(repo, [PROJECT_FILE]))


def _names(stages: Any) -> list[str]:
    return sorted(stage.addressing for stage in stages)


def _path(repo: Any, one: Any) -> str:
    """A path from the root where it lies there, else as dvc.yaml has it."""
    return path_from_root(repo, one) if _is_inside(repo, one) else str(one)


def _is_inside(repo: Any, one: Any) -> bool:
    return bool(one.fs == repo.fs and repo.fs.isin(one.fs_path, repo.root_dir))


def _hindrances(repo: Any, stage: Any) -> Iterator[str]:
    if stage.path_in_repo != PROJECT_FILE:
        yield f"only the stages of the root's {PROJECT_FILE} are distributed; move it there from {stage.path_in_repo}"
    if not stage.deps:
        yield "it has no dependency, so that nothing tells whether its results are current; list its code, for one"
    for out in stage.outs:
        if not _is_inside(repo, out):
            yield f"{out}: other machines have no such place; write it into the lab's folder"
        elif not out.use_cache:
            yield f"{out}: `cache: false` keeps it from the remote; remove that"
        elif not out.can_push:
            yield f"{out}: `push: false` keeps it from the remote; remove that"
        elif out.persist:
            yield f"{out}: `persist: true` builds on what an earlier run left here; remove that"
    for dep in stage.deps:
        if dep.fs.protocol == "local" and not _is_inside(repo, dep):
            yield f"{dep}: other machines have no such file; put it into the lab's folder, with `dvc add`"
