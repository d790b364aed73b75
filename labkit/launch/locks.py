"""Lock every Pipfile, all at the same versions, for every kind of machine at once.

    make lock                                          all; versions that still fit stay
    make lock UPGRADE=1                                all, at the newest versions that fit together
    python -m labkit.launch.locks lab/processes/NAME   one process, from the root lock as it is
    python -m labkit.launch.locks runtimes/NAME        what has an environment of its own, whatever the lab has

uv resolves the root Pipfile for Linux and macOS. A process's lock is the part of the root lock that its Pipfile
needs, so the two cannot disagree; where that has torch, Pipfile.cuda.lock is the same with torch's CUDA build. All are
in pipenv's format and name no index, so that everyone's own settings hold.
"""

import json
import os
import re
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Mapping, Sequence
from functools import cache
from importlib.metadata import packages_distributions
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from packaging.markers import Marker
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name, parse_wheel_filename
from packaging.version import Version

from labkit.launch.environments import CUDA_LOCK, LOCK, TORCH_CPU_LINKS, install, torch_lines, uv_pip
from labkit.paths import PROCESSES, ROOT, RUNTIMES
from labkit.process.errors import InputError
from labkit.process.files import read_json, replacing

# The machines that locks are for, as markers see them.
MACHINES = (
    {"sys_platform": "linux", "platform_machine": "x86_64"},
    {"sys_platform": "linux", "platform_machine": "aarch64"},
    {"sys_platform": "darwin", "platform_machine": "arm64"},
)
# What is resolved for them. Linux is one: torch's CPU builds for it are where an index may not be reachable.
EVERYWHERE = ("sys_platform == 'linux'", "sys_platform == 'darwin' and platform_machine == 'arm64'")
WITH_CUDA = tuple(f"sys_platform == 'linux' and platform_machine == '{machine}'" for machine in ("x86_64", "aarch64"))

Packages = dict[str, dict[str, Any]]


def lock_root(upgrade: bool = False) -> None:
    """Resolve the root Pipfile and install what came out. Raises InputError when no versions fit together."""
    before = read_json(ROOT / LOCK)
    pipfile = read_pipfile(ROOT)
    groups = pipfile["packages"], pipfile["dev-packages"]
    torch = str(versions(groups[0]["torch"])) if "torch" in groups[0] else ""
    kept = {} if upgrade else before["default"] | before["develop"]
    packages = resolve(groups[0] | groups[1], kept, torch, newest=True)
    if torch:
        _complete_torch(packages["torch"], before["default"].get("torch", {}))
    default, develop = ({name: packages[name] for name in resolve(group, packages, torch)} for group in groups)
    _write_lock(ROOT, LOCK, default, develop)
    install(ROOT / LOCK, Path(sys.executable), groups=("default", "develop"))


def lock_process(folder: Path, upgrade: bool = False) -> None:
    """Write the locks of `folder`: what its Pipfile needs, as the root lock has it.

    Raises InputError when the Pipfile wants what the root lock lacks.
    """
    locked: Packages = read_json(ROOT / LOCK)["default"]
    wanted = {canonicalize_name(name): package for name, package in read_pipfile(folder)["packages"].items()}
    unserved = {name: package for name, package in wanted.items() if not _serves(locked, name, package)}
    lacking = [f"{name}{versions(package)}" for name, package in unserved.items()]
    torch = locked.get("torch", {}).get("version", "")
    needed = [] if lacking else [*resolve(wanted, locked, torch)]
    if lacking := lacking + sorted(set(needed) - locked.keys()):
        is_new = bool(unserved) and unserved.keys().isdisjoint(packages_of(ROOT))
        remedy = "`make lock` takes it in" if is_new else "put that in ./Pipfile, then `make lock`"
        raise InputError(f"{folder / 'Pipfile'}: the root lock has no {', '.join(lacking)}; {remedy}")
    _write_lock(folder, LOCK, {name: locked[name] for name in needed}, {})
    cuda = folder / CUDA_LOCK
    if "torch" in needed:
        kept = {} if upgrade or not cuda.exists() else read_json(cuda)["default"]
        _write_lock(folder, CUDA_LOCK, _with_cuda(wanted, kept, locked), {})
    else:
        cuda.unlink(missing_ok=True)


def lock_alone(folder: Path, upgrade: bool = False) -> None:
    """Write the lock of a `folder` whose packages need not agree with the lab's. Raises InputError as `resolve`."""
    kept = {} if upgrade or not (folder / LOCK).exists() else read_json(folder / LOCK)["default"]
    _write_lock(folder, LOCK, resolve(read_pipfile(folder)["packages"], kept, ""), {})


