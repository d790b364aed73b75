"""What was made of what, as a graph: files, the records of dvc.lock that read and wrote them, versions, promotions.

An edge leads from what was there to what was made of it. Git alone is asked: a file goes by DVC's hash of it.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, TypeAlias

import networkx
import yaml

from labkit.dvc_adapter.yaml_guard import LOADER, refuse_harmful
from labkit.git_cli import GitError, git
from labkit.paths import overlaps
from labkit.pipeline.records import DVC_LOCK
from labkit.process.errors import InputError
from labkit.publish.occurrences import Commit, all_blocks, blocks, locks_of
from labkit.registry.settings import registered_in, source_of
from labkit.registry.state import Registry, Step, read_registry

CODE = ("lab/", "labkit/", "lib/", "goals/")


@dataclass(frozen=True)
class File:
    """A file or folder by its path and DVC's hash."""

    path: str
    md5: str

    @property
    def is_code(self) -> bool:
        """Whether it is code, rather than data."""
        return self.path.startswith(CODE)


@dataclass(frozen=True)
class Made:
    """A result of a stage: its record as dvc.lock has it. In the graph it has its `commits` and the text `before`."""

    stage: str
    text: str

    @property
    def record(self) -> dict[str, Any]:
        """The record: what was read, with which parameters, and what was written."""
        return parsed(self.text)


@dataclass(frozen=True)
class Registered:
    """A registered version of a model. In the graph it has its `tag`."""

    name: str


@dataclass(frozen=True)
class Promotion:
    """A step of a champion's history. In the graph it has its `tag`."""

    name: str


Node = File | Made | Registered | Promotion
Graph: TypeAlias = networkx.DiGraph


def lineage_graph() -> Graph:
    """All results of all branches, and of dvc.lock here, with what was registered and promoted of them.

    The same bytes may have come of several results. The edge from a file to what was made of it has them `by` the one
    that stood in the same dvc.lock. Raises InputError for a dvc.lock here that can't be read.
    """
    graph = Graph()
    registry = _registry()
    for commit, stage, text, before in all_blocks(*(one.tag.commit for one in registry.versions.values())):
        _add(graph, Made(stage, text), before, [commit])
    here = made_here()
    for made in here:
        _add(graph, made, "", [])
    for commits in _commits(graph):
        commits.sort(key=lambda commit: commit.time)
    names = list(dict.fromkeys(commits[0].name for commits in _commits(graph) if commits))
    locks = {name: [Made(*one) for one in lock.items()] for name, lock in zip(names, locks_of(names), strict=True)}
    for made in [node for node in graph if isinstance(node, Made)]:
        commits = graph.nodes[made]["commits"]
        _join(graph, made, locks[commits[0].name] if commits else here)
    _add_versions(graph, registry)
    return graph


def made_here() -> list[Made]:
    """The results in the dvc.lock of the working folder. Raises InputError when it can't be read."""
    lock = Path(DVC_LOCK)
    return [Made(*one) for one in blocks(lock.read_bytes()).items()] if lock.exists() else []


def _commits(graph: Graph) -> Iterator[list[Commit]]:
    return (told["commits"] for node, told in graph.nodes(data=True) if isinstance(node, Made))


@cache
def parsed(text: str) -> dict[str, Any]:
    """The record in a text of dvc.lock; nothing in an empty one."""
    refuse_harmful(text, DVC_LOCK)
    found = yaml.load(text, LOADER)  # DVC's own loader takes twenty times as long
    return found if isinstance(found, dict) else {}


def files_of(record: dict[str, Any], kind: str) -> Iterator[File]:
    """The files that a record read (`deps`) or wrote (`outs`), as far as DVC hashed them."""
    entries = record.get(kind)
    for one in entries if isinstance(entries, list) else ():
        if isinstance(one, dict) and one.get("path") and one.get("md5"):
            yield File(str(one["path"]), str(one["md5"]))


def _add(graph: Graph, made: Made, before: str, commits: list[Commit]) -> None:
    if made not in graph:
        graph.add_node(made, commits=[], before=before)
        record = made.record
        graph.add_edges_from((file, made) for file in files_of(record, "deps"))
        graph.add_edges_from((made, file) for file in files_of(record, "outs"))
    graph.nodes[made]["commits"] += commits


def _join(graph: Graph, made: Made, lock: list[Made]) -> None:
    """Join a result to those of the same dvc.lock that wrote what it read: as it is, a folder of it, or files in it."""
    for file in list(graph.predecessors(made)):
        for other in lock:
            for out in files_of(other.record, "outs"):
                if out != file and overlaps(out.path, [file.path]):
                    graph.add_edge(out, file)
                if out == file or overlaps(out.path, [file.path]):
                    graph.edges[file, made]["by"] = other


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
        model = next(out for out in files_of(by.record, "outs") if out.md5 == source.md5)
        graph.add_edge(model, node, by=by)
    for step in registry.steps:
        if step.version:
            promotion = Promotion(_step_name(registry.name, step))
            graph.add_node(promotion, tag=step.tag)
            graph.add_edge(Registered(f"{registry.name}@{step.version}"), promotion)


def _step_name(name: str, step: Step) -> str:
    return f"{name}#champion#{step.counter}{f'.{step.attempt} refused' if step.refused else ''}"
