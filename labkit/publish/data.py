"""The data of a run on their way to the DVC remote."""

import logging

from dvc.repo import Repo
from tenacity import before_sleep_log, retry, stop_after_attempt, wait_exponential_jitter

from labkit.pipeline.remote_watchdog import while_remote_answers
from labkit.process.errors import InputError

LOOK_SECONDS = 20.0
MOST_FAILED_LOOKS = 3  # a server that the upload itself keeps busy answers one of them

logger = logging.getLogger(__name__)


def push_data(stages: list[str]) -> int:
    """Push what dvc.lock names; return how many files went.

    Raises InputError when there is no remote, or after some tries it still lacks a file that one of `stages` wrote.
    """
    with Repo() as repo:
        if not repo.config["core"].get("remote"):
            raise InputError(".dvc/config: there is no DVC remote to publish to; `python -m lab setup` connects one")
    try:
        pushed, lacking = while_remote_answers(lambda: _push(stages), LOOK_SECONDS, MOST_FAILED_LOOKS)
    except RuntimeError as error:
        raise InputError(f"dvc push failed: {error}; the data are in the cache: run it again") from None
    if lacking:
        raise InputError(f"neither the DVC remote nor the cache has {', '.join(lacking)}; run the pipeline again")
    return pushed


@retry(
    stop=stop_after_attempt(4),
    wait=wait_exponential_jitter(1, max=10),
    before_sleep=before_sleep_log(logger, logging.WARNING),
    reraise=True,
)
def _push(stages: list[str]) -> tuple[int, list[str]]:
    """How many files went, and which of the stages' files are nowhere: those DVC passes over with a warning."""
    with Repo() as repo:
        pushed = repo.push()
        lacking = repo.status(targets=stages, cloud=True) if stages else {}
    return pushed, sorted(name for name, state in lacking.items() if state != "deleted")
