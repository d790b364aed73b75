"""The data of a run on their way to the DVC remote."""

import logging

from dvc.repo import Repo
from tenacity import before_sleep_log, retry, stop_after_attempt, wait_exponential_jitter

from lib.errors import InputError

logger = logging.getLogger(__name__)


def push_data(stages: list[str]) -> int:
    """Push what dvc.lock names; return how many files went.

    Raises InputError when after some tries the remote still lacks a file that one of `stages` wrote.
    """
    with Repo() as repo:
        try:
            pushed, lacking = _push(repo, stages)
        except Exception as error:  # each kind of remote raises its own
            raise InputError(f"dvc push failed: {_cause(error)}; the data are in the cache: run it again") from None
    if lacking:
        raise InputError(f"neither the DVC remote nor the cache has {', '.join(lacking)}; run the pipeline again")
    return pushed


@retry(
    stop=stop_after_attempt(4),
    wait=wait_exponential_jitter(1, max=10),
    before_sleep=before_sleep_log(logger, logging.WARNING),
    reraise=True,
)
def _push(repo: Repo, stages: list[str]) -> tuple[int, list[str]]:
    """How many files went, and which of the stages' files are nowhere: those DVC passes over with a warning."""
    pushed = repo.push()
    lacking = repo.status(targets=stages, cloud=True) if stages else {}
    return pushed, sorted(name for name, state in lacking.items() if state != "deleted")


def _cause(error: BaseException) -> str:
    while error.__cause__ is not None:
        error = error.__cause__
    return str(error).strip() or type(error).__name__
