"""Run the pipeline of a commit again: in a clean clone, in environments made again, from its raw data alone.

Nothing that a run has left can get in: the clone has no dvc.lock, a DVC cache of its own, which holds the raw data and
nothing else, and a folder of environments of its own. Packages come from uv's cache where it has them, each checked
against the hash that its lock names. DVC and the launcher are those of the lab that verifies.
"""

import os
import shutil
import subprocess
import sys
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from contextlib import chdir, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

from labkit.dvc_adapter.command_line import dvc
from labkit.dvc_adapter.folders import Files, files_here, hash_of
from labkit.dvc_adapter.repository import Project, open_project
from labkit.dvc_adapter.settings import all_settings, settings_of, write_settings
from labkit.dvc_adapter.storage import cache_folder, default_remote, raw_data_hashes, raw_data_not_cached
from labkit.file_lock import locked
from labkit.git_cli import clone_at, git_in
from labkit.pipeline.records import DVC_LOCK, Records, read_records
from labkit.process.credentials import without_credentials
from labkit.proof.outcomes import NOT_RUN, is_read
from labkit.proof.receipt import digests_of

CACHE_AS_REMOTE = "lab-cache"
# What a person's shell may hold that would reach into the clone. AWS_ and the like stay: the data may need them.
LEFT_OUT = ("DVC_", "GIT_", "LAB_", "MLFLOW_", "PIPENV_", "PYTHON", "VIRTUAL_ENV")
MOST_ERRORS = 5


class Rerun(NamedTuple):
    """The records of the stages that ran to their end, why others did not, and the names of the environments made."""

    records: Records
    not_run: str
    environments: list[str]


@contextmanager
def clean_clone(commit: str) -> Iterator[Path]:
    """A clone of this lab at a commit, with only what Git has; it is removed afterwards."""
    Path(".lab").mkdir(mode=0o700, exist_ok=True)
    with TemporaryDirectory(prefix="verify-", dir=".lab", ignore_cleanup_errors=True) as folder:
        clone = clone_at(commit, Path(folder).resolve() / "lab")
        git_in(clone, "remote", "remove", "origin")  # it is this lab's folder, with all its results
        yield clone


def run_again(clone: Path, recorded: Records, outputs: Iterable[str]) -> Rerun:
    """Bring the raw data into the clone and run its pipeline, unless there are some that a stage reads and none has.

    `outputs` are all that dvc.yaml declares: those that Git has are removed first.
    """
    remove_outputs(clone, outputs)
    if lacking := [path for path in bring_raw_data(clone) if is_read(path, recorded)]:
        return Rerun({}, f"raw data are neither in DVC's cache nor in the remote: {', '.join(lacking)}", [])
    if damaged := [path for path in damaged_raw_data(clone) if is_read(path, recorded)]:
        return Rerun({}, f"raw data have other bytes than their hash says: {', '.join(damaged)}", [])
    lock = clone / DVC_LOCK
    lock.unlink(missing_ok=True)
    caches = clone.parent / "caches"
    with no_tracker(clone):
        errors = _dvc(clone, "repro", "--keep-going", "--no-run-cache", **fresh_caches(caches))
    made = read_records(lock.read_text(encoding="utf-8")) if lock.exists() else {}
    environments = sorted(path.parent.name for path in caches.glob("lab/environments/*/complete"))
    return Rerun(made, f"{NOT_RUN}: {'; '.join(errors)}" if errors else NOT_RUN, environments)


def remove_outputs(clone: Path, outputs: Iterable[str]) -> None:
    """Remove outputs, which are paths from the root: no run here has made what lies there."""
    for place in (clone / output for output in outputs):
        if not place.parent.resolve().is_relative_to(clone.resolve()) or ".." in place.parts:
            continue  # it is not the clone's
        if place.is_dir() and not place.is_symlink():
            shutil.rmtree(place)
        else:
            place.unlink(missing_ok=True)


