"""The metrics and plots that dvc.yaml declares."""

import json
from collections.abc import Mapping
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
    """A plot of several revisions: a file that it comes from; for Vega-Lite, as JSON, or images as `data:`, by name."""

    file: str
    specification: str
    images: dict[str, str]


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


def drawn_plots(project: Project, revisions: Mapping[str, str]) -> list[DrawnPlot]:
    """The plots of revisions and of the `workspace`, as far as their files can be read, all of them in one drawing.

    `revisions` has what each is called there. What a remote raises, where the cache lacks them, is raised.
    """
    repo: Any = project
    found = []
    for renderer, _, _ in match_defs_renderers(repo.plots.show(revs=list(revisions))):
        files = {row["filename"] for row in renderer.datapoints}
        if not files:
            continue
        if isinstance(renderer, ImageRenderer):
            images = {revisions[row["rev"]]: row["src"] for row in renderer.datapoints}
            found.append(DrawnPlot(min(files), "", images))
        elif isinstance(renderer, VegaRenderer):
            specification = json.dumps(renderer.get_filled_template())
            for rev, name in revisions.items():  # of rows, and in the legend
                specification = specification.replace(json.dumps(rev), json.dumps(name))
            found.append(DrawnPlot(min(files), specification, {}))
    return found
