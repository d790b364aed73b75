"""What a formula comes to: a source's value, a difference of two, or an end of the 95% interval of either."""

from collections.abc import Callable
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from labkit.figures.notation import Formula, Source
from labkit.figures.rounding import exact
from labkit.figures.sources import NotHereError, Reading, commit_known, source_reader
from labkit.process.errors import InputError
from labkit.process.flat import is_number
from labkit.report.intervals import ROWS, SHARE, wilson

ENDS = ("low", "high")
Evaluating = Callable[[Formula], Any]


def evaluator() -> Evaluating:
    """A function that evaluates formulas; it remembers what it has read for as long as it is used.

    It raises InputError for what does not exist, NotHereError for what is not here.
    """
    read = source_reader()

    def evaluate(formula: Formula) -> Any:
        first, *others = formula.terms
        if not formula.end:
            return exact(_number(read, first)) - exact(_number(read, others[0])) if others else read(first)
        if not others:
            return _share_interval(read, first)[ENDS.index(formula.end)]
        if not (first.commit and others[0].commit):
            raise InputError(f"{formula}: give both commits, as @COMMIT, whose predictions are compared")
        tests = paired_intervals(commit_known(others[0].commit), commit_known(first.commit))
        if (first.file, first.key) != (others[0].file, others[0].key) or (first.file, first.key) not in tests:
            raise InputError(f"{formula}: only the selected model's test metrics are compared row by row")
        return tests[first.file, first.key][ENDS.index(formula.end)]

    return evaluate


def _number(read: Reading, source: Source) -> Any:
    """A number; of a list, how many entries it has."""
    value = read(source)
    value = len(value) if isinstance(value, list) else value
    if not is_number(value):
        raise InputError(f"{source} is no number")
    return value


def _share_interval(read: Reading, source: Source) -> tuple[float, float]:
    """Wilson's interval of a share of the rows that are told beside it."""
    if source.key[-1] != SHARE:
        raise InputError(f"{source} has no interval: only {SHARE} has one")
    share, rows = _number(read, source), _number(read, source._replace(key=(*source.key[:-1], ROWS)))
    if not 0 <= share <= 1 <= rows:
        raise InputError(f"{source} is no share of {rows} rows")
    return wilson(share, rows)


@cache  # commits stay what they are
def paired_intervals(before: str, now: str) -> dict[tuple[str, tuple[str, ...]], tuple[float, float, str]]:
    """The interval of the difference of each test metric of the selected model, and what it says, by its source.

    Raises NotHereError where the predictions of the two are not here, or not of the same rows.
    """
    from labkit.compare.gather import compared_model, differences_of
    from labkit.site.here import read_commit, take_copies

    take_copies([before, now])
    with TemporaryDirectory() as folder:
        sides = [read_commit(commit, Path(folder)) for commit in (before, now)]
        found = differences_of(*(side.read for side in sides))
    board = sides[1].board
    model = compared_model(*(side.read for side in sides))
    tests = [test for test in found.tests if board and test.model == model]
    if not tests or not board:
        why = "; ".join(found.unknown) or "`dvc fetch --all-commits` brings them from the remote, if it has them"
        raise NotHereError(f"predictions of {before[:10]} and {now[:10]} can't be compared here: {why}")
    file = board.selected.as_posix()
    return {(file, ("test", test.found.metric)): (test.found.low, test.found.high, test.verdict) for test in tests}
