"""The lineage of something as a picture: Mermaid's text, which GitHub draws, or SVG."""

from pathlib import Path
from typing import Any

import networkx

from labkit.lineage.nodes import File, Graph, Made
from labkit.lineage.words import title
from labkit.markup import filled
from labkit.process.errors import InputError

TEMPLATE = Path(__file__).with_name("picture.svg")
LETTER, LINE, GAP_X, GAP_Y, PAD = 7.2, 18, 60, 14, 10  # of a box, in pixels
LONGEST = 48  # letters of a line
MOST_BOXES = 300

Box = dict[str, Any]  # its lines of text, its kind, its place and its size


def mermaid(graph: Graph) -> str:
    """The graph as Mermaid's text: results are boxes, files are round, versions and promotions have six corners."""
    shapes = {File: ("([", "])"), Made: ("[", "]")}
    ids = {node: f"n{number}" for number, node in enumerate(graph)}
    lines = ["flowchart LR"]
    for node, name in ids.items():
        before, after = shapes.get(type(node), ("{{", "}}"))
        words = "<br>".join(_quoted(text) for text in title(graph, node) if text)
        lines.append(f'    {name}{before}"{words}"{after}')
    lines += [f"    {ids[a]} --> {ids[b]}" for a, b in graph.edges]
    return "\n".join(lines) + "\n"


def svg(graph: Graph) -> str:
    """The graph as SVG, in columns from left to right; it follows the reader's light or dark setting."""
    boxes = _laid_out(graph)
    lines = [_line(boxes[a], boxes[b], list(boxes.values())) for a, b in graph.edges]
    width = max((box["x"] + box["width"] for box in boxes.values()), default=0) + PAD
    height = max([*(lane for _, lane in lines), *map(_bottom, boxes.values())], default=0) + PAD
    drawn = [line for line, _ in lines]
    return filled(TEMPLATE, boxes=list(boxes.values()), lines=drawn, width=round(width), height=round(height))


def without_code(graph: Graph) -> Graph:
    """The graph without its files of code, which are many and the same everywhere."""
    kept = [node for node in graph if not (isinstance(node, File) and node.is_code)]
    return networkx.DiGraph(graph.subgraph(kept))


def refuse_large(graph: Graph) -> Graph:
    """The graph; raises InputError for one with more boxes than anybody can look at."""
    if len(graph) > MOST_BOXES:
        raise InputError(f"the picture would have {len(graph)} boxes; ask with --back, or of a newer file or version")
    return graph


def _laid_out(graph: Graph) -> dict[Any, Box]:
    """A box for each node: column by column, in each by the places of those that it was made of."""
    order = networkx.DiGraph(graph)
    while not networkx.is_directed_acyclic_graph(order):  # a stage that once read what it wrote another time
        order.remove_edge(*networkx.find_cycle(order)[0][:2])
    boxes: dict[Any, Box] = {}
    x = float(PAD)
    for number, column in enumerate(networkx.topological_generations(order)):
        y = float(PAD)
        made_here: list[Box] = []
        for node in sorted(column, key=lambda one: _place(order, one, boxes)):
            lines = [_cut(text) for text in title(graph, node) if text]
            box: Box = {"lines": lines, "kind": type(node).__name__.lower(), "x": x, "y": y, "column": number}
            box |= {"width": max(map(len, lines)) * LETTER + 2 * PAD, "height": len(lines) * LINE + PAD}
            boxes[node] = box
            made_here.append(box)
            y += box["height"] + GAP_Y
        x += max(box["width"] for box in made_here) + GAP_X
    return boxes


def _place(graph: Graph, node: Any, boxes: dict[Any, Box]) -> tuple[float, str]:
    above = [boxes[one]["y"] for one in graph.predecessors(node)]
    return (sum(above) / len(above) if above else 0.0), str(node)


def _line(a: Box, b: Box, boxes: list[Box]) -> tuple[str, float]:
    """The line from one box to another, and how far down it leads: below the boxes of the columns between them."""
    x, y, to_x, to_y = a["x"] + a["width"], _middle(a), b["x"], _middle(b)
    between = [_bottom(box) for box in boxes if a["column"] < box["column"] < b["column"]]
    half = GAP_X / 2
    if not between:
        return f"M{x},{y} C{x + half},{y} {to_x - half},{to_y} {to_x},{to_y}", 0.0
    lane = max(between) + GAP_Y / 2
    down = f"C{x + half},{y} {x + half},{lane} {x + GAP_X},{lane}"
    up = f"C{to_x - half},{lane} {to_x - half},{to_y} {to_x},{to_y}"
    return f"M{x},{y} {down} L{to_x - GAP_X},{lane} {up}", lane


def _bottom(box: Box) -> float:
    return float(box["y"] + box["height"])


def _middle(box: Box) -> float:
    return float(box["y"] + box["height"] / 2)


def _cut(text: str) -> str:
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"


def _quoted(text: str) -> str:
    """Escape text for Mermaid."""
    return "".join(one if one.isalnum() or one in " ._/-=,:@" else f"#{ord(one)};" for one in _cut(text))