def resolve(
    wanted: dict[Any, Any], kept: Packages, torch: str, platforms: Sequence[str] = EVERYWHERE, newest: bool = False
) -> Packages:
    """The packages `wanted` by a Pipfile and all they depend on, each at one version for all `platforms`.

    Versions of `kept` stay where they fit. `torch` says which of its builds, as `torch_lines`; `newest`, that what
    uv remembers of an index will not do. Raises InputError when nothing fits, or a package would need two versions.
    """
    python = read_pipfile(ROOT)["requires"]["python_version"]
    environments = [f"{platform} and python_version == '{python}'" for platform in platforms]
    lines = [
        f"{name}[{','.join(package.get('extras', []))}]{versions(package)}"
        if isinstance(package, dict)
        else f"{name}{versions(package)}"
        for name, package in wanted.items()
    ]
    with tempfile.TemporaryDirectory() as folder:
        project, answer = Path(folder, "pyproject.toml"), Path(folder, "pylock.toml")
        project.write_text(  # JSON's lists of strings are TOML's too
            f'[project]\nname = "lab"\nversion = "0"\nrequires-python = "=={python}.*"\n'
            f"dependencies = {json.dumps(lines)}\n"
            f"[tool.uv]\nenvironments = {json.dumps(environments)}\n"
            f"constraint-dependencies = {json.dumps([*torch_lines(torch)] if torch else [])}\n",
            encoding="utf-8",
        )
        known = (f'[[packages]]\nname = "{name}"\nversion = "{_version(package)}"\n' for name, package in kept.items())
        if kept:  # uv takes no list that is empty
            answer.write_text(f'lock-version = "1.0"\ncreated-by = "lab"\n{"".join(known)}', encoding="utf-8")
        arguments = ["compile", "--universal", "--project", folder, "--output-file", str(answer), str(project)]
        try:
            uv_pip(*arguments, torch_cpu=torch.startswith("==") and not torch.startswith("==="), newest=newest)
        except RuntimeError as error:
            raise InputError(f"./Pipfile: no versions fit together: {error}") from None
        found = tomllib.loads(answer.read_text(encoding="utf-8"))["packages"]
    return _by_name(found, f"cp{python.replace('.', '')}")


def take_in(root: Path, pipfiles: Sequence[Path]) -> list[str]:
    """Add to the packages of the root Pipfile those that only Pipfiles of processes name; their names.

    No other byte of it changes. Raises InputError as `read_pipfile`, and where it has no line `[packages]`.
    """
    known = packages_of(root)  # without those of development alone, which no process gets
    named = {name: package for file in pipfiles for name, package in read_pipfile(file.parent)["packages"].items()}
    missing = {name: package for name, package in sorted(named.items()) if canonicalize_name(name) not in known}
    if missing:
        text = (root / "Pipfile").read_bytes().decode()
        heading = re.search(r"^\[packages\][^\n]*\n", text, re.MULTILINE)
        if not heading:
            raise InputError(f"{root / 'Pipfile'} has no line [packages]; write it above the packages")
        lines = "".join(f"{json.dumps(name)} = {_toml(package)}\n" for name, package in missing.items())
        with replacing(root / "Pipfile") as beside:
            beside.write_bytes(f"{text[: heading.end()]}{lines}{text[heading.end() :]}".encode())
    return [*missing]


def _toml(value: Any) -> str:
    """A value of a Pipfile in one line."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{json.dumps(key)} = {_toml(one)}" for key, one in value.items()) + "}"
    return json.dumps(value)  # strings, lists of them, and truth values are TOML's too


def read_pipfile(folder: Path) -> dict[str, Any]:
    """The Pipfile of `folder`. Raises InputError when it is not TOML."""
    try:
        return tomllib.loads((folder / "Pipfile").read_text(encoding="utf-8"))
    except tomllib.TOMLDecodeError as error:
        raise InputError(f"{folder / 'Pipfile'} is not TOML: {error}") from None


def versions(package: str | dict[str, Any]) -> SpecifierSet:
    """The versions that a Pipfile's entry allows."""
    allowed = package if isinstance(package, str) else package.get("version", "*")
    return SpecifierSet("" if allowed == "*" else allowed)


def packages_of(folder: Path) -> dict[str, str]:
    """The packages of a Pipfile with the versions it allows."""
    packages = read_pipfile(folder)["packages"]
    return {canonicalize_name(name): str(versions(package)) for name, package in packages.items()}


def providers(module: str) -> list[str]:
    """The packages that bring an importable name; where none does here, one of that name."""
    return [canonicalize_name(package) for package in _distributions().get(module, [module])]


def pipfile_line(root: Path, module: str) -> str:
    """The line of a Pipfile that brings an importable name, at the version of the root Pipfile."""
    of_root, known = packages_of(root), providers(module)
    name = next((name for name in known if name in of_root), known[0])
    return f'{name} = "{of_root.get(name) or "*"}"'


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


