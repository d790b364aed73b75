"""The metrics and plots that dvc.yaml declares."""

import json
from typing import Any, NamedTuple

from dvc.render.match import match_defs_renderers
from dvc_render import ImageRenderer, VegaRenderer

from labkit.dvc_adapter.repository import Project


class DeclaredPlot(NamedTuple):
    """A plot of dvc.yaml: its title and axes, and its rows, each with its file at `filename`, its column at `field`."""

    properties: dict[str, Any]
    rows: list[dict[str, Any]]
    is_image: bool


class DrawnPlot(NamedTuple):
    """A plot as Vega-Lite draws it: a file that its rows come from, its specification as JSON."""

    file: str
    specification: str


def metrics_of(project: Project, rev: str) -> dict[str, Any]:
    """The content of each metrics file of a revision, or of the `workspace`; what can't be read has none.

    What a remote raises, where the cache lacks them, is raised.
    """
    repo: Any = project
    shown = repo.metrics.show(revs=[rev], hide_workspace=False).get(rev, {})
    return {file: read.get("data") for file, read in shown.get("data", {}).items()}


def declared_plots(project: Project) -> list[DeclaredPlot]:
    """The plots whose files can be read, in the workspace or the cache."""
    repo: Any = project
    return [
        DeclaredPlot(renderer.properties, renderer.datapoints, isinstance(renderer, ImageRenderer))
        for renderer, _, _ in match_defs_renderers(repo.plots.show())
    ]


def drawn_plots(project: Project, base: str) -> list[DrawnPlot]:
    """The plots with rows, those of the workspace and of the commit `base` in one drawing, as far as they are here."""
    repo: Any = project
    found = []
    for renderer, _, _ in match_defs_renderers(repo.plots.show(revs=[base, "workspace"])):
        if isinstance(renderer, VegaRenderer):
            files = {row["filename"] for row in renderer.datapoints}
            specification = json.dumps(renderer.get_filled_template())
            for rev, name in ((base, f"base ({base[:7]})"), ("workspace", "this branch")):  # of rows, and in the legend
                specification = specification.replace(json.dumps(rev), json.dumps(name))
            found.append(DrawnPlot(min(files), specification))
    return found
