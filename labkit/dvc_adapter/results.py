"""The metrics and plots that dvc.yaml declares."""

from typing import Any, NamedTuple

from dvc.render.match import match_defs_renderers
from dvc_render import ImageRenderer

from labkit.dvc_adapter.repository import Project


class DeclaredPlot(NamedTuple):
    """A plot of dvc.yaml: its title and axes, and its rows, each with its file at `filename`, its column at `field`."""

    properties: dict[str, Any]
    rows: list[dict[str, Any]]
    is_image: bool


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
