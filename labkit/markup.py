"""Pages and pictures, filled in."""

from pathlib import Path
from typing import Any

from jinja2 import Environment, StrictUndefined


def filled(template: Path, **given: Any) -> str:
    """The text of a template. Whatever is given is text, unless the template says `safe`."""
    page = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    return page.from_string(template.read_text(encoding="utf-8")).render(given)
