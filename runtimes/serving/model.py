"""Where the model is that a person names: a registered one, one in a folder, a revision's, or the last run's."""

from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

from labkit.paths import HOME
from labkit.pipeline.records import commit_of
from labkit.process.errors import InputError
from labkit.process.tracking import md5_of
from labkit.registry.models import VERSION, copy_model, find_model
from labkit.registry.results import fetch_file
from labkit.registry.settings import registered_in
from runtimes.serving.served import Served, load

COPIES = HOME / ".lab" / "models"


class Place(NamedTuple):
    """The folder of a packaged model, the model's name, and its version."""

    folder: Path
    name: str
    version: str


def find(wanted: str | None, offline: bool = False) -> Served:
    """The model to serve, as `locate` finds it. Raises InputError where it can't answer, too."""
    return load(*locate(wanted, offline))


def locate(wanted: str | None, offline: bool = False) -> Place:
    """Where a model is: a registered one (`champion`, `v3`), one in a folder, a revision's; else the last run's.

    Raises InputError where there is none, and GitError where `origin` is to be asked and can't be.
    """
    _, told = registered_in(commit_of("HEAD"))
    if wanted is None:
        return Place(Path(told.model), told.name, md5_of(Path(told.model))[:10] if Path(told.model).is_dir() else "")
    if (Path(wanted) / "MLmodel").is_file():
        return Place(Path(wanted), told.name, md5_of(Path(wanted))[:10])
    if VERSION.fullmatch(wanted):
        registered = find_model(wanted, offline)
        version = registered.version
        folder = _kept(
            f"{registered.name}-{version}-{version.tag.commit[:10]}", lambda place: copy_model(registered, place)
        )
        return Place(folder, registered.name, str(version))
    try:
        commit = commit_of(wanted)
    except InputError:
        raise InputError(f"--model {wanted}: no version, no folder with an MLmodel, and no revision of Git") from None
    short = commit[:10]
    folder = _kept(short, lambda place: fetch_file(commit, told.model, short, place.parent).rename(place))
    return Place(folder, told.name, short)


def _kept(name: str, copy: Callable[[Path], object]) -> Path:
    """The folder of a model that was copied before, or is now: whole, or not there."""
    folder = COPIES / name
    if not folder.exists():
        COPIES.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(dir=COPIES) as beside:
            copy(Path(beside) / "model")
            (Path(beside) / "model").rename(folder)
    return folder
