"""Lock every Pipfile, all at the same versions.

    make lock                                    the root Pipfile, then every process
    python -m lab.lock lab/processes/NAME        one process, from the root lock as it is

pipenv resolves the root Pipfile, and its lock forgets the index that it came from (pipenv falls back to the
user's own). A process's lock is the part of the root lock that its Pipfile needs, so the two cannot disagree.
"""

import json
import os
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

from lab.environments import PROCESSES, ROOT, install, requirements, run_uv, where_to_find
from lib.errors import InputError
from lib.files import read_json, replacing

ROOT_LOCK = ROOT / "Pipfile.lock"


def lock_root() -> None:
    """Resolve the root Pipfile to the newest versions that fit together, and install them.

    Raises InputError when pipenv finds none.
    """
    environment = {**os.environ, "PIPENV_IGNORE_VIRTUALENVS": "1"}
    command = [sys.executable, "-m", "pipenv", "lock"]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    if done.returncode:
        raise InputError(f"{ROOT / 'Pipfile'}: pipenv found no solution:\n{done.stderr.strip()}")
    content = read_json(ROOT_LOCK)
    content["_meta"]["sources"] = []
    for group in ("default", "develop"):
        content[group] = {name: _without_index(package) for name, package in content[group].items()}
    _write_lock(ROOT_LOCK, content)
    install(ROOT_LOCK, Path(sys.executable), groups=("default", "develop"))


def lock_process(folder: Path) -> None:
    """Write the Pipfile.lock of `folder`: what its Pipfile needs, as the root lock has it.

    Raises InputError when the Pipfile wants what the root lock lacks.
    """
    pipfile = tomllib.loads((folder / "Pipfile").read_text(encoding="utf-8"))
    packages = read_json(ROOT_LOCK)["default"]
    if unknown := sorted(pipfile["packages"].keys() - packages.keys()):
        raise InputError(f"{folder / 'Pipfile'}: {', '.join(unknown)} not in ./Pipfile; add it there, then `make lock`")
    needed = {name: packages[name] for name in _needed(pipfile["packages"])}
    meta = {
        "hash": {"sha256": _pipfile_hash(folder / "Pipfile")},
        "pipfile-spec": 6,
        "requires": pipfile.get("requires", {}),
        "sources": [],
    }
    _write_lock(folder / "Pipfile.lock", {"_meta": meta, "default": needed, "develop": {}})


def _needed(packages: dict[str, Any]) -> list[str]:
    """The names of `packages` and of all they depend on, resolved under the root lock's versions."""
    pinned = requirements(ROOT_LOCK, ("default",))
    wanted = "".join(f"{name}{_constraint(package)}\n" for name, package in packages.items())
    with replacing(ROOT / ".lab" / "constraints.txt") as constraints:
        constraints.write_text(pinned, encoding="utf-8")
        arguments = ["--no-header", "--no-annotate", "--constraint", str(constraints), *where_to_find(pinned), "-"]
        try:
            answer = run_uv("pip", "compile", *arguments, given=wanted)
        except RuntimeError as error:
            raise InputError(f"the root lock has no solution for {', '.join(packages)}: {error}") from None
    return [line.split("==")[0] for line in answer.splitlines()]


def _constraint(package: str | dict[str, Any]) -> str:
    if isinstance(package, str):
        return "" if package == "*" else package
    extras = f"[{','.join(package['extras'])}]" if "extras" in package else ""
    return extras + _constraint(package["version"])


def _pipfile_hash(pipfile: Path) -> str:
    os.environ["PIPENV_PIPFILE"] = str(pipfile)
    from pipenv.project import Project  # after its setting: it reads the environment once

    return str(Project().pipfile.calculate_hash())


def _without_index(package: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in package.items() if key != "index"}


def _write_lock(path: Path, content: dict[str, Any]) -> None:
    with replacing(path) as beside:
        beside.write_text(json.dumps(content, indent=4, sort_keys=True) + "\n", encoding="utf-8")


def main() -> None:
    """Lock the process folders given, or everything."""
    try:
        if not sys.argv[1:]:
            print("locking the root Pipfile", flush=True)
            lock_root()
        for folder in [Path(folder) for folder in sys.argv[1:]] or sorted(p.parent for p in PROCESSES.glob("*/Pipfile")):
            print(f"locking {folder.name}", flush=True)
            lock_process(folder)
    except (InputError, RuntimeError) as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    main()
