"""The lineage of something as two tables, for notebooks.

from labkit.lineage.frames import lineage

nodes, edges = lineage("artifacts/best_model/metrics.json")
"""

import pandas as pd

from labkit.lineage.nodes import Graph, Node
from labkit.lineage.show import around, lineage_of
from labkit.lineage.words import facts


def lineage(what: str) -> tuple[pd.DataFrame, pd.DataFrame]:
    """All that led to `what`, and all that came of it: a row for each node, and for each edge (`source`, `target`).

    The index of the nodes is what the edges name. Raises InputError as `find`.
    """
    return tables(around(*lineage_of(what)))


def tables(graph: Graph) -> tuple[pd.DataFrame, pd.DataFrame]:
    """A graph as its nodes and its edges."""
    numbers: dict[Node, int] = {node: number for number, node in enumerate(graph)}
    nodes = pd.DataFrame([facts(graph, node) for node in graph], index=pd.RangeIndex(len(numbers)))
    edges = [(numbers[source], numbers[target]) for source, target in graph.edges]
    return nodes, pd.DataFrame(edges, columns=["source", "target"])