def bring_raw_data(clone: Path) -> list[str]:
    """Pull the data that `.dvc` files name from this lab's cache, else from its remote; return what neither has."""
    with open_project() as project:
        cache, remote = cache_folder(project), default_remote(project)
    own, places = settings_of("local"), {**all_settings()["remote"], CACHE_AS_REMOTE: {"url": str(cache)}}
    local = {
        **own,
        "core": {**own["core"], "remote": remote, "site_cache_dir": str(clone.parent / "site")},
        "cache": {"dir": str(clone / ".dvc" / "cache")},
        "remote": places,
    }
    if not remote:
        del local["core"]["remote"]
    with chdir(clone):
        write_settings("local", local)
    for place in filter(None, (CACHE_AS_REMOTE, remote)):
        if missing := _raw_data_missing(clone):
            _dvc(clone, "pull", "--quiet", "--remote", place, *missing)
    return _raw_data_missing(clone)


def damaged_raw_data(clone: Path) -> list[str]:
    """The raw data that are not what their hashes say: DVC takes whatever lies in a cache under its name."""
    with chdir(clone), open_project() as project:
        found = {path: (files_below(project, path), recorded) for path, recorded in raw_data_hashes(project).items()}
        return [path for path, (files, recorded) in found.items() if files and hash_of(files) != recorded]


def files_below(project: Project, place: str) -> Files:
    """The md5 of each file of a folder as DVC sees it, or of the file alone, read again; none where it is not here."""
    path = Path(place)
    if path.is_file():
        return {"": digests_of(path)["md5"]}
    return {file: digests_of(path / file)["md5"] for file in files_here(project, path)} if path.is_dir() else {}


def recorded_output(commit: str, output: str, target: Path) -> bool:
    """Write an output as the commit records it to `target`, from DVC's cache or remote; False where neither has it."""
    target.parent.mkdir(parents=True, exist_ok=True)
    command = ["get", "--quiet", ".", output, "--rev", commit, "--out", str(target)]
    done = subprocess.run(dvc(*command), capture_output=True, env=clean_environment({}))
    return done.returncode == 0 and target.exists()


def fresh_caches(folder: Path, environment: Mapping[str, str] = os.environ) -> dict[str, str]:
    """The variables by which environments, and what else is cached, are made again in `folder`; uv keeps its cache."""
    before = Path(environment.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return {"XDG_CACHE_HOME": str(folder), "UV_CACHE_DIR": environment.get("UV_CACHE_DIR") or str(before / "uv")}


def clean_environment(variables: Mapping[str, str], environment: Mapping[str, str] = os.environ) -> dict[str, str]:
    """This process's variables without those that would reach into the clone, with this Python first on PATH."""
    kept = {name: value for name, value in environment.items() if not name.startswith(LEFT_OUT)}
    path = os.pathsep.join([str(Path(sys.executable).parent), kept.get("PATH", os.defpath)])
    return {"AWS_MAX_ATTEMPTS": "1", **kept, "PATH": path, "DVC_NO_ANALYTICS": "1", **variables}


@contextmanager
def no_tracker(clone: Path) -> Iterator[None]:
    """Keep the runs of a verification from MLflow: a tracker gives way to who holds this lock."""
    journals = clone / ".lab" / "journals"
    journals.mkdir(parents=True, exist_ok=True)
    with locked(journals / "tracker.lock"):
        yield


def _raw_data_missing(clone: Path) -> list[str]:
    with chdir(clone), open_project() as project:
        return raw_data_not_cached(project)


def _dvc(clone: Path, *arguments: str, **variables: str) -> list[str]:
    """Run DVC in the clone, what it prints to this process's stderr; return its last lines that tell of errors."""
    errors: deque[str] = deque(maxlen=MOST_ERRORS)
    command = dvc(*arguments)
    pipe, joined = subprocess.PIPE, subprocess.STDOUT
    with subprocess.Popen(
        command, cwd=clone, env=clean_environment(variables), stdin=subprocess.DEVNULL, stdout=pipe, stderr=joined,
        encoding="utf-8", errors="replace",
    ) as running:  # fmt: skip
        for line in running.stdout or []:
            print(line, end="", file=sys.stderr, flush=True)
            if line.lower().startswith("error:"):
                errors.append(without_credentials(line[6:].strip()))
    return list(errors) if running.returncode else []
