"""The verbs of the runtimes, which join those of labkit: `python -m lab --help`."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from labkit.cli import app


@app.command()
def krt(
    model: Annotated[str, typer.Argument(help="`champion` or a version, such as v2.")] = "champion",
    to: Annotated[Path, typer.Option(help="The folder to write to.")] = Path("dist"),
    image: Annotated[str, typer.Option(help="The image that the model's node runs in.")] = "",
    check: Annotated[Path | None, typer.Option(help="Say what is wrong with this .krt or KAI product.")] = None,
) -> None:
    """Write a registered version of the model as a .krt for KRE v2, and as a KAI product."""
    from labkit.registry.models import find_model
    from runtimes.krt.build import build
    from runtimes.krt.check import problems

    if check:
        found = problems(check)
        print("\n".join(found) or f"{check}: nothing is wrong")
        sys.exit(int(bool(found)))
    print("\n".join(map(str, build(find_model(model), to, image))))
