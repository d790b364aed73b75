"""Where the model is that a person names: a registered one, one in a folder, a revision's, or the last run's."""

from pathlib import Path
from typing import NamedTuple

from labkit.pipeline.records import commit_of
from labkit.process.errors import InputError
from labkit.process.tracking import md5_of
from labkit.registry.settings import registered_in
from runtimes.serving.served import Served, load


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
    # DVC's imports, which the models above start without.
    from labkit.registry.artifacts import fetched
    from labkit.registry.models import VERSION, find_model

    if VERSION.fullmatch(wanted):
        _, version = find_model(wanted, offline)
        commit, name = version.tag.commit, str(version)
    else:
        try:
            commit = commit_of(wanted)
        except InputError:
            known = "no version, no folder with an MLmodel, and no revision of Git"
            raise InputError(f"--model {wanted}: {known}") from None
        name = commit[:10]
    return Place(fetched(registered_in(commit)[1].model, commit), told.name, name)
