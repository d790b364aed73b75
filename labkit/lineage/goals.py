"""The goals that results were judged by, as Git alone tells: those of the commit, and its copies of the results."""

from collections.abc import Iterable

from labkit.lineage.around import time_of
from labkit.lineage.nodes import Graph, Judged, Made, Node
from labkit.paths import lies_in
from labkit.publish.claims import verdicts_of


def add_goals(graph: Graph, nodes: Iterable[Node]) -> None:
    """Add to the graph how goals judged the results among the nodes; of bytes that came twice, how the newest did."""
    made = [node for node in nodes if isinstance(node, Made) and graph.nodes[node]["commits"]]
    made.sort(key=lambda one: time_of(graph, one))
    commits = {one: graph.nodes[one]["commits"][0].name for one in made}
    names = list(dict.fromkeys(commits.values()))
    judged = dict(zip(names, verdicts_of(names), strict=True))
    for one in made:
        for verdict in judged[commits[one]]:
            for out in (out for out in one.files("outs") if lies_in(verdict.goal.file, [out.path])):
                node = Judged(verdict.goal.goal, out)
                graph.add_node(node, verdict=verdict)
                graph.add_edge(out, node)
