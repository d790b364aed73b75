"""The part of the graph that something was made of, and the part that was made of it."""

from collections.abc import Collection, Iterable

import networkx

from labkit.lineage.graph import File, Graph, Made, Node


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

    def writer(file: Node, otherwise: Iterable[Made]) -> list[Made]:
        wrote = writers(graph, file) if isinstance(file, File) else []
        return [*(one for one in wrote if one in lock), *otherwise][:1]

    for node in nodes:
        keep(*writer(node, writers(graph, node) if isinstance(node, File) else []), node)
    while waiting:
        node = waiting.pop()
        for before in graph.predecessors(node) if not isinstance(node, File) else ():
            by = graph.edges[before, node].get("by")
            keep(*writer(before, [by] if by else []), before, node)
    return found


def used_by(graph: Graph, nodes: Iterable[Node]) -> Graph:
    """All that was made of these nodes, in whatever branch."""
    kept = set(nodes)
    for node in list(kept):
        kept |= networkx.descendants(graph, node)
    return Graph(graph.subgraph(kept))


def writers(graph: Graph, file: File) -> list[Made]:
    """The results that wrote these bytes, by themselves or in a folder; the oldest first."""
    places = [file, *(out for out in graph.predecessors(file) if isinstance(out, File))]
    found = [node for place in places for node in graph.predecessors(place) if isinstance(node, Made)]
    return list(dict.fromkeys(found))
