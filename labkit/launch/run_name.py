"""Name a run by its process, and by the parameters that differ from its last result."""

import re
from typing import Any

from labkit.declared import declared_sections
from labkit.paths import PROCESSES, ROOT
from labkit.process.credentials import without_credentials
from labkit.process.errors import InputError
from labkit.process.flat import flattened

MOST_CHANGES = 3
LONGEST_VALUE = 30


def name_of_run(process: str) -> str:
    """The name of a process's run: `train lr=0.01`, where dvc.lock has another lr; else the process's own."""
    try:
        return " ".join([process, *changes(recorded_params(process), present_params(process))])
    except (InputError, OSError, AttributeError, TypeError):  # the process itself tells what is wrong
        return process


def changes(before: dict[str, Any], now: dict[str, Any]) -> list[str]:
    """The parameters that differ, without their sections; nothing where there is no result to differ from."""
    old, new = flattened(before), flattened(now)
    told = [
        f"{key.partition('.')[2] or key}={without_credentials(str(value))[:LONGEST_VALUE]}"
        for key, value in new.items()
        if old and (key not in old or (value != old[key] and str(value) != str(old[key])))  # nan is not itself
    ]
    return told[:MOST_CHANGES] + (["..."] if len(told) > MOST_CHANGES else [])


def present_params(process: str) -> dict[str, Any]:
    """The sections of params.yaml that the process declares."""
    from labkit.process.strict_yaml import load_yaml

    content = load_yaml(ROOT / "params.yaml")
    return {name: content[name] for name in sorted(declared_sections(PROCESSES / process / "params.py"))}


def recorded_params(process: str) -> dict[str, Any]:
    """The sections that its last result was made with; none where dvc.lock has no result."""
    lock = ROOT / "dvc.lock"
    if not lock.exists():
        return {}
    from labkit.dvc_adapter.written_yaml import parse_written  # the launcher first looks whether its packages are there

    stages = parse_written(lock.read_text(encoding="utf-8"), "dvc.lock").get("stages", {})
    command = re.compile(rf"\blabkit\.launch\s+{re.escape(process)}(\s|$)")
    found = [stage for stage in stages.values() if command.search(str(stage.get("cmd", "")))]
    return dict(found[0].get("params", {}).get("params.yaml", {})) if found else {}
