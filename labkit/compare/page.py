"""A comparison as a page by itself: nothing of it comes from the web, and it has no script."""

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from labkit.compare.gather import Found, is_of_another_target, outputs
from labkit.compare.sections import as_sections
from labkit.compare.sides import fetch
from labkit.dvc_adapter.repository import open_project
from labkit.dvc_adapter.results import DrawnPlot, drawn_plots
from labkit.markup import filled
from labkit.pipeline.remote_watchdog import while_remote_answers
from labkit.process.credentials import without_credentials
from labkit.process.files import replacing
from labkit.registry.settings import stages_of
from labkit.report.drawings import svg_of
from labkit.report.page import LOOK_SECONDS, differs_in_git, recorded_outs

TEMPLATE = Path(__file__).with_name("page.html")


def write_page(found: Found, file: Path) -> None:
    """Write the page. What its plots lack is told there."""
    plots, unknown = _plots(found)
    same = [plot.file for plot in plots if len(plot.images) == 2 and len({*plot.images.values()}) == 1]
    figures: list[dict[str, Any]] = [
        {
            "file": plot.file,
            "svg": svg_of(plot.specification) if plot.specification else "",
        }
        | {"images": plot.images}
        for plot in plots
        if plot.file not in same
    ]
    given = {"a": found.a, "b": found.b, "unknown": [*found.unknown, *unknown], "figures": figures, "same": same}
    text = filled(TEMPLATE, sections=as_sections(found), **given)
    with replacing(file) as beside:
        beside.write_text(text, encoding="utf-8")


def _plots(found: Found) -> tuple[list[DrawnPlot], list[str]]:
    """The plots of both sides, as far as they are those of dvc.lock; and why others are not there, a line each.

    Where the two predict different columns, they are those of B alone.
    """
    sides = {"B": found.b} if is_of_another_target(found) else {"A": found.a, "B": found.b}
    names = {side.commit: f"{letter} ({side.commit[:7]})" for letter, side in sides.items()}
    recorded = {commit: recorded_outs(commit) for commit in names}
    with TemporaryDirectory() as folder:
        unknown = [
            line
            for side in sides.values()
            for line in fetch(side, outputs(stages_of(side.commit), "plots"), Path(folder, side.commit))
        ]

    def draw() -> list[DrawnPlot]:
        with open_project() as project:
            return drawn_plots(project, names)

    try:
        plots = while_remote_answers(draw, LOOK_SECONDS, 1)
    except RuntimeError as error:
        return [], [*unknown, f"the plots are not available: {without_credentials(str(error))}"]
    theirs = [one for one in plots if not any(differs_in_git(rev, one.file, recorded[rev]) for rev in names)]
    return theirs, unknown
