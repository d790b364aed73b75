"""Whether a commit's dvc.lock is of the code, parameters and data that the same commit has."""

from collections.abc import Iterator
from typing import Any

import networkx
from dvc.dependency.param import ParamsDependency
from dvc.stage import PipelineStage
from dvc_data.hashfile.hash import file_md5

from labkit.dvc_adapter.folders import Files, hash_of
from labkit.dvc_adapter.repository import Project, switched
from labkit.dvc_adapter.storage import path_from_root
from labkit.paths import lies_in, overlaps


def disagreements(project: Project, commit: str, upto: str = "") -> dict[str, list[str]]:
    """What a commit's stages read that differs from its dvc.lock: of all stages, or of one and what it needs.

    Git can't tell of a part of an output, a folder with a whole folder of DVC's data, or an address elsewhere.
    """
    with switched(project, commit) as repo:
        outs = [out for out in repo.index.outs if out.fs_path]
        stages = [stage for stage in repo.index.stages if isinstance(stage, PipelineStage)]
        for last in [stage for stage in stages if stage.name == upto]:
            needed = {last, *networkx.descendants(repo.index.graph, last)}
            stages = [stage for stage in stages if stage in needed]
        found = {stage.name: [*_of_stage(repo, stage, outs)] for stage in stages if not stage.frozen}
    return {stage: told for stage, told in found.items() if told}


def _of_stage(repo: Any, stage: Any, outs: list[Any]) -> Iterator[str]:
    if stage.changed_stage():
        yield "its command"
    for dep in stage.deps:
        if isinstance(dep, ParamsDependency):
            if dep.workspace_status():
                yield str(dep)
        elif dep.protocol in (None, "local"):
            yield from _of_file(repo, dep, outs)


def _of_file(repo: Any, dep: Any, outs: list[Any]) -> Iterator[str]:
    place, recorded = path_from_root(repo, dep), dep.hash_info.value if dep.hash_info else None
    made = [out for out in outs if overlaps(dep.fs_path, [out.fs_path])]
    if len(made) == 1 and made[0].fs_path == dep.fs_path:
        here = made[0].hash_info.value if made[0].hash_info else None
    elif all(lies_in(out.fs_path, [dep.fs_path]) and out.hash_info and not out.hash_info.isdir for out in made):
        data = {"/".join(repo.fs.relparts(out.fs_path, dep.fs_path)): str(out.hash_info.value) for out in made}
        here = _hash_in_commit(repo, place, data)
    else:
        return
    if here is None or here != recorded:
        yield place


def _hash_in_commit(repo: Any, place: str, data: Files) -> str:
    """DVC's hash of a file or folder of Git's, with DVC's data in it."""
    top = repo.fs.join(repo.root_dir, place)
    if repo.fs.isfile(top):
        return str(file_md5(top, repo.fs))
    found = repo.dvcignore.find(repo.fs, top) if repo.fs.isdir(top) else []
    return hash_of({"/".join(repo.fs.relparts(file, top)): file_md5(file, repo.fs) for file in found} | data)
