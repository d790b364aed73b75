"""Lock every Pipfile, all at the same versions.

    make lock                                    the root Pipfile, then every process
    python -m labkit.launch.locks lab/processes/NAME        one process, from the root lock as it is

pipenv resolves the root Pipfile, and its lock forgets the index that it came from (pipenv falls back to the
user's own). A process's lock is the part of the root lock that its Pipfile needs, so the two cannot disagree.
"""

import json
import os
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

from labkit.launch.environments import install, requirements, uv_pip
from labkit.paths import PROCESSES, ROOT
from labkit.process.errors import InputError
from labkit.process.files import read_json, replacing

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
    for package in [*content["default"].values(), *content["develop"].values()]:
        package.pop("index", None)
    _write_lock(ROOT, content["default"], content["develop"])
    install(ROOT_LOCK, Path(sys.executable), groups=("default", "develop"))


def lock_process(folder: Path) -> None:
    """Write the Pipfile.lock of `folder`: what its Pipfile needs, as the root lock has it.

    Raises InputError when the Pipfile wants what the root lock lacks.
    """
    locked = read_json(ROOT_LOCK)["default"]
    wanted = {canonicalize_name(name): package for name, package in read_pipfile(folder)["packages"].items()}
    lacking = [f"{name}{versions(package)}" for name, package in wanted.items() if not _serves(locked, name, package)]
    needed = [] if lacking else _needed(wanted)
    if lacking := lacking + sorted(set(needed) - locked.keys()):
        raise InputError(
            f"{folder / 'Pipfile'}: the root lock has no {', '.join(lacking)}; put that in ./Pipfile, then `make lock`"
        )
    _write_lock(folder, {name: locked[name] for name in needed}, {})


def read_pipfile(folder: Path) -> dict[str, Any]:
    """The Pipfile of `folder`. Raises InputError when it is no TOML."""
    try:
        return tomllib.loads((folder / "Pipfile").read_text(encoding="utf-8"))
    except tomllib.TOMLDecodeError as error:
        raise InputError(f"{folder / 'Pipfile'} is no TOML: {error}") from None


def versions(package: str | dict[str, Any]) -> SpecifierSet:
    """The versions that a Pipfile's entry allows."""
    allowed = package if isinstance(package, str) else package.get("version", "*")
    return SpecifierSet("" if allowed == "*" else allowed)


def pipfile_hashes(pipfiles: Sequence[Path]) -> list[str]:
    """What pipenv knows current locks by. A machine's pip settings go into it: these are the hashes without any."""
    plain = {name: value for name, value in os.environ.items() if not name.startswith(("PIP_", "PIPENV_"))}
    program = (
        "import os, sys\n"
        "from pipenv.project import Project\n"
        "for os.environ['PIPENV_PIPFILE'] in sys.argv[1:]:\n"
        "    print(Project().pipfile.calculate_hash())"
    )
    command = [sys.executable, "-c", program, *(str(pipfile.resolve()) for pipfile in pipfiles)]
    environment = plain | {"PIP_CONFIG_FILE": os.devnull}
    return subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=True).stdout.split()


def _serves(locked: dict[str, Any], name: str, package: str | dict[str, Any]) -> bool:
    return name in locked and versions(package).contains(locked[name]["version"].removeprefix("=="), prereleases=True)


def _needed(wanted: dict[Any, Any]) -> list[str]:
    """The names of the packages `wanted` and of all they depend on, resolved under the root lock's versions."""
    pinned = requirements(ROOT_LOCK, ("default",))
    given = "".join(
        f"{name}[{','.join(package.get('extras', []))}]\n" if isinstance(package, dict) else f"{name}\n"
        for name, package in wanted.items()
    )
    with tempfile.NamedTemporaryFile("w", encoding="utf-8", suffix=".txt") as constraints:
        constraints.write(pinned)
        constraints.flush()
        arguments = ["compile", "--no-header", "--no-annotate", "--constraint", constraints.name, "-"]
        answer = uv_pip(*arguments, given=given, torch_cpu="+cpu" in pinned)
    return [line.split("==")[0] for line in answer.splitlines()]


def _write_lock(folder: Path, default: dict[str, Any], develop: dict[str, Any]) -> None:
    meta = {
        "hash": {"sha256": pipfile_hashes([folder / "Pipfile"])[0]},
        "pipfile-spec": 6,
        "requires": read_pipfile(folder).get("requires", {}),
        "sources": [],
    }
    content = {"_meta": meta, "default": default, "develop": develop}
    with replacing(folder / "Pipfile.lock") as beside:
        beside.write_text(json.dumps(content, indent=4, sort_keys=True) + "\n", encoding="utf-8")


def main() -> None:
    """Lock the process folders given, or everything."""
    folders = [Path(folder) for folder in sys.argv[1:]]
    try:
        if not folders:
            print("locking the root Pipfile", flush=True)
            lock_root()
            folders = sorted(pipfile.parent for pipfile in PROCESSES.glob("*/Pipfile"))
        for folder in folders:
            print(f"locking {folder.name}", flush=True)
            lock_process(folder)
    except (InputError, RuntimeError, OSError) as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    main()
