"""Checks of this clone and this machine: nothing here asks a service, or imports more than it needs."""

import os
import shutil
import subprocess
import sys
import sysconfig
from configparser import Error as ConfigParserError
from configparser import RawConfigParser
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any

from labkit.doctor.check import Check, ok, problem, warning
from labkit.github import on_runner
from labkit.launch.environments import ENVIRONMENTS, process_environment
from labkit.paths import PROCESSES, ROOT
from labkit.process.errors import InputError
from labkit.process.files import read_json
from labkit.tracking.journal import JOURNALS

HOOKS = {"pre-commit": "pre-commit", "pre-push": "pre-commit", "post-checkout": "dvc checkout"}  # and what each calls
SET_UP = "`make -B setup`"
LOCK = "`make lock`"
FEW_FREE_BYTES = 5 << 30
LEAST_FREE_BYTES = 256 << 20  # with less, a run fails for sure, and what it finished cannot be kept


def check_identity() -> Check:
    """Whether Git knows in whose name to commit."""
    from labkit.git_cli import GitError, git

    try:
        who = git("-c", "user.useConfigOnly=true", "var", "GIT_AUTHOR_IDENT").rpartition(" <")[0]
    except GitError:
        fix = '`git config --global user.name "YOUR NAME" && git config --global user.email YOU@EXAMPLE.COM`'
        return problem("git identity", "Git does not know who you are, and commits nothing", fix)
    return ok("git identity", f"commits are by {who}")


def check_hooks() -> Check:
    """Whether Git calls the hooks, and merges dvc.lock by stage."""
    from labkit.git_cli import GitError, git
    from labkit.publish.merge_driver import ATTRIBUTE

    subject = "git hooks"
    try:
        places = [Path(git("rev-parse", "--git-path", place)) for place in ("hooks", "info/attributes")]
    except GitError:
        return problem(subject, "this folder is not a Git repository", f"`git init`, then {SET_UP}")
    hooks, attributes = places
    missing = [name for name, called in HOOKS.items() if called not in _text(hooks / name)]
    try:
        git("config", "merge.dvc-lock.driver")
    except GitError:
        missing.append("the merge driver of dvc.lock")
    else:
        if ATTRIBUTE not in _text(attributes).splitlines():
            missing.append("the merge driver of dvc.lock")
    if missing:
        return problem(subject, f"not installed: {', '.join(missing)}", SET_UP)
    return ok(subject, f"{', '.join(HOOKS)} and the merge driver of dvc.lock are installed")


def check_settings() -> Check:
    """Whether params.yaml, goals.yaml and the limits of the stages are valid, and all outputs of dvc.yaml kept."""
    from labkit.goals import read_goals
    from labkit.launch.limits import read_limits
    from labkit.pipeline.uncached import refuse_nested, refuse_uncached
    from labkit.process.params import CommonParams, read_params

    wrong = []
    for read in (lambda: read_params(CommonParams), read_goals, read_limits, refuse_uncached, refuse_nested):
        try:
            read()
        except InputError as error:
            wrong.append(str(error))
    if wrong:
        return problem("settings", "\n".join(wrong), "correct the file, or `git checkout` it")
    return ok("settings", "params.yaml and goals/goals.yaml are valid")


def check_locks() -> Check:
    """Whether each Pipfile.lock was made from the Pipfile beside it."""
    from labkit.launch.locks import pipfile_hashes

    folders = [ROOT, *sorted(pipfile.parent for pipfile in PROCESSES.glob("*/Pipfile"))]
    hashes = pipfile_hashes([folder / "Pipfile" for folder in folders])
    stale = [
        str((folder / "Pipfile").relative_to(ROOT))
        for folder, digest in zip(folders, hashes, strict=True)
        if _locked(folder).get("_meta", {}).get("hash", {}).get("sha256") != digest
    ]
    if stale:
        return problem("locks", f"changed since it was locked: {', '.join(stale)}", LOCK)
    return ok("locks", f"{len(folders)} Pipfile.locks are those of their Pipfiles")


def check_environment() -> Check:
    """Whether this Python's packages are those of the root lock."""
    from packaging.markers import Marker
    from packaging.utils import canonicalize_name

    lock = _locked(ROOT)
    wanted = {
        canonicalize_name(name): package["version"].removeprefix("==")
        for name, package in (lock.get("default", {}) | lock.get("develop", {})).items()
        if "markers" not in package or Marker(package["markers"]).evaluate()
    }
    here = {}
    for place in {sysconfig.get_path("purelib"), sysconfig.get_path("platlib")}:
        for folder in Path(place).glob("*.dist-info"):
            name, _, version = folder.stem.rpartition("-") if folder.suffix else ("", "", "")
            here[canonicalize_name(name)] = version
    # torch 2.13.0+cpu is torch 2.13.0: the lock has the builds of all machines.
    differ = sorted(name for name, version in wanted.items() if here.get(name, "").partition("+")[0] != version)
    if differ:
        some = ", ".join(differ[:3]) + (f" and {len(differ) - 3} more" if len(differ) > 3 else "")
        return problem("environment", f"{sys.prefix} is not what Pipfile.lock says: {some}", SET_UP)
    return ok("environment", f"{len(wanted)} packages of Pipfile.lock are in {sys.prefix}")