@cache
def _distributions() -> Mapping[str, list[str]]:
    return packages_distributions()


def _serves(locked: Packages, name: str, package: str | dict[str, Any]) -> bool:
    return name in locked and versions(package).contains(_version(locked[name]), prereleases=True)


def _version(package: dict[str, Any]) -> str:
    return str(package["version"]).lstrip("=")


def _by_name(found: list[dict[str, Any]], python: str) -> Packages:
    """What pipenv's format says of the packages of a pylock.toml."""
    packages: Packages = {}
    for package in found:
        name, entry = package["name"], _entry(package, python)
        if (other := packages.setdefault(name, entry)) is entry:
            continue
        if other["version"] != entry["version"]:
            raise InputError(f"./Pipfile: machines would differ in {name}; pin one version, such as {other['version']}")
        # Two builds of one version, each for its own machines: together for all.
        packages[name] = {"version": entry["version"], "hashes": sorted({*other["hashes"], *entry["hashes"]})}
    return packages


def _entry(package: dict[str, Any], python: str) -> dict[str, Any]:
    files = [wheel for wheel in package.get("wheels", []) if _is_for_us(_file_name(wheel), python)]
    files += [package["sdist"]] if "sdist" in package else []
    entry = {
        "version": f"=={Version(package['version']).public}",
        "hashes": sorted(f"sha256:{file['hashes']['sha256']}" for file in files),
    }
    marker = package.get("marker", "")
    if marker and not all(Marker(marker).evaluate(machine) for machine in MACHINES):
        entry["markers"] = marker
    return entry


def _is_for_us(wheel: str, python: str) -> bool:
    """Whether it is for this Python and an architecture that we know; uv leaves out other systems by itself."""
    ends = ("any", "universal2", *(machine["platform_machine"] for machine in MACHINES))
    return any(
        (tag.interpreter in {python, "py3", f"py{python[2:]}"} or tag.abi == "abi3") and tag.platform.endswith(ends)
        for tag in parse_wheel_filename(wheel)[3]
    )


def _file_name(file: dict[str, Any]) -> str:
    return unquote(file.get("url") or file["path"]).rsplit("/", 1)[-1]


def _complete_torch(torch: dict[str, Any], before: dict[str, Any]) -> None:
    """Where torch's CPU builds can't all be seen from here, those of the lock until now stay, if it was this version.

    Raises InputError when a machine would be left without a build.
    """
    if torch["version"] == before.get("version"):
        torch["hashes"] = sorted({*torch["hashes"], *before["hashes"]})
    if len(torch["hashes"]) < len(MACHINES):
        raise InputError(f"torch{torch['version']}: no CPU build for every machine; is {TORCH_CPU_LINKS} reachable?")


def _with_cuda(wanted: dict[Any, Any], kept: Packages, locked: Packages) -> Packages:
    """The lock of `wanted` with the build of torch that bears no other name than its version: that for CUDA.

    Raises InputError when it asks for another version of something in `locked`.
    """
    exactly = f"={locked['torch']['version']}"
    found = resolve(wanted, kept | locked, exactly, WITH_CUDA)
    found["torch"]["version"] = exactly
    for name in found.keys() & locked.keys() - {"torch"}:
        if found[name]["version"] != locked[name]["version"]:
            raise InputError(f"torch for CUDA wants {name}{found[name]['version']}; pin that in ./Pipfile")
        found[name] = locked[name]
    return found


def _write_lock(folder: Path, name: str, default: Packages, develop: Packages) -> None:
    meta = {
        "hash": {"sha256": pipfile_hashes([folder / "Pipfile"])[0]},
        "pipfile-spec": 6,
        "requires": read_pipfile(folder).get("requires", {}),
        "sources": [],
    }
    content = {"_meta": meta, "default": default, "develop": develop}
    with replacing(folder / name) as beside:
        beside.write_text(json.dumps(content, indent=4, sort_keys=True) + "\n", encoding="utf-8")


def main() -> None:
    """Lock the process folders given, or everything."""
    upgrade = "--upgrade" in sys.argv[1:]
    folders = [Path(folder) for folder in sys.argv[1:] if folder != "--upgrade"]
    try:
        if not folders:
            if taken := take_in(ROOT, sorted(PROCESSES.glob("*/Pipfile"))):
                print(f"Pipfile: added {', '.join(taken)}, which a process needs", flush=True)
            print("locking the root Pipfile", flush=True)
            lock_root(upgrade)
            folders = sorted(pipfile.parent for top in (PROCESSES, RUNTIMES) for pipfile in top.glob("*/Pipfile"))
        for folder in folders:
            print(f"locking {folder.name}", flush=True)
            lock = lock_alone if folder.resolve().is_relative_to(RUNTIMES) else lock_process
            lock(folder, upgrade)
    except (InputError, RuntimeError, OSError) as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    main()
