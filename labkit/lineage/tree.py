"""The lineage of something as a tree in the terminal: what made it, and what was made of it."""

from collections.abc import Callable, Iterable

from rich.markup import escape
from rich.tree import Tree

from labkit.lineage.around import made_of, used_by, writers
from labkit.lineage.find import Found
from labkit.lineage.graph import File, Graph, Made, Node
from labkit.lineage.words import title


def tree_of(graph: Graph, found: Found, back: bool = True, forward: bool = True) -> Tree:
    """A branch for each node, with all that led to it and all that came of it; what is there already only once."""
    whole = Tree("", hide_root=True)
    for node in sorted(found.nodes, key=str):
        top = whole.add(_label(graph, node))
        if isinstance(node, File) and (others := len(writers(graph, node)) - 1) > 0:
            top.add(f"[dim]the same bytes came of {others} other result{'s' * (others > 1)}[/]")
        if back:
            _grow(top, "made of", graph, node, made_of(graph, [node], found.lock).predecessors)
        if forward:
            _grow(top, "used by", graph, node, used_by(graph, [node]).successors)
    return whole


def _grow(top: Tree, words: str, graph: Graph, node: Node, step: Callable[[Node], Iterable[Node]]) -> None:
    branch = Tree(f"[dim]{words}[/]")
    _add(branch, graph, node, step, {node})
    if branch.children:
        top.children.append(branch)


def _add(branch: Tree, graph: Graph, node: Node, step: Callable[[Node], Iterable[Node]], seen: set[Node]) -> None:
    following = sorted(step(node), key=str)
    for one in (one for one in following if not _is_code(one)):
        if one in seen:
            branch.add(f"{_label(graph, one)} [dim](above)[/]")
            continue
        seen.add(one)
        _add(branch.add(_label(graph, one)), graph, one, step, seen)
    if code := [one.path for one in following if isinstance(one, File) and one.is_code]:
        branch.add(f"[dim]code: {escape(', '.join(code))}[/]")


def _label(graph: Graph, node: Node) -> str:
    """A node as a line with colours."""
    name, more = title(graph, node)
    style = {File: "cyan", Made: "bold"}.get(type(node), "bold green")
    return f"[{style}]{escape(name)}[/] [dim]{escape(more)}[/]"


def _is_code(node: Node) -> bool:
    return isinstance(node, File) and node.is_code
