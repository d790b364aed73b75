"""The data of a run on their way to the DVC remote."""

import logging
from multiprocessing import get_context
from multiprocessing.connection import Connection

from dvc.repo import Repo
from tenacity import before_sleep_log, retry, stop_after_attempt, wait_exponential_jitter

from lab.doctor.services import check_remote
from lib.errors import InputError

LOOK_SECONDS = 20.0
MOST_FAILED_LOOKS = 3  # in a row: a server that is only slow answers one of them

logger = logging.getLogger(__name__)


def push_data(stages: list[str]) -> int:
    """Push what dvc.lock names; return how many files went.

    Raises InputError when there is no remote, or after some tries it still lacks a file that one of `stages` wrote.
    """
    with Repo() as repo:
        if not repo.config["core"].get("remote"):
            raise InputError(".dvc/config: there is no DVC remote to publish to; `python -m lab setup` connects one")
    try:
        pushed, lacking = _watched(stages)
    except RuntimeError as error:
        raise InputError(f"dvc push failed: {error}; the data are in the cache: run it again") from None
    if lacking:
        raise InputError(f"neither the DVC remote nor the cache has {', '.join(lacking)}; run the pipeline again")
    return pushed


def _watched(stages: list[str]) -> tuple[int, list[str]]:
    """Push in a process that can be ended: an S3 server that falls silent is waited for without an end.

    Raises RuntimeError when it fails, or the remote has failed in the meantime.
    """
    context = get_context("fork")
    receiver, sender = context.Pipe(duplex=False)
    pushing = context.Process(target=_report, args=(sender, stages), daemon=True)
    pushing.start()
    sender.close()
    failed_looks = 0
    try:
        while not receiver.poll(LOOK_SECONDS):
            check = check_remote()
            failed_looks = failed_looks + 1 if check.state == "problem" else 0
            if failed_looks == MOST_FAILED_LOOKS:
                raise RuntimeError(check.found)
        result: tuple[int, list[str]] | str = receiver.recv()
    except EOFError:
        raise RuntimeError("its process was killed") from None
    finally:
        pushing.kill()
        pushing.join()
    if isinstance(result, str):
        raise RuntimeError(result)
    return result


def _report(sender: Connection, stages: list[str]) -> None:
    """Push, and send what came of it: the error as text, for not each of DVC's can be sent."""
    try:
        with Repo() as repo:
            sender.send(_push(repo, stages))
    except Exception as error:  # each kind of remote raises its own
        sender.send(_cause(error))


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