def check_process_environments() -> Check:
    """Whether the processes' environments are made."""
    processes = sorted(lock.parent.name for lock in PROCESSES.glob("*/Pipfile.lock"))
    missing = [process for process in processes if not (process_environment(process) / "complete").exists()]
    if missing:
        return ok("process environments", f"to be made when it first runs: {', '.join(missing)}")
    return ok("process environments", f"all {len(processes)} are made")


def check_site_cache() -> Check:
    """Whether DVC keeps its notes, which are pickles that it executes, where no other user can write."""
    subject = "DVC's site cache"
    config = RawConfigParser()
    with suppress(ConfigParserError):
        config.read(".dvc/config.local", encoding="utf-8")
    place = os.environ.get("DVC_SITE_CACHE_DIR") or config.get("core", "site_cache_dir", fallback="/var/tmp/dvc")
    folder = Path(str(place))
    own = [path for path in (folder, *folder.parents) if path.exists() and path.stat().st_uid == os.getuid()]
    if folder.is_absolute() and any(path.stat().st_mode & 0o077 == 0 for path in own):
        return ok(subject, f"in {folder}, where no other user can write")
    found = f"other users of this machine may be able to write to {folder}, and DVC executes what is there"
    return warning(subject, found, "`make hooks`, which keeps them in .lab")


def check_disk() -> Check:
    """Whether there is room, by trial too, where a run writes: a quota or a read-only disk shows in no figure."""
    # Where `dvc cache dir` points elsewhere, that is told by DVC alone; a link in its place is followed.
    places = {
        "the workspace": Path(),
        "DVC's cache": Path(".dvc/cache").resolve(),
        "the environments": ENVIRONMENTS,
        "the journals": JOURNALS,
    }
    free = {name: _free_bytes(place) for name, place in places.items()}
    found = _by_figure({name: f"{free_bytes / (1 << 30):.1f} GiB free" for name, free_bytes in free.items()})
    if refused := {name: why for name, place in places.items() if (why := _refusal(place))}:
        where = "; ".join(str(places[name].absolute()) for name in refused)
        return problem("disk", f"{_by_figure(refused)} ({found})", f"make room or allow writing: {where}")
    fix = (
        "`dvc gc --all-commits` removes from the cache what no commit here needs; ~/.cache/lab is made again if removed"
    )
    if min(free.values()) < LEAST_FREE_BYTES:
        return problem("disk", f"full: {found}", fix)
    return warning("disk", found, fix) if min(free.values()) < FEW_FREE_BYTES else ok("disk", found)


def check_gpu() -> Check:
    """Which GPUs there are; on a runner it is a problem when params.yaml asks for one that is not there."""
    from labkit.launch.kernels import chosen

    if shutil.which("nvidia-smi"):
        command = ["nvidia-smi", "--query-gpu=name,memory.total", "--format=csv,noheader"]
        answer = subprocess.run(command, capture_output=True, text=True)
        if answer.returncode == 0 and answer.stdout.strip():
            return ok("GPU", "; ".join(answer.stdout.strip().splitlines()))
    found = "no NVIDIA GPU"
    processes = sorted(path.parent.name for path in PROCESSES.glob("*/params.py"))
    if asking := [process for process in processes if chosen(process).device == "cuda"]:
        found += f", but params.yaml gives {', '.join(asking)} `device: cuda`"
        # A person's machine may be there to push to a runner that has one.
        return (problem if on_runner() else warning)("GPU", found, "set it to cpu, or run where there is a GPU")
    return ok("GPU", found)


def _locked(folder: Path) -> dict[str, Any]:
    try:
        lock: dict[str, Any] = read_json(folder / "Pipfile.lock")
    except (FileNotFoundError, ValueError):  # none, or one with a merge conflict in it
        return {}
    return lock


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8", errors="replace") if path.is_file() else ""


def _by_figure(told: dict[str, str]) -> str:
    """Each figure once, with the places that it is of: most are on one disk."""
    places = {figure: [name for name, other in told.items() if other == figure] for figure in told.values()}
    return "; ".join(f"{figure} for {', '.join(names)}" for figure, names in places.items())


def _refusal(place: Path) -> str:
    """Why a file can't be written in a folder that is there or will be made; empty where it can."""
    try:
        with TemporaryFile(dir=_existing(place), buffering=0) as file:
            if file.write(bytes(1 << 20)) < 1 << 20:
                return "no space left"
    except OSError as error:
        return str(error.strerror).lower()
    return ""


def _free_bytes(place: Path) -> int:
    return shutil.disk_usage(_existing(place)).free


def _existing(place: Path) -> Path:
    return next(folder for folder in (place.absolute(), *place.absolute().parents) if folder.exists())
