"""The pages' templates, with the style and the script in each page: it then needs no other file, and the web never."""

from base64 import b64encode
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

FOLDER = Path(__file__).parent / "templates"


def render(template: str, **given: Any) -> str:
    """A page. Whatever is given is text: only the page's own style and script, and drawn plots, are markup."""
    return _environment().get_template(template).render(given)


@cache
def _environment() -> Environment:
    made = Environment(
        loader=FileSystemLoader(FOLDER),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    for name in ("style.css", "table.js"):
        text = (FOLDER / name).read_text(encoding="utf-8")
        kind = name.partition(".")[0]
        made.globals |= {kind: text, f"{kind}_hash": f"sha256-{b64encode(sha256(text.encode()).digest()).decode()}"}
    return made
