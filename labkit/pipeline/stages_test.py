"""Words for durations, and the process in a command."""

import pytest

from labkit.pipeline.stages import duration, process_of

pytestmark = pytest.mark.unittest


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0.04, "0.0 s"),
        (7, "7.0 s"),
        (9.96, "10.0 s"),
        (10, "10 s"),
        (99.4, "99 s"),
        (100, "2 min"),
        (840, "14 min"),
        (5999, "1 h 40 min"),
        (9000, "2 h 30 min"),
    ],
)
def test_a_duration_is_told_as_people_do(seconds: float, words: str) -> None:
    assert duration(seconds) == words


@pytest.mark.parametrize(
    ("command", "process"),
    [
        ("python -m labkit.launch train_dnn", "train_dnn"),
        ("cd x && .venv/bin/python -m labkit.launch  train --fast; echo", "train"),
        ("mkdir x\npython -m labkit.launch train", "train"),
        ("python -m labkit.launch_else train", ""),
        ("make", ""),
    ],
)
def test_the_process_is_read_from_the_command(command: str, process: str) -> None:
    assert process_of(command) == process
