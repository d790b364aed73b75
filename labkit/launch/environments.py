"""Virtual environments made from Pipfile.locks by uv, each named after its lock's hash.

    python -m labkit.launch.environments            makes the environment of every process that lacks one
    python -m labkit.launch.environments --root     makes the folder's own .venv match the root Pipfile.lock

Only the standard library is imported here: this runs before anything is installed. Environments of old locks are
left alone, since another branch or clone may want them, and being hard links they cost little: to be rid of them
all, remove ~/.cache/lab at any time.
"""

import ast
import hashlib
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Collection
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from labkit.file_lock import locked
from labkit.launch.kernels import chosen
from labkit.paths import PROCESSES, ROOT

LOCK, CUDA_LOCK = "Pipfile.lock", "Pipfile.cuda.lock"
# Outside of the working folder, so that a runner's `git clean` keeps it and all clones share it.
ENVIRONMENTS = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "lab" / "environments"
# Where the lock's CPU build of torch is, when the places of the user's own pip settings lack it.
TORCH_CPU_LINKS = "https://download.pytorch.org/whl/cpu/torch/"
# What Pipfile.cuda.lock is for.
CUDA_MACHINES = ("linux/x86_64", "linux/aarch64")
PIP_TO_UV = {
    "cert": "--cert",
    "extra-index-url": "--extra-index-url",
    "find-links": "--find-links",
    "index-url": "--index-url",
    "trusted-host": "--allow-insecure-host",
}


def make_all() -> None:
    """Make the environment of every process that lacks one, all at once. Raises as `process_python`."""
    with ThreadPoolExecutor() as pool:
        list(pool.map(process_python, sorted(lock.parent.name for lock in PROCESSES.glob(f"*/{LOCK}"))))


def process_python(process: str) -> Path:
    """The interpreter of a process's environment, which is made first where it is missing.

    Raises RuntimeError when installing failed, and as `process_environment`.
    """
    return python_of(process, process_lock(process))


def python_of(name: str, lock: Path) -> Path:
    """The interpreter of the environment of a lock, as `process_python`."""
    environment = environment_of(name, lock)
    if not (environment / "complete").exists():
        ENVIRONMENTS.mkdir(parents=True, exist_ok=True)
        with locked(environment.with_suffix(".lock")):  # two runs may want it at the same moment
            if not (environment / "complete").exists():
                run_uv("venv", "--clear", "--python", sys.executable, str(environment))
                install(lock, environment / "bin" / "python", groups=("default",))
                (environment / "complete").touch()
    return environment / "bin" / "python"


def process_environment(process: str) -> Path:
    """Where a process's environment is, made or not.

    Raises FileNotFoundError when it has no Pipfile.lock, and as `process_lock`.
    """
    return environment_of(process, process_lock(process))


def environment_of(name: str, lock: Path) -> Path:
    """Where the environment of a lock is, made or not. Raises FileNotFoundError when there is no such lock."""
    # A home may be shared by machines whose Pythons differ or lie elsewhere.
    machine = f"{sys.version} {sys.base_prefix} {sysconfig.get_platform()}"
    identity = hashlib.sha256(lock.read_bytes() + machine.encode()).hexdigest()
    return ENVIRONMENTS / f"{name}-{identity[:12]}"


def process_lock(process: str) -> Path:
    """The lock of a process: that for CUDA where a section of params.yaml that it declares says `device: cuda`.

    Raises RuntimeError when there is none, or it is for other machines than this one.
    """
    lock = PROCESSES / process / LOCK
    if chosen(process).device != "cuda":
        return lock
    machine = f"{sys.platform}/{platform.machine()}"
    if machine not in CUDA_MACHINES:
        allowed = " or ".join(CUDA_MACHINES)
        raise RuntimeError(f"params.yaml: device: cuda needs {allowed}, and this is {machine}; set device: cpu")
    if not (cuda := lock.with_name(CUDA_LOCK)).exists():
        relative = cuda.relative_to(ROOT)
        raise RuntimeError(f"params.yaml: device: cuda needs {relative}; `make lock` makes it where Pipfile has torch")
    return cuda


def install(lock: Path, python: Path, groups: tuple[str, ...]) -> None:
    """Make the environment of `python` hold exactly what `lock` lists, every file checked against its hash.

    Raises RuntimeError with uv's own words when that fails.
    """
    pinned = requirements(lock, groups)
    uv_pip("sync", "--python", str(python), "--require-hashes", "-", given=pinned, torch_cpu="+cpu" in pinned)


