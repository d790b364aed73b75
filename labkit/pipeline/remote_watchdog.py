"""Use the DVC remote for as long as it answers.

DVC waits minutes for an S3 server that takes connections and says nothing, and, in an upload, without an end.
No time limit of its remotes changes the latter.
"""

from collections.abc import Callable
from multiprocessing import get_context
from multiprocessing.connection import Connection
from typing import Any, TypeVar

from labkit.pipeline.remote import probe_remote

Result = TypeVar("Result")


def while_remote_answers(call: Callable[[], Result], look_seconds: float, most_failed_looks: int) -> Result:
    """Call in a process of its own, which is ended once the remote has failed some looks in a row.

    Raises RuntimeError then, and with the words of what the call raises.
    """
    context = get_context("fork")
    receiver, sender = context.Pipe(duplex=False)
    calling = context.Process(target=_report, args=(sender, call), daemon=True)
    calling.start()
    sender.close()
    failed_looks = 0
    try:
        while not receiver.poll(look_seconds):
            remote = probe_remote()
            fault = remote.fault if remote else ""
            failed_looks = failed_looks + 1 if fault else 0
            if failed_looks == most_failed_looks:
                raise RuntimeError(fault)
        result, error = receiver.recv()
    except EOFError:
        raise RuntimeError("its process was killed") from None
    finally:
        calling.kill()
        calling.join()
    if error is not None:
        raise RuntimeError(error)
    found: Result = result
    return found


def _report(sender: Connection, call: Callable[[], Any]) -> None:
    """Send what the call returns, or the words of what it raises: not each error of DVC's can be sent."""
    try:
        sender.send((call(), None))
    except Exception as error:  # each kind of remote raises its own
        while error.__cause__ is not None:
            error = error.__cause__  # type: ignore[assignment]
        sender.send((None, str(error).strip() or type(error).__name__))
