"""A registered model by its name, for what takes it out of the lab."""

import re
from pathlib import Path
from typing import NamedTuple

from labkit.pipeline.records import commit_of
from labkit.process.errors import InputError
from labkit.registry.results import fetch_file
from labkit.registry.settings import registered_in, source_of
from labkit.registry.state import Registry, Version, read_registry
from labkit.registry.tags import STAGE

VERSION = re.compile(r"([\w-]+@)?(v\d{1,18}(\.0\.0)?|champion)")  # as people name one


class RegisteredModel(NamedTuple):
    """A version of a model."""

    name: str
    version: Version


def find_model(wanted: str = STAGE, offline: bool = False) -> RegisteredModel:
    """The version that is wanted: `champion` or `v3`, with or without the model's name and @ before it.

    Raises InputError, which names the versions there are, and GitError when `origin` can't be reached.
    """
    _, told = registered_in(commit_of("HEAD"))
    return RegisteredModel(told.name, version_in(read_registry(told.name, offline), wanted))


def version_in(registry: Registry, wanted: str) -> Version:
    """The version of that name. Raises InputError, which names the versions there are."""
    name, _, short = wanted.rpartition("@")
    if name not in ("", registry.name):
        raise InputError(f"this lab's model is {registry.name}, not {name!r}; dvc.yaml names it in meta.registry")
    version = registry.champion if short == STAGE else _numbered(short, registry)
    if version is None:
        versions = ", ".join(map(str, registry.versions.values())) or "none; `python -m lab register` makes one"
        remedy = "; `python -m lab promote` makes one" if short == STAGE and registry.versions else ""
        raise InputError(f"{registry.name} has no {short!r}{remedy}; its versions: {versions}")
    if version.withdrawn:
        raise InputError(f"{registry.name} {version} was withdrawn; name another")
    return version


def copy_model(model: RegisteredModel, to: Path) -> None:
    """Write the model's file or folder to `to`, from DVC's cache or its remote.

    Raises InputError where neither has it.
    """
    commit = model.version.tag.commit
    to.parent.mkdir(parents=True, exist_ok=True)
    fetch_file(commit, source_of(commit).told.model, f"{model.name} {model.version}", to.parent).rename(to)


def _numbered(short: str, registry: Registry) -> Version | None:
    found = re.fullmatch(r"v(\d{1,18})(\.0\.0)?", short)
    return registry.versions.get(int(found[1])) if found else None
