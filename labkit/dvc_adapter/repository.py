"""The DVC project of the working folder, opened in-process: a process of DVC's own costs half a second each time.

Nothing else in the repository imports dvc, dvc_data or dvc_render. DVC documents its commands and dvc.api, which tell
neither why a stage is stale nor what a folder was; so most of what is used here, a new DVC may change.
"""

import logging
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from math import prod
from typing import Any, NewType

from dvc import parsing
from dvc.exceptions import DvcException
from dvc.parsing import DataResolver, ForeachDefinition, MatrixDefinition
from dvc.repo import Repo
from dvc.utils import serialize

from labkit.dvc_adapter.settings import all_settings
from labkit.dvc_adapter.yaml_guard import refuse_harmful, refuse_harmful_files
from labkit.process.errors import InputError

# What DVC raises besides its own, for files of another shape and an alias that stands for itself: caught below.
OF_OTHER_SHAPES = (NotImplementedError, RecursionError, ValueError)
NOTES = "make room if the disk is full, else remove the folder that `dvc config core.site_cache_dir` names"

MOST_STAGES = 10_000  # DVC takes half a minute to read these

# What this package's functions take. mypy lets no other package use its attributes.
Project = NewType("Project", object)


@contextmanager
def open_project(commit: str | None = None, remote: bool = True) -> Iterator[Project]:
    """Open the DVC project of the working folder, as it is here or in a commit; without `remote`, none is asked.

    Raises InputError in DVC's words where DVC raises, also within, and for files that no loader could take.
    """
    refuse_harmful_files(commit)
    logging.getLogger("dvc").setLevel(logging.ERROR)  # its advice is for those who typed `dvc`
    try:
        # Today's remotes in each commit: DVC refuses one from before a remote that .dvc/config.local has a key for.
        settings = {"remote": all_settings().get("remote", {})}
        with Repo(rev=commit, config=settings | ({} if remote else {"core": {"remote": ""}})) as repo:
            yield Project(repo)
    except InputError:  # of the caller's
        raise
    except sqlite3.Error as error:  # a full disk, or a file that a crash of the machine left half written
        raise InputError(f"DVC's notes: {error}; {NOTES}") from None
    except (DvcException, *OF_OTHER_SHAPES) as error:
        reason = getattr(error, "exc", None)  # what in the file is wrong, and where
        told = str(error) or type(error).__name__
        words = f"{told}: {reason}" if reason and str(reason) != told else told
        raise InputError(f"DVC: {' '.join(words.split())}; `dvc status` tells more") from None


def _load(path: str, fs: Any = None, **options: Any) -> Any:
    """Parse a file of any name, which a dvc.yaml may call vars, params or metrics, unless no loader could take it."""
    with (fs.open if fs else open)(path, "rb", **options) as file:
        refuse_harmful(file.read(), path)
    return serialize.load_yaml(path, fs=fs, **options)


serialize.LOADERS.default_factory = lambda: _load


class _Counted(DataResolver):  # type: ignore[misc]
    """The stages of a dvc.yaml, unless a `matrix` or `foreach` makes so many that nobody could wait for them."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        if (count := sum(map(_stages_of, self.definitions.values()))) > MOST_STAGES:
            raise InputError(f"{self.relpath} makes {count:,} stages; {MOST_STAGES:,} is the most")


def _stages_of(definition: Any) -> int:
    if isinstance(definition, MatrixDefinition):
        axes: Any = definition.resolved_iterable
        return prod(len(values) for values in axes.values() if hasattr(values, "__len__"))
    return len(definition.resolved_iterable) if isinstance(definition, ForeachDefinition) else 1


parsing.DataResolver = _Counted  # DVC imports it where it reads a dvc.yaml


@contextmanager
def switched(project: Project, commit: str) -> Iterator[Any]:
    """DVC's repository as it is in a commit. Raises InputError for files there that no loader could take."""
    repo: Any = project
    refuse_harmful_files(commit)
    with repo.switch(commit):
        yield repo
