"""The pictures of a report: plots as SVG files, and the lineage as Mermaid's text, which GitHub draws."""

import re
from pathlib import Path

from labkit.lineage.nodes import Graph
from labkit.lineage.picture import mermaid, refuse_large, without_code
from labkit.lineage.show import around, lineage_of
from labkit.process.errors import InputError
from labkit.site.plots import plots_of

LONGEST_NAME = 50
# A file by itself, on whichever page: it says what it is, and stands on white.
HEAD = (
    '<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" '
    'style="background:#fff;color:#24292f" font-family="Arial, Liberation Sans, sans-serif"'
)


def pictures_of(commit: str) -> tuple[dict[str, tuple[str, bytes]], list[str]]:
    """The plots of a commit that can be drawn, by file name, each with what it is drawn from; and what can't."""
    plots, unknown = plots_of({commit: commit[:7]})
    found: dict[str, tuple[str, bytes]] = {}
    for plot in (plot for plot in plots if plot.svg):
        stem = slug(str(Path(plot.file).with_suffix("").as_posix()).removeprefix("artifacts/")) or "plot"
        name = next(name for name in _names(stem) if name not in found)
        found[name] = (plot.file, f"{_renumbered(plot.svg).replace('<svg', HEAD, 1)}\n".encode())
    return found, unknown


def lineage_text(commit: str) -> str:
    """What a commit's results were made of, as Mermaid's text; nothing where that is unknown or too large."""
    try:
        graph, found = lineage_of(commit, forward=False)
        return mermaid(refuse_large(_sorted(without_code(around(graph, found, forward=False)))))
    except InputError:
        return ""


def slug(text: str) -> str:
    """Text as a part of a file's name: its first words."""
    words = re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")
    return words if len(words) <= LONGEST_NAME else words[: LONGEST_NAME + 1].rpartition("-")[0] or words[:LONGEST_NAME]


def _renumbered(svg: str) -> str:
    """An SVG whose ids are counted from 0: Vega counts on over all that a process draws."""
    ids = dict.fromkeys(re.findall(r'\bid="([a-z_]+\d+)"', svg))
    numbers = {name: f"{name.rstrip('0123456789')}{number}" for number, name in enumerate(ids)}
    return re.sub(r'(\bid="|url\(#)([a-z_]+\d+)', lambda found: found[1] + numbers.get(found[2], found[2]), svg)


def _names(stem: str) -> list[str]:
    return [f"{stem}.svg", *(f"{stem}-{number}.svg" for number in range(2, 1000))]


def _sorted(graph: Graph) -> Graph:
    """The graph in an order that other branches' commits do not change."""
    found = Graph()
    found.add_nodes_from(sorted(graph.nodes(data=True), key=lambda node: repr(node[0])))
    found.add_edges_from(sorted(graph.edges, key=repr))
    return found
