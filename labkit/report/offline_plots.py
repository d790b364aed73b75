"""`dvc plots show` without the web: a page for DVC's plots that holds the library that draws them.

    python -m labkit.report.offline_plots     what `make hooks` calls

DVC's own page loads Vega from the web. https://dvc.org/doc/user-guide/project-structure/configuration#plots
"""

from labkit.dvc_adapter.settings import settings_file, settings_of, write_settings
from labkit.process.files import replacing

NAME = "plots.html"  # beside .dvc/config.local, which names it; ignored by Git as that is
VEGA_LITE = "5.21"  # the newest of DVC's templates' version that vl-convert has

# In a block of its own: the library's names are not the page's.
PAGE = """<!doctype html>
<html>
<head>
<meta charset="utf-8">
{refresh_tag}
<title>DVC Plot</title>
<style>table { border-spacing: 15px }</style>
<script>(() => { LIBRARY })()</script>
</head>
<body>
{plot_divs}
</body>
</html>
"""


def install() -> None:
    """Write the page, and have DVC use it in this clone. Raises InputError when DVC's settings are wrong."""
    import vl_convert  # 30 MB, and only for what is drawn

    local = settings_of("local")
    library = vl_convert.javascript_bundle("window.vegaEmbed = vegaEmbed;", vl_version=VEGA_LITE)
    with replacing(settings_file("local").with_name(NAME)) as beside:
        beside.write_text(PAGE.replace("LIBRARY", library), encoding="utf-8")
    write_settings("local", local | {"plots": local.get("plots", {}) | {"html_template": NAME}})


if __name__ == "__main__":
    install()
