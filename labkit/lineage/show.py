"""`python -m lab lineage WHAT`: what led to something, and what came of it."""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import networkx

from labkit.git_cli import is_shallow
from labkit.lineage.around import made_of, used_by, writers
from labkit.lineage.goals import add_goals
from labkit.lineage.graph import lineage_graph
from labkit.lineage.named import Found, find
from labkit.lineage.nodes import Graph
from labkit.lineage.picture import mermaid, refuse_large, svg, without_code
from labkit.lineage.tree import lineage_tree
from labkit.lineage.words import facts
from labkit.process.errors import InputError
from labkit.process.files import replacing
from labkit.terminal import console

DRAWN: dict[str, Callable[[Graph], str]] = {".svg": svg, ".mmd": mermaid}


def show_lineage(what: str, back: bool, forward: bool, is_json: bool, picture: Path | None) -> None:
    """Print the lineage of `what` as a tree or as JSON, and draw it.

    Raises InputError for what is not known here, and for a picture of another kind.
    """
    if picture and picture.suffix not in DRAWN:
        raise InputError(f"{picture} ends with none of {', '.join(DRAWN)}; name a file that does")
    if is_shallow():
        print("warning: this is a shallow clone; `git fetch --unshallow` brings the rest", file=sys.stderr)
    graph, found = lineage_of(what, forward)
    if picture:
        drawn = DRAWN[picture.suffix](refuse_large(without_code(around(graph, found, back, forward))))
        with replacing(picture) as beside:
            beside.write_text(drawn, encoding="utf-8")
    if is_json:
        print(as_json(around(graph, found, back, forward)))
    else:
        terminal = console()
        terminal.print(lineage_tree(graph, found, back, forward))


def lineage_of(what: str, forward: bool = True) -> tuple[Graph, Found]:
    """The graph, and what `what` is in it; with the goals of what came of that, if `forward`. Raises as `find`."""
    graph = lineage_graph()
    found = find(graph, what)
    if forward:
        made = {one for node in found.nodes for one in writers(graph, node)}
        add_goals(graph, made.union(used_by(graph, found.nodes)))
    return graph, found


def around(graph: Graph, found: Found, back: bool = True, forward: bool = True) -> Graph:
    """The nodes with all that led to them, and all that came of them."""
    parts = [made_of(graph, *found)] * back + [used_by(graph, found.nodes)] * forward
    return networkx.compose_all(parts)


def as_json(graph: Graph) -> str:
    """A graph as its nodes, by numbers, and its edges."""
    nodes, edges = numbered(graph)
    told = {"nodes": [{"id": number, **node} for number, node in enumerate(nodes)], "edges": edges}
    return json.dumps(told, indent=2, default=str)


def numbered(graph: Graph) -> tuple[list[dict[str, Any]], list[dict[str, int]]]:
    """What is known of each node, in order, and the edges by the numbers of their nodes."""
    numbers = {node: number for number, node in enumerate(graph)}
    edges = [{"source": numbers[source], "target": numbers[target]} for source, target in graph.edges]
    return [facts(graph, node) for node in graph], edges
