"""The stage of dvc.yaml that DVC runs here, as far as a process has to know it."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from labkit.process.run_file import RUN_FILE_VARIABLE, run_file_in


def stage_here(root: Path) -> tuple[str, Mapping[str, Any]]:
    """Its name and its entry in dvc.yaml; nothing where DVC runs none. Raises InputError for a spoilt dvc.yaml."""
    from labkit.process.strict_yaml import load_yaml  # the launcher first looks whether its packages are there

    name = os.environ.get("DVC_STAGE", "")
    path = root / "dvc.yaml"
    content = load_yaml(path) if name and path.exists() else None
    stages = content.get("stages") if isinstance(content, dict) else None
    stage = stages.get(name.partition("@")[0]) if isinstance(stages, dict) else None  # after @, which of a `matrix`
    return name, stage.get("do", stage) if isinstance(stage, dict) else {}


def run_file_variable(root: Path) -> dict[str, str]:
    """The variable that tells a process where to write its run.json; none where its stage has no such output."""
    name, stage = stage_here(root)
    outs = [out if isinstance(out, str) else next(iter(out), "") for out in stage.get("outs") or ()]
    if not (written := run_file_in(outs)):
        return {}
    place = f"{stage.get('wdir', '.')}/{written}"
    if "${" in place:  # a variable, or of a `foreach` or `matrix`
        place = run_file_in(_outputs(name))
    return {RUN_FILE_VARIABLE: str(root / place)}


def _outputs(stage: str) -> list[str]:
    """The paths from the root of what a stage writes, as DVC reads dvc.yaml."""
    from labkit.dvc_adapter.repository import open_project  # DVC takes most of a second to import
    from labkit.dvc_adapter.states import declared_here

    with open_project() as project:
        return declared_here(project)[stage].outs
