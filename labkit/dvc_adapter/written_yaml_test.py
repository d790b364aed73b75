"""What DVC wrote is taken as DVC takes it."""

import math
from typing import Any

import pytest

from labkit.dvc_adapter.lock_text import is_record, parse_lock, written_lock
from labkit.dvc_adapter.written_yaml import parse_written
from labkit.process.errors import InputError

pytestmark = pytest.mark.unittest


def test_what_dvc_wrote_is_taken_as_dvc_takes_it() -> None:
    words = [
        "on",
        "no",
        "yes",
        "y",
        "7:30",
        "012",
        "1_000",
        "0b11",
        "1e-3",
        "=",
        "2001-01-01",
        "~",
        "0o14",
        "+1",
        ".5",
        "<<",
        "NaN",
        ".inf",
        "0x1F",
        "True",
        "null",
        "1.",
        "-",
        "1e5",
        "-1",
    ]
    values = [
        *words,
        "",
        1e-09,
        10**25,
        1e22,
        math.inf,
        -math.inf,
        math.nan,
        True,
        None,
        -0.5,
        0,
        [1, [True]],
        {"b": "no"},
    ]
    record = {"cmd": "a", "params": {"params.yaml": {f"p{place}": value for place, value in enumerate(values)}}}
    text = written_lock({"a": record})
    assert str(parse_written(text, "dvc.lock")["stages"]) == str(parse_lock(text)) == str({"a": record})


@pytest.mark.parametrize("record", [None, [], {"outs": None}, {"deps": [{}]}, {"params": {"params.yaml": None}}])
def test_what_is_no_record_is_told(record: Any) -> None:
    assert not is_record(record)


@pytest.mark.parametrize("text", ["a: 2001-99-99", "a: [", "*a", "!!int x", "{[a]: 1}", "[" * 100])
def test_what_dvc_would_not_write_is_refused(text: str) -> None:
    with pytest.raises(InputError, match=r"^dvc\.lock .*`git checkout dvc.lock` restores"):
        parse_written(text, "dvc.lock")
