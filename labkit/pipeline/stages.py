"""The stages of dvc.yaml, read in-process by DVC's own API."""

import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager

import networkx
from dvc.exceptions import DvcException
from dvc.repo import Repo
from dvc.stage import PipelineStage, Stage

from labkit.process.errors import InputError


@contextmanager
def project() -> Iterator[Repo]:
    """Open the DVC project of the working folder. Raises InputError in DVC's words where DVC raises, also within."""
    logging.getLogger("dvc").setLevel(logging.ERROR)  # its advice is for those who typed `dvc`
    try:
        with Repo() as repo:
            yield repo
    except DvcException as error:
        reason = getattr(error, "exc", None)  # what in the file is wrong, and where
        words = f"{error}: {reason}" if reason and str(reason) != str(error) else str(error)
        raise InputError(f"DVC: {' '.join(words.split())}; `dvc status` tells more") from None


def in_order(repo: Repo) -> list[PipelineStage]:
    """The stages, each after those that it depends on, and else as in dvc.yaml."""
    place = {stage: number for number, stage in enumerate(repo.index.stages)}
    order = networkx.lexicographical_topological_sort(repo.index.graph.reverse(), key=place.__getitem__)
    return [stage for stage in order if isinstance(stage, PipelineStage)]


def upstream_of(repo: Repo, stage: Stage) -> list[PipelineStage]:
    """The stages whose outs `stage` reads."""
    return [other for other in repo.index.graph.successors(stage) if isinstance(other, PipelineStage)]


def process_of(stage: PipelineStage) -> str:
    """The process that the stage runs; none where its command is another."""
    commands = stage.cmd if isinstance(stage.cmd, str) else "\n".join(stage.cmd or [])
    found = re.search(r"\blabkit\.launch\s+([\w-]+)", commands)
    return found[1] if found else ""


def duration(seconds: float) -> str:
    """Seconds as people say them."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    if seconds < 100:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 100 else f"{minutes // 60} h {minutes % 60} min"