def uv_pip(*arguments: str, given: str = "", torch_cpu: bool, newest: bool = False) -> str:
    """Run `uv pip` and return what it prints.

    Offline where uv's cache suffices, else with the user's pip settings, else with PyTorch's own place for its CPU
    builds too when `torch_cpu` says that one is wanted; with `newest`, the fullest first and nothing offline. Raises
    RuntimeError with uv's own words when all of it fails.
    """
    places = where_to_find()
    if arguments[0] != "sync":  # for other machines too: an index on the disk of this one has what this one needs
        places = [place for place in places if not place.startswith("--extra-index-url=file:")]
    torch = [f"--find-links={TORCH_CPU_LINKS}"] if torch_cpu else []
    attempts = [torch, []] if newest else [[*torch, "--offline"], [], torch]
    failures = []
    for attempt in attempts if torch_cpu else attempts[:-1]:
        try:
            return run_uv("pip", *arguments, *places, *attempt, given=given)
        except RuntimeError as failure:
            failures.append(str(failure))
    raise RuntimeError("\n".join(failures[-2:] if torch_cpu else failures[-1:]))


def torch_lines(version: str) -> tuple[str, ...]:
    """What to ask of uv for the locked torch: `==2.13.0` is its CPU build, `===2.13.0` the build of just that name.

    An index's plain build for Linux is that for CUDA, which uv would fetch, gigabytes, before it looked at the hash.
    Raises RuntimeError when it is not one version.
    """
    if not re.fullmatch(r"={2,3}[\w.]+", version):
        raise RuntimeError(f'torch{version}: give it one version in ./Pipfile, as torch = "==2.13.0", then `make lock`')
    if version.startswith("==="):
        return (f"torch{version}",)
    return f"torch{version}+cpu; sys_platform == 'linux'", f"torch{version}; sys_platform != 'linux'"


def requirements(lock: Path, groups: tuple[str, ...], only: Collection[str] | None = None) -> str:
    """A Pipfile.lock's packages, or `only` some, in pip's requirements format, hashes included.

    Raises RuntimeError when the lock is not JSON or a package in it has no hashes.
    """
    try:
        content = json.loads(lock.read_text(encoding="utf-8"))
    except ValueError:
        raise RuntimeError(f"{lock} is not JSON (a merge conflict?); write it again with `make lock`") from None
    listed = {name: package for group in groups for name, package in content[group].items()}
    packages = listed if only is None else {name: listed[name] for name in only}
    if unhashed := sorted(name for name, package in packages.items() if "hashes" not in package):
        raise RuntimeError(f"{lock}: {', '.join(unhashed)} has no hashes to check; take it from a package index")
    lines = []
    for name, package in sorted(packages.items()):
        extras = f"[{','.join(package['extras'])}]" if package.get("extras") else ""
        markers = f"; {package['markers']}" if package.get("markers") else ""
        line = f"{name}{extras}{package['version']}{markers}"
        hashes = "".join(f" --hash={digest}" for digest in package["hashes"])
        lines += [f"{one}{hashes}\n" for one in (torch_lines(package["version"]) if name == "torch" else [line])]
    return "".join(lines)


def where_to_find() -> list[str]:
    """The user's pip settings, of files and PIP_* variables, as uv's options: uv reads none of pip's.

    Where there is no pip, as in an environment that uv made, uv's own settings are all there is.
    """
    answer = subprocess.run([sys.executable, "-m", "pip", "config", "list"], capture_output=True, text=True)
    settings: dict[str, str] = {}
    for section in ("global.", "install.", ":env:."):  # as pip does: the later goes before the earlier
        lines = [line.removeprefix(section) for line in answer.stdout.splitlines() if line.startswith(section)]
        settings |= {key: ast.literal_eval(value) for key, _, value in (line.partition("=") for line in lines)}
    options = [f"{option}={value}" for key, option in PIP_TO_UV.items() for value in settings.get(key, "").split()]
    if settings.get("no-index", "").lower() in {"1", "on", "true", "yes"}:
        options.append("--no-index")
    # As pip does: the best version of all indexes, not the first index that knows the name.
    return [*options, "--index-strategy=unsafe-best-match"]


def run_uv(*arguments: str, given: str = "") -> str:
    """Run uv and return what it prints. Raises RuntimeError with uv's own words when it fails."""
    beside = Path(sys.executable).with_name("uv")
    uv = str(beside) if beside.exists() else shutil.which("uv")
    if uv is None:
        raise RuntimeError("uv is missing; run `make setup`")
    done = subprocess.run([uv, "--quiet", *arguments], input=given, text=True, capture_output=True)
    if done.returncode:
        raise RuntimeError(f"uv {' '.join(arguments[:2])} failed:\n{done.stderr.strip()}")
    return done.stdout


def main() -> None:
    """Make the root environment, or those of all processes."""
    try:
        if sys.argv[1:] == ["--root"]:
            install(ROOT / LOCK, (ROOT / ".venv").resolve() / "bin" / "python", groups=("default", "develop"))
        else:
            make_all()
    except (RuntimeError, OSError) as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    main()
