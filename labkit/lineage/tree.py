"""The lineage of something as a tree in the terminal: what made it, and what was made of it."""

from collections import Counter
from collections.abc import Callable, Iterable
from typing import NamedTuple

import networkx
from rich.markup import escape
from rich.tree import Tree

from labkit.lineage.around import made_of, time_of, used_by, writers
from labkit.lineage.named import Found
from labkit.lineage.nodes import File, Graph, Made, Node, Registered
from labkit.lineage.words import SHORT, facts, title
from labkit.process.flat import flattened

DEEPEST = 100  # levels; a pipeline of more stages than that is a graph for `--json`
MOST = 3  # results of a stage that are shown of all that read a file: the newest, and what a version came of


class _Walk(NamedTuple):
    """A way through the graph: where it leads from a node, what was shown already, and what is never left out."""

    graph: Graph
    step: Callable[[Node], Iterable[Node]]
    seen: set[Node]
    kept: set[Node]
    is_back: bool


def lineage_tree(graph: Graph, found: Found, back: bool = True, forward: bool = True) -> Tree:
    """A branch for each node, with all that led to it and all that came of it; what is there already only once."""
    whole = Tree("", hide_root=True)
    seen_back, seen_forward = set[Node](), set[Node]()
    registered = [node for node in graph if isinstance(node, Registered)]
    kept = set[Node]().union(*(networkx.ancestors(graph, node) for node in registered))
    for node in sorted(found.nodes, key=lambda node: (-_ancestors_among(graph, node, found.nodes), _rank(graph, node))):
        top = Tree(_label(graph, node))
        if back and (others := len(writers(graph, node)) - 1) > 0:
            top.add(f"[dim]the same bytes came of {others} other result{'s' * (others > 1)}[/]")
        if back and node not in seen_back:
            led = made_of(graph, [node], found.lock)
            _grow(top, "made of", node, _Walk(graph, led.predecessors, seen_back, {*led}, is_back=True))
        if forward and node not in seen_forward:
            step = used_by(graph, [node]).successors
            _grow(top, "used by", node, _Walk(graph, step, seen_forward, kept, is_back=False))
        if top.children or len(found.nodes) == 1:
            whole.children.append(top)
    return whole


def _ancestors_among(graph: Graph, node: Node, nodes: Iterable[Node]) -> int:
    """How many of the nodes led to one: what comes last in the pipeline shows most of the others above them."""
    return len(networkx.ancestors(graph, node).intersection(nodes))


def _grow(top: Tree, words: str, node: Node, walk: _Walk) -> None:
    branch = Tree(f"[dim]{words}[/]")
    walk.seen.add(node)
    _add(branch, node, walk)
    if branch.children:
        top.children.append(branch)


def _add(branch: Tree, node: Node, walk: _Walk, depth: int = 0) -> None:
    graph = walk.graph
    if depth == DEEPEST:
        branch.add("[dim]and so on: `--json` has all[/]")
        return
    following = sorted(walk.step(node), key=lambda one: _rank(graph, one))
    aside = [one for one in following if isinstance(one, File) and (one.is_code or _is_last(graph, one))]
    following = [one for one in following if one not in aside]
    shown = _newest(following, walk.kept)
    for one in shown:
        if one in walk.seen:
            branch.add(f"{_label(graph, one)} [dim](above)[/]")
            continue
        walk.seen.add(one)
        _add(branch.add(_label(graph, one)), one, walk, depth + 1)
    if isinstance(node, Made):
        _add_rest(branch, graph, node, aside, walk.is_back)
    if more := len(following) - len(shown):
        branch.add(f"[dim]and {more} older result{'s' * (more > 1)}: `--json` has all[/]")


def _newest(nodes: list[Node], kept: set[Node]) -> list[Node]:
    """The nodes in their order, of the results of each stage the newest alone, and those to be kept."""
    shown: Counter[str] = Counter()
    found = []
    for node in nodes:
        if isinstance(node, Made):
            shown[node.stage] += 1
        if not isinstance(node, Made) or shown[node.stage] <= MOST or node in kept:
            found.append(node)
    return found


def _add_rest(branch: Tree, graph: Graph, made: Made, files: list[File], is_back: bool) -> None:
    """What is told of a result in few words: the code it is of and its parameters, or the files that nothing reads."""
    told = ", ".join(f"{file.path} {file.md5[:SHORT]}" for file in files)
    if files:
        branch.add(f"[dim]{'code' if files[0].is_code else 'also'}: {escape(told)}[/]")
    if is_back and (params := flattened(facts(graph, made)["params"])):
        branch.add(f"[dim]parameters: {escape(', '.join(f'{key}={value}' for key, value in params.items()))}[/]")


def _is_last(graph: Graph, file: File) -> bool:
    """Whether a file was made, and nothing of it."""
    return bool(graph.in_degree(file) > 0 and graph.out_degree(file) == 0)


def _label(graph: Graph, node: Node) -> str:
    """A node as a line with colours."""
    name, more = title(graph, node)
    style = {File: "cyan", Made: "bold"}.get(type(node), "bold green")
    return f"[{style}]{escape(name)}[/] [dim]{escape(more)}[/]"


def _rank(graph: Graph, node: Node) -> tuple[bool, float, str]:
    """What was registered first, then the newest results, then files by their paths."""
    return isinstance(node, File | Made), -time_of(graph, node) if isinstance(node, Made) else 0.0, str(node)
