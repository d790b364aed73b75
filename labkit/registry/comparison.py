"""Is a candidate worse than the champion beyond noise? The exact McNemar test, on the same test rows."""

import csv
from pathlib import Path
from typing import NamedTuple

from labkit.process.errors import InputError

NOISE = 0.05  # a difference that chance alone makes at least so often is noise
COLUMNS = ("actual", "predicted")


class Row(NamedTuple):
    """A test row: its number in the raw table, where the file tells it, its true class, and the predicted one."""

    number: str
    actual: str
    predicted: str


Rows = list[Row]


class Comparison(NamedTuple):
    """Test rows that only one of two models gets right, of how many, and how often chance alone does as much."""

    rows: int
    only_candidate: int
    only_champion: int
    p: float

    @property
    def worse(self) -> bool:
        """Whether the candidate is worse beyond noise."""
        return self.only_champion > self.only_candidate and self.p < NOISE

    def __str__(self) -> str:
        """As tags and people tell it."""
        return (
            f"of {self.rows} test rows {self.only_candidate} right by the candidate alone, {self.only_champion} by the "
            f"champion alone; p = {self.p:.3g} (exact McNemar)"
        )


def read_predictions(file: Path, of: str) -> Rows:
    """The test rows by the columns `actual`, `predicted` and, if it is there, `row`; `of` names the file.

    Raises InputError for another table.
    """
    try:
        with file.open(encoding="utf-8", newline="") as stream:
            rows = list(csv.DictReader(stream, strict=True))
    except (csv.Error, UnicodeDecodeError) as error:
        raise InputError(f"{of} is not CSV: {error}") from None
    if not rows or any(row.get(column) is None for row in rows for column in COLUMNS):
        raise InputError(f"{of} lacks rows, or the columns {' and '.join(COLUMNS)}, one row for each test row")
    return [Row(row.get("row") or "", row["actual"], row["predicted"]) for row in rows]


def compare(candidate: Rows, champion: Rows) -> Comparison:
    """Compare the predictions of the same rows. Raises InputError when the rows differ: no comparison is then fair."""
    if len(candidate) != len(champion):
        raise InputError(f"the test rows differ: {len(candidate)} of the candidate, {len(champion)} of the champion")
    pairs = list(zip(candidate, champion, strict=True))
    if differ := sum(mine.number != other.number for mine, other in pairs if mine.number and other.number):
        raise InputError(f"the test rows differ: {differ} of {len(pairs)} are other rows of the table")
    if differ := sum(mine.actual != other.actual for mine, other in pairs):
        raise InputError(f"the test rows differ: {differ} of {len(pairs)} have another actual class")
    right = [(mine.actual == mine.predicted, other.actual == other.predicted) for mine, other in pairs]
    only_candidate, only_champion = right.count((True, False)), right.count((False, True))
    from scipy.stats import binomtest  # it takes a second to import, which those who only register need not wait for

    discordant = only_candidate + only_champion
    p = float(binomtest(only_champion, discordant).pvalue) if discordant else 1.0
    return Comparison(len(right), only_candidate, only_champion, p)
