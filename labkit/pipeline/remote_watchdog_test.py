"""A call is ended when the remote fails several looks in a row, and only then."""

import os
import signal
from collections.abc import Callable
from multiprocessing import Event
from typing import NoReturn

import pytest

from labkit.pipeline import remote_watchdog
from labkit.pipeline.remote import Remote
from labkit.pipeline.remote_watchdog import while_remote_answers

pytestmark = pytest.mark.integration

LOOK_SECONDS = 0.01


def look_and_find(monkeypatch: pytest.MonkeyPatch, find: Callable[[int], str]) -> list[str]:
    """Have each look find what `find` says of its number; return the faults found so far, which grow meanwhile."""
    found: list[str] = []

    def probe() -> Remote:
        found.append(find(len(found)))
        return Remote("s3://bucket", found[-1])

    monkeypatch.setattr(remote_watchdog, "probe_remote", probe)
    return found


def test_failed_looks_that_are_not_in_a_row_end_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    gate = Event()

    def fails_every_other_time(number: int) -> str:
        if number == 5:
            gate.set()
        return "away" if number % 2 == 0 else ""

    found = look_and_find(monkeypatch, fails_every_other_time)
    assert while_remote_answers(gate.wait, LOOK_SECONDS, most_failed_looks=2) is True
    assert found[:6] == ["away", ""] * 3


def test_failed_looks_in_a_row_end_the_call_with_the_remotes_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    found = look_and_find(monkeypatch, lambda number: "away" if number else "")
    with pytest.raises(RuntimeError, match=r"^away$"):
        while_remote_answers(Event().wait, LOOK_SECONDS, most_failed_looks=3)
    assert found == ["", "away", "away", "away"]


def test_what_the_call_raises_is_told_by_its_cause(monkeypatch: pytest.MonkeyPatch) -> None:
    look_and_find(monkeypatch, lambda _: "")

    def refused() -> NoReturn:
        raise ValueError("the push failed") from OSError("no such bucket")

    with pytest.raises(RuntimeError, match=r"^no such bucket$"):
        while_remote_answers(refused, 60, most_failed_looks=1)


def test_a_call_whose_process_was_killed_is_told_so(monkeypatch: pytest.MonkeyPatch) -> None:
    look_and_find(monkeypatch, lambda _: "")
    with pytest.raises(RuntimeError, match="killed"):
        while_remote_answers(lambda: os.kill(os.getpid(), signal.SIGKILL), 60, most_failed_looks=1)
