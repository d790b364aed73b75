"""The plots of dvc.yaml as one page, a branch's beside its base's: drawn by Vega, without a browser or the web."""

import re
from pathlib import Path
from typing import Any

from labkit.dvc_adapter.repository import Project
from labkit.dvc_adapter.results import drawn_plots
from labkit.paths import lies_in
from labkit.process.files import replacing

UNDRAWABLE = re.compile("b|f|u00(0[0-8bcef]|1[0-9a-f])|uff(fe|ff)")  # as JSON escapes them

PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>Plots against {base}</title>
<style>body {{ font: 16px sans-serif; margin: 2em; background: #fff; color: #222 }} svg {{ max-width: 100% }}</style>
<h1>Plots against {base}</h1>
{figures}
</html>
"""


def write_drawings(project: Project, base: str, missing: list[str], file: Path) -> bool:
    """Write the plots that are here and not `missing`, and those of the commit `base`; whether there are any."""
    revisions = {base: f"base ({base[:7]})", "workspace": "this branch"}
    plots = [one for one in drawn_plots(project, revisions) if one.specification]
    shown = [one for one in plots if Path(one.file).exists() and not lies_in(one.file, missing)]
    figures = [f"<figure>{svg_of(plot.specification)}</figure>" for plot in shown]
    if figures:
        with replacing(file) as beside:
            beside.write_text(PAGE.format(base=base[:7], figures="\n".join(figures)), encoding="utf-8")
    return bool(figures)


def svg_of(specification: str, **look: Any) -> str:
    """A plot as SVG. No address is asked for data: somebody's own template may name one."""
    import vl_convert  # 30 MB, and only for this

    svg: str = vl_convert.vegalite_to_svg(drawable(specification), allowed_base_urls=[], **look)
    return svg


def drawable(specification: str) -> str:
    """A plot's JSON without the characters that XML, and so SVG, can't hold."""

    def escape(found: re.Match[str]) -> str:
        return "\\ufffd" if UNDRAWABLE.fullmatch(found[1]) else found[0]

    return re.sub(r"\\(u.{4}|.)", escape, specification)
