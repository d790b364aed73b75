"""The part of the graph that something was made of, and the part that was made of it."""

from collections.abc import Collection, Iterable
from math import inf

import networkx

from labkit.lineage.nodes import File, Graph, Made, Node


def made_of(graph: Graph, nodes: Iterable[Node], lock: Collection[Made] = ()) -> Graph:
    """All that led to these nodes.

    Of bytes that several results wrote, the result of them in `lock`, the dvc.lock that was asked about; where it has
    none, the one that stood in the dvc.lock of what read the bytes.
    """
    found = Graph()
    waiting: list[Node] = []

    def keep(*path: Node) -> None:
        """Keep an edge, from the writer of a file too, and go on from what is new."""
        for node in path:
            if node not in found:
                found.add_node(node, **graph.nodes[node])
                waiting.append(node)
        networkx.add_path(found, path)

    def writers_in_lock(node: Node) -> list[Made]:
        return [one for one in writers(graph, node) if one in lock]

    for node in nodes:
        keep(node)
        for one in writers_in_lock(node) or writers(graph, node)[:1]:
            keep(one, node)
    while waiting:
        node = waiting.pop()
        for before in _sources(graph, node):
            keep(before, node)
            for one in writers_in_lock(before) or graph.edges[before, node].get("by") or writers(graph, before)[:1]:
                keep(one, before)
    return found


def _sources(graph: Graph, node: Node) -> list[Node]:
    """What was there before a node; nothing of a file that results wrote, since one of them is to be chosen."""
    return [] if writers(graph, node) else [*graph.predecessors(node)]


def used_by(graph: Graph, nodes: Iterable[Node]) -> Graph:
    """All that was made of these nodes, in whatever branch."""
    kept = set(nodes)
    for node in list(kept):
        kept |= networkx.descendants(graph, node)
    return Graph(graph.subgraph(kept))


def writers(graph: Graph, file: Node) -> list[Made]:
    """The results that wrote a file's bytes, by themselves or in a folder; the oldest first."""
    if not isinstance(file, File):
        return []
    places = [file, *(out for out in graph.predecessors(file) if isinstance(out, File))]
    found = [node for place in places for node in graph.predecessors(place) if isinstance(node, Made)]
    return sorted(dict.fromkeys(found), key=lambda one: time_of(graph, one))


def time_of(graph: Graph, made: Made) -> float:
    """When a result was first committed, in seconds; of one that is in no commit yet, infinity."""
    commits = graph.nodes[made]["commits"]
    return float(commits[0].time) if commits else inf
