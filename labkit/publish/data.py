"""Push a run's data to the DVC remote."""

import logging

from tenacity import before_sleep_log, retry, stop_after_attempt, wait_exponential_jitter

from labkit.dvc_adapter.repository import open_project
from labkit.dvc_adapter.storage import default_remote, push
from labkit.pipeline.remote import probe_remote
from labkit.pipeline.remote_watchdog import while_remote_answers
from labkit.process.errors import InputError

LOOK_SECONDS = 20.0
MOST_FAILED_LOOKS = 3  # a server that the upload itself keeps busy answers one of them

logger = logging.getLogger(__name__)


def push_data(stages: list[str]) -> int:
    """Push what dvc.lock names; return how many files went.

    Raises InputError when there is no remote, or after some tries it still lacks a file that one of `stages` wrote.
    """
    with open_project() as project:
        if not default_remote(project):
            raise InputError(".dvc/config: there is no DVC remote to publish to; `python -m lab setup` connects one")
    try:
        pushed, lacking = while_remote_answers(lambda: _push(stages), LOOK_SECONDS, MOST_FAILED_LOOKS)
    except RuntimeError as error:
        remote = probe_remote()  # it knows what is wrong, and the remedy; an upload fails with a bare "Forbidden"
        why = f"{remote.fault}; {remote.fix}" if remote and remote.fault else str(error)
        raise InputError(f"dvc push failed: {why}; the data are in the cache: run it again") from None
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
    return push(stages)
