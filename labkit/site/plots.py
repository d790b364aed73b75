"""The plots of a commit, drawn over those of the one before: as SVG in the colours of the page, and images as files."""

import json
import re
from base64 import b64decode
from collections.abc import Iterator, Mapping
from contextlib import redirect_stderr
from hashlib import sha256
from io import StringIO
from pathlib import Path
from typing import Any, NamedTuple

from labkit.dvc_adapter.repository import open_project
from labkit.dvc_adapter.results import DrawnPlot, drawn_plots
from labkit.report.drawings import svg_of
from labkit.report.page import differs_in_git, recorded_outs

INK = "currentColor"  # of the page, by day and by night
NOW, BEFORE = "#2f81c7", "#98a1ab"  # distinct on white and on black
HEIGHT, BAR = 200, {"step": 20, "for": "position"}
QUIET = {"domain": False, "ticks": False, "labelColor": INK, "titleColor": INK, "gridColor": INK, "gridOpacity": 0.12}
LOOK: dict[str, Any] = {
    "background": "transparent",
    "view": {"stroke": None},
    "font": "Arial, Liberation Sans, sans-serif",  # as wide as the layout assumes: text in others is clipped
    "axis": QUIET | {"titleFontWeight": "normal", "labelLimit": 160},
    "legend": {"labelColor": INK, "title": None, "orient": "top", "gradientLength": 100},
    "title": {"color": INK, "fontWeight": 600, "fontSize": 12, "anchor": "start"},
    "header": {"labelColor": INK, "title": None},
}
# Nothing reads these, and the page's security policy would complain of them.
UNUSED = re.compile(r' (?:style|class|pointer-events|aria-[a-z]+|role|xmlns(?::\w+)?|version)="[^"]*"| opacity="1"')
EMPTY = re.compile(r'<path(?: aria-hidden="true")? d="M0,0h0v0h0Z"/>|<g></g>')
LONG = re.compile(r"(\d\.\d\d)\d+")


class Plot(NamedTuple):
    """A plot by a file that it comes from: as SVG, or the image's name and its bytes."""

    file: str
    svg: str
    image: str = ""
    content: bytes = b""


def plots_of(names: Mapping[str, str]) -> tuple[list[Plot], list[str]]:
    """The plots of a commit, the last of `names`, drawn over those of the others; and what can't be drawn.

    `names` has what each is called. Plots that Git has with other bytes than dvc.lock records are left out. Raises
    InputError where DVC can't read a commit.
    """
    *_, commit = names
    with open_project(remote=False) as project, redirect_stderr(StringIO()):  # DVC tells there what is not here
        drawn = drawn_plots(project, names)
    recorded = {rev: recorded_outs(rev) for rev in names}
    own = [one for one in drawn if not any(differs_in_git(rev, one.file, recorded[rev]) for rev in names)]
    found, unknown = list[Plot](), list[str]()
    for one in own:
        try:
            found += _plots(one, names[commit])
        except ValueError as error:  # of a template that is none
            unknown.append(f"the plot of {one.file} can't be drawn: {str(error).splitlines()[0]}")
    return found, unknown


def _plots(drawn: DrawnPlot, name: str) -> Iterator[Plot]:
    if drawn.specification:
        yield Plot(drawn.file, smaller(svg_of(_calm(drawn.specification), config=LOOK)))
    elif name in drawn.images:
        image = b64decode(drawn.images[name].partition(",")[2])
        yield Plot(drawn.file, "", f"{sha256(image).hexdigest()[:20]}{Path(drawn.file).suffix}", image)


def _calm(specification: str) -> str:
    """A plot of DVC's templates, less high, in the page's colours, with the counts that a mouse would show."""

    def calm(part: dict[str, Any]) -> dict[str, Any]:
        if part.get("height") == part.get("width") == 300:
            part = part | {"height": BAR if part.get("mark") == {"type": "bar"} else HEIGHT}
        if isinstance(domain := part.get("domain"), list) and "range" in part:
            part = part | {"range": [BEFORE, NOW][-len(domain) :]}
        if part.get("name") == "showValues":
            part = part | {"value": True}
        return {name: value for name, value in part.items() if (name, value) != ("anchor", "middle")}

    return json.dumps(json.loads(specification, object_hook=calm))


def smaller(svg: str) -> str:
    """An SVG without what no reader needs, in the page's font."""
    return LONG.sub(r"\1", EMPTY.sub("", UNUSED.sub("", svg)))
