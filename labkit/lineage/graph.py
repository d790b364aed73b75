"""What was made of what, as a graph: files, the records of dvc.lock that read and wrote them, versions, promotions.

An edge leads from what was there to what was made of it. Git alone is asked: a file goes by DVC's hash of it.
"""

from collections.abc import Iterator
from pathlib import Path

from labkit.git_cli import GitError, git
from labkit.lineage.added import join_added
from labkit.lineage.nodes import Graph, Made, Outs, Promotion, Registered
from labkit.pipeline.forged import forged_here
from labkit.pipeline.records import DVC_LOCK
from labkit.process.errors import InputError
from labkit.publish.occurrences import Commit, all_blocks, blocks, locks_of
from labkit.registry.settings import registered_in, source_of
from labkit.registry.state import Registry, Step, read_registry


def lineage_graph() -> Graph:
    """All results of all branches, and of dvc.lock here, with what was registered and promoted of them.

    The same bytes may have come of several results. The edge from a file to what was made of it has them `by` the one
    that stood in the same dvc.lock. Raises InputError for a dvc.lock here that can't be read.
    """
    graph = Graph()
    registry = _registry()
    for commit, stage, text, before in all_blocks(*(one.tag.commit for one in registry.versions.values())):
        add_result(graph, Made(stage, text), before, [commit])
    here = made_here()
    for made in here:
        add_result(graph, made, "", [])
    for commits in _commits(graph):
        commits.sort(key=lambda commit: commit.time)
    names = list(dict.fromkeys(commits[0].name for commits in _commits(graph) if commits))
    locks = {name: Outs(Made(*one) for one in lock.items()) for name, lock in zip(names, locks_of(names), strict=True)}
    for made in [node for node in graph if isinstance(node, Made)]:
        commits = graph.nodes[made]["commits"]
        _join(graph, made, locks[commits[0].name] if commits else Outs(here))
    join_added(graph)
    _add_versions(graph, registry)
    return graph


def made_here() -> list[Made]:
    """The results in the dvc.lock of the working folder, but for what a merge forged.

    Raises InputError when it can't be read.
    """
    lock = Path(DVC_LOCK)
    found = blocks(lock.read_bytes()) if lock.exists() else {}
    forged = {one.stage for one in forged_here() if one.certain}
    made = [Made(stage, text) for stage, text in found.items() if stage not in forged]
    if not all(one.record for one in made):
        raise InputError(f"{DVC_LOCK} can't be read; `git checkout {DVC_LOCK}` restores the one committed")
    return made


def _commits(graph: Graph) -> Iterator[list[Commit]]:
    return (told["commits"] for node, told in graph.nodes(data=True) if isinstance(node, Made))


def add_result(graph: Graph, made: Made, before: str, commits: list[Commit]) -> None:
    """Add a result with what it read and wrote, or the commits to one that is there."""
    if made not in graph:
        graph.add_node(made, commits=[], before=before)
        graph.add_edges_from((file, made) for file in made.files("deps"))
        graph.add_edges_from((made, file) for file in made.files("outs"))
    graph.nodes[made]["commits"] += commits


def _join(graph: Graph, made: Made, outs: Outs) -> None:
    """Join a result to those of the same dvc.lock that wrote what it read: as it is, a folder of it, or files in it."""
    for file in made.files("deps"):
        # Of its own path, a dvc.lock may have a newer one than the result has read.
        found = [(out, other) for out, other in outs.overlapping(file.path) if out == file or out.path != file.path]
        graph.add_edges_from((out, file) for out, _ in found if out != file)
        graph.edges[file, made]["by"] = [other for _, other in found]


def _registry() -> Registry:
    """What was registered and promoted, as this clone knows it."""
    try:
        _, told = registered_in(git("rev-parse", "HEAD"))
        return read_registry(told.name, offline=True)
    except (InputError, GitError):  # a lab needs none
        return Registry("", {}, [], [], set(), "")


def _add_versions(graph: Graph, registry: Registry) -> None:
    for version in registry.versions.values():
        source = source_of(version.tag.commit)
        node = Registered(f"{registry.name}@{version}")
        graph.add_node(node, tag=version.tag)
        (lock,) = locks_of([version.tag.commit])
        by = Made(source.stage, lock[source.stage])
        model = next(out for out in by.files("outs") if out.md5 == source.md5)
        graph.add_edge(model, node, by=by)
    for step in registry.steps:
        if step.version:
            promotion = Promotion(_step_name(registry.name, step))
            graph.add_node(promotion, tag=step.tag)
            graph.add_edge(Registered(f"{registry.name}@{step.version}"), promotion)


def _step_name(name: str, step: Step) -> str:
    return f"{name}#champion#{step.counter}{f'.{step.attempt} refused' if step.refused else ''}"
