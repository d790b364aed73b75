"""Files that are nearly right, for Hypothesis: a good one, in which a few lines, values or bytes are others.

What reads them must take them, or refuse them: `refusal` says what that means.
"""

import datetime
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from copy import deepcopy
from math import inf, nan
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from labkit.process.errors import InputError

SECRET = "S3CRET"  # pragma: allowlist secret
SECRETS: list[Any] = [
    f"postgresql://me:{SECRET}@host/db",  # pragma: allowlist secret
    f"https://host/x.csv?X-Amz-Signature={SECRET}",
    f"{'x' * 90} https://me:{SECRET}@host/x.csv",  # pragma: allowlist secret
    {"password": SECRET},
    [{"aws_secret_access_key": SECRET}],
]
NUMBERS = ["-1", "0", "1e400", ".nan", ".inf", "0x" + "f" * 5000, "1" * 4301, "1:20:30", "0o17", "1_000", "1__", "+"]
TAGS = [
    "2024-02-31",
    "2024-13-01 25:61:61",
    "!!int x",
    "!!binary x",
    "!!set {a, a}",
    "!!omap [1]",
    "!!python/name:os.x",
]
SHAPES = [
    "[" * 1000,
    "{" * 200,
    "[" * 60 + "]" * 60,
    "[" * 50_000,
    "[" + ", ".join(f"&x{n} [" + ", ".join([f"*x{n - 1}"] * 9 if n else ["1"]) + "]" for n in range(12)) + "]",
    "*a",
    "&a [*a]",
    "<<: *a",
    "? [a]\n: b",
    "{? {a: b} : c}",
    "- - -",
]
MARKS = ["", "'", '"', "|", ">-", "%YAML 3.0", "---", "...", "\t", "\0", "\ufeff", "é", "@", "`", "#", ": :", "<<", "="]
TEXTS = [*NUMBERS, *TAGS, *SHAPES, *MARKS, "null", "true", "yes", "~", "{a: 1, a: 2}", "[1, [2, {c: []}]]"]
KEYS = ["", "a", "a.b", "é", "x" * 300, 0, 1.5, True, None, "<<", "password", "do", f"https://me:{SECRET}@host"]
VALUES: list[Any] = [
    *(None, True, False, 0, 1, -1, 2**63, 10**29, 0.5, -0.0, 1e308, inf, nan, b"\xff", datetime.date(2024, 2, 29)),
    *("", " ", ".", "..", "/", "null", "1", "a\nb", "a.b.c", "${x}", "\0", "\ud83d\ude00", "x" * 5000, "é" * 300),
    *([], {}, [[]], [None], [{}], {"a": 1}, {1: 2}, {None: None}, [1, "a", 2.5], {"a": {"b": [{"c": {}}]}}),
    *SECRETS,
]
ENCODINGS = ["utf-8", "utf-8", "utf-8-sig", "utf-16", "utf-32", "latin-1", "cp037"]

LONGEST_LINE = 1000  # of what a refusal says of one key
MOST_LINES = 21
CPU_SECONDS = 10.0  # for what takes milliseconds, on the slowest machine


def for_all(
    examples: "st.SearchStrategy[Any]", count: int, check: Callable[[Any], None], explore: bool = False
) -> None:
    """Check `count` examples, the same each time, or others each time where they `explore`."""
    limits = settings(
        max_examples=count,
        derandomize=not explore,
        deadline=None,
        database=None,
        phases=[Phase.generate],  # making a failing example smaller takes minutes
        report_multiple_bugs=False,
        suppress_health_check=list(HealthCheck),
    )
    limits(given(examples)(check))()


def refusal(read: Callable[[], object], names: str) -> str:
    """The words in which an input is refused; none where it is taken.

    Fails where they are many, tell a secret, or do not name the input; where anything else is raised; where it takes
    seconds.
    """
    try:
        with at_once():
            read()
    except InputError as error:
        words = str(error)
        assert words.count("\n") < MOST_LINES
        assert max(map(len, words.splitlines())) < LONGEST_LINE, words
        assert names in words
        assert SECRET not in words
        return words
    return ""


