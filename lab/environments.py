"""Virtual environments made from Pipfile.locks by uv, each named after its lock's hash.

    python -m lab.environments            makes the environment of every process that lacks one
    python -m lab.environments --root     makes the folder's own .venv match the root Pipfile.lock

Only the standard library is imported here: this runs before anything is installed.
"""

import fcntl
import hashlib
import json
import os
import platform
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).parent.parent
PROCESSES = ROOT / "lab" / "processes"
# Outside of the working folder, so that a runner's `git clean` keeps it and all clones share it.
ENVIRONMENTS = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "lab" / "environments"
# Where the lock's CPU build of torch is found by those whose own pip settings name no place.
TORCH_CPU_LINKS = "https://download.pytorch.org/whl/cpu/torch/"


def process_python(process: str) -> Path:
    """The interpreter of a process's environment, which is made first where it is missing.

    Raises FileNotFoundError when the process has no Pipfile.lock, RuntimeError when installing failed.
    """
    lock = PROCESSES / process / "Pipfile.lock"
    identity = lock.read_bytes() + platform.python_version().encode() + platform.platform().encode()
    environment = ENVIRONMENTS / f"{process}-{hashlib.sha256(identity).hexdigest()[:12]}"
    if not (environment / "complete").exists():
        ENVIRONMENTS.mkdir(parents=True, exist_ok=True)
        with environment.with_suffix(".lock").open("w") as guard:
            fcntl.flock(guard, fcntl.LOCK_EX)  # two runs may want it at the same moment
            if not (environment / "complete").exists():
                run_uv("venv", "--clear", "--python", sys.executable, str(environment))
                install(lock, environment / "bin" / "python", groups=("default",))
                (environment / "complete").touch()
    return environment / "bin" / "python"


def install(lock: Path, python: Path, groups: tuple[str, ...]) -> None:
    """Make the environment of `python` hold exactly what `lock` lists, every file checked against its hash."""
    pinned = requirements(lock, groups)
    command = ["pip", "sync", "--python", str(python), "--require-hashes", *where_to_find(pinned), "-"]
    try:
        run_uv(*command, "--offline", given=pinned)  # no index is asked for what uv's cache already holds
    except RuntimeError:
        run_uv(*command, given=pinned)


def requirements(lock: Path, groups: tuple[str, ...]) -> str:
    """A Pipfile.lock's packages in pip's requirements format, hashes included."""
    content = json.loads(lock.read_text(encoding="utf-8"))
    lines = []
    for name, package in sorted({k: v for group in groups for k, v in content[group].items()}.items()):
        extras = f"[{','.join(package['extras'])}]" if package.get("extras") else ""
        markers = f"; {package['markers']}" if package.get("markers") else ""
        hashes = "".join(f" --hash={digest}" for digest in package["hashes"])
        lines.append(f"{name}{extras}{package['version']}{markers}{hashes}\n")
    return "".join(lines)


def where_to_find(pinned: str) -> list[str]:
    """The user's pip settings as uv's options: uv reads none of pip's."""
    answer = subprocess.run([sys.executable, "-m", "pip", "config", "list"], capture_output=True, text=True)
    settings: dict[str, list[str]] = {}
    for line in sorted(answer.stdout.splitlines()):  # ":env:" sorts first: the environment goes before files
        key, _, value = line.partition("=")
        settings.setdefault(key.split(".", 1)[-1], value.strip("'\"").split())
    options = [f"--index-url={url}" for url in settings.get("index-url", [])]
    options += [f"--extra-index-url={url}" for url in settings.get("extra-index-url", [])]
    options += [f"--find-links={place}" for place in settings.get("find-links", [])]
    if "+cpu" in pinned and not settings.keys() & {"extra-index-url", "find-links"}:
        options.append(f"--find-links={TORCH_CPU_LINKS}")
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
    """Make the root environment, or those of all processes at once."""
    try:
        if sys.argv[1:] == ["--root"]:
            install(ROOT / "Pipfile.lock", ROOT / ".venv" / "bin" / "python", groups=("default", "develop"))
        else:
            with ThreadPoolExecutor() as pool:
                list(pool.map(process_python, sorted(lock.parent.name for lock in PROCESSES.glob("*/Pipfile.lock"))))
    except (RuntimeError, OSError) as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    main()
