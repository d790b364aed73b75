"""Damaged params.yaml, goals.yaml and dvc.lock, some hundred of each, from a seed: read, or refused in few words."""

import random
from collections.abc import Callable
from pathlib import Path

import pytest

from labkit.goals import read_goals
from labkit.paths import ROOT
from labkit.pipeline.records import merge_records, read_records
from labkit.process.errors import InputError
from labkit.process.params import read_yaml, validate, whole_schema

pytestmark = pytest.mark.unittest

LONGEST_REFUSAL = 5000
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
    "*a",
    "&a [*a]",
    "<<: *a",
    "? [a]\n: b",
    "{? {a: b} : c}",
    "- - -",
]
MARKS = [
    "",
    "'",
    '"',
    "|",
    ">-",
    "%YAML 3.0",
    "---",
    "...",
    "\t",
    "\x00",
    "\ufeff",
    "é",
    "@",
    "`",
    "#",
    ": :",
    "<<",
    "=",
]
VALUES = [*NUMBERS, *TAGS, *SHAPES, *MARKS, "null", "true", "yes", "~", "{a: 1, a: 2}", "[1, [2, {c: []}]]"]


def damaged(text: str, draw: random.Random) -> str:
    """The text with one to three things wrong with it."""
    for _ in range(draw.randint(1, 3)):
        lines = text.splitlines()
        at, other = draw.randrange(len(lines)), draw.randrange(len(lines))
        match draw.randrange(6):
            case 0 | 1:  # another value
                key, colon, _ = lines[at].partition(": ")
                lines[at] = key + (colon or ": ") + draw.choice(VALUES)
            case 2:
                lines[at], lines[other] = lines[other], lines[at]
            case 3:
                lines[at] = " " * draw.randint(0, 9) + lines[at].lstrip()
            case 4:
                lines.insert(at, draw.choice([lines[other], draw.choice(VALUES)]))
            case 5:
                middle = draw.randint(0, len(lines[at]))
                lines[at] = lines[at][:middle] + draw.choice(VALUES) + lines[at][middle + draw.randint(0, 3) :]
        text = "\n".join(lines) + "\n"
    return text


def refusal(text: str, read: Callable[[Path], object], path: Path) -> str:
    """The words in which it is refused; none where it is read."""
    path.write_text(text, encoding="utf-8")
    try:
        read(path)
    except InputError as error:
        return str(error)
    return ""


@pytest.mark.parametrize(
    ("file", "read", "count"),
    [
        ("params.yaml", lambda path: validate(whole_schema(), read_yaml(path), path), 300),
        ("goals/goals.yaml", read_goals, 300),
        ("dvc.lock", lambda path: merge_records({}, read_records(path.read_text(encoding="utf-8")), {}), 100),
    ],
)
def test_a_damaged_file_is_read_or_refused(
    file: str, read: Callable[[Path], object], count: int, tmp_path: Path
) -> None:
    text = "\n".join((ROOT / file).read_text(encoding="utf-8").splitlines()[:60])
    draw = random.Random(7)
    told = [refusal(damaged(text, draw), read, tmp_path / "file") for _ in range(count)]
    assert count / 10 < sum(map(bool, told)) < count
    assert max(map(len, told)) < LONGEST_REFUSAL