@contextmanager
def at_once() -> Iterator[None]:
    """Fail what takes more than some seconds of this processor's time, even where it swallows exceptions."""
    late: list[bool] = []

    def stop(*_: object) -> None:
        late.append(True)
        raise TimeoutError

    before = signal.signal(signal.SIGPROF, stop)
    signal.setitimer(signal.ITIMER_PROF, CPU_SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)
        if late:
            pytest.fail(f"it takes more than {CPU_SECONDS} s")


def damaged_yaml(text: str) -> "st.SearchStrategy[bytes]":
    """A YAML file with something wrong in its lines, its values or its bytes."""
    dumped = damaged_values(yaml.safe_load(text)).map(lambda content: yaml.safe_dump(content, sort_keys=False).encode())
    return st.one_of(damaged_lines(text), dumped, damaged_bytes(text.encode()))


@st.composite
def damaged_lines(draw: st.DrawFn, text: str) -> bytes:
    """A text with one to three wrong lines, in any encoding."""
    lines = text.splitlines()
    for _ in range(draw(st.integers(1, 3))):
        at, other = (draw(st.integers(0, len(lines) - 1)) for _ in range(2))
        written = draw(st.sampled_from(TEXTS) | st.text(max_size=9))
        match draw(st.integers(0, 5)):
            case 0 | 1:  # another value
                key, colon, _ = lines[at].partition(": ")
                lines[at] = key + (colon or ": ") + written
            case 2:
                lines[at], lines[other] = lines[other], lines[at]
            case 3:
                lines[at] = " " * draw(st.integers(0, 9)) + lines[at].lstrip()
            case 4:
                lines.insert(at, draw(st.sampled_from([lines[other], written])))
            case 5:
                middle, gone = draw(st.integers(0, len(lines[at]))), draw(st.integers(0, 3))
                lines[at] = lines[at][:middle] + written + lines[at][middle + gone :]
    return ("\n".join(lines) + "\n").encode(draw(st.sampled_from(ENCODINGS)), errors="replace")


@st.composite
def damaged_bytes(draw: st.DrawFn, content: bytes) -> bytes:
    """Bytes of which one to five are others, or the end is missing."""
    changed = bytearray(content)
    for _ in range(draw(st.integers(0, 5))):
        changed[draw(st.integers(0, len(changed) - 1))] = draw(st.integers(0, 255))
    return bytes(changed[: draw(st.integers(0, len(changed)) | st.just(len(changed)))])


@st.composite
def damaged_values(draw: st.DrawFn, content: Any) -> Any:
    """Nested lists and mappings with one to three wrong keys or values."""
    whole = [deepcopy(content)]
    for _ in range(draw(st.integers(1, 3))):
        places = [*_places(whole)]
        inside, key = draw(st.sampled_from(places))
        value = draw(st.sampled_from(VALUES) | st.integers() | st.floats() | st.text(max_size=9))
        match draw(st.integers(0, 5)):
            case 0 | 1:
                inside[key] = deepcopy(value)
            case 2:
                other, name = draw(st.sampled_from(places))
                inside[key] = deepcopy(other[name])
            case 3:
                inside[key] = draw(st.sampled_from([[inside[key]], {"a": inside[key]}, {0: inside[key]}]))
            case 4 if isinstance(inside, dict):
                moved = inside.pop(key)
                if draw(st.booleans()):
                    inside[draw(st.sampled_from(KEYS) | st.text(max_size=9))] = moved
            case _:
                if isinstance(inside, dict):
                    inside[draw(st.sampled_from(KEYS))] = deepcopy(value)
                elif inside is not whole:
                    inside.insert(key, deepcopy(draw(st.sampled_from([inside[key], value]))))
    return whole[0]


def _places(content: Any) -> Iterator[tuple[Any, Any]]:
    """Each list or mapping with each of its indices or keys."""
    if isinstance(content, dict | list):
        for key in [*content] if isinstance(content, dict) else range(len(content)):
            yield content, key
            yield from _places(content[key])


def snapshot(folder: Path) -> dict[str, bytes]:
    """The files below a folder, with their bytes."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
