"""What the stage of a process reads, noted before the process begins: labkit/process/inputs.py compares as it ends."""

import json
import os
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from labkit.dvc_adapter.command_line import dvc
from labkit.launch.stage import stage_here
from labkit.process.errors import InputError
from labkit.process.files import read_json, write_json
from labkit.process.inputs import INPUTS_VARIABLE, digest, states


def note_inputs(note: Path, root: Path) -> dict[str, str]:
    """Note what the stage that DVC runs here reads, as it is now; return the variable that names the note.

    Raises InputError when dvc.yaml is spoilt, and OSError when the note can't be written.
    """
    name, stage = stage_here(root)
    if not stage:
        return {}
    base = root / str(stage.get("wdir", "."))
    deps = [dep if isinstance(dep, str) else next(iter(dep)) for dep in stage.get("deps") or ()]
    params = [(str(base / file), keys) for file, keys in _params(stage)]
    places = [str(base / place) for place in deps] + [file for file, _ in params]
    noted = {"name": name, "root": str(root), "places": places, "params": params}
    write_json(note, noted | {"states": states(places), "values": _values(params)})
    return {INPUTS_VARIABLE: str(note)}


def edited(note: Path) -> list[str]:
    """The inputs of a noted stage that have changed since, without what .dvcignore leaves out."""
    noted = read_json(note)
    root, of_params = Path(noted["root"]), {file for file, _ in noted["params"]}
    files = [name for name in _differing(noted["states"], states(noted["places"])) if name not in of_params]
    values = _differing(noted["values"], _values(noted["params"]))
    return [os.path.relpath(name, root) for name in [*_without_ignored(files, root), *values]]


def _differing(before: Mapping[str, str], now: Mapping[str, str]) -> list[str]:
    return sorted(name for name in before.keys() | now.keys() if before.get(name) != now.get(name))


def _params(stage: Mapping[str, Any]) -> Iterator[tuple[str, list[str]]]:
    """The files of parameters of a stage, each with the dotted names that it reads; none for the whole file."""
    for params in stage.get("params") or ():
        yield from (
            ((file, keys or []) for file, keys in params.items())
            if isinstance(params, dict)
            else [("params.yaml", [params])]
        )


def _values(params: Iterable[tuple[str, list[str]]]) -> dict[str, str]:
    """A digest of each parameter, whose value may be a secret, by `FILE: KEY`."""
    return {f"{file}: {key}".removesuffix(": "): value for file, keys in params for key, value in _read(file, keys)}


def _read(file: str, keys: list[str]) -> Iterator[tuple[str, str]]:
    from labkit.process.strict_yaml import load_yaml

    try:
        content = load_yaml(Path(file)) if file.endswith((".yaml", ".yml")) else Path(file).read_text(encoding="utf-8")
    except (InputError, OSError) as error:  # spoilt, as the process itself tells
        content = str(error)
    for key in keys or [""]:
        value = content
        for part in key.split(".") if key else ():
            value = value.get(part) if isinstance(value, dict) else None
        yield key, digest(json.dumps(value, sort_keys=True, default=str).encode())


def _without_ignored(files: list[str], root: Path) -> list[str]:
    if not files:
        return []
    command = dvc("check-ignore", *files)
    asked = subprocess.run(command, cwd=root, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    ignored = set(asked.stdout.splitlines())
    return [file for file in files if file not in ignored]


if __name__ == "__main__":
    sys.stdout.writelines(f"{name}\n" for name in edited(Path(sys.argv[1])))
