"""The last rows that a server answered, in a file, for those who ask for it: what to compare with the training data."""

import sys
import threading
import time
from collections import deque
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from labkit.process.errors import InputError
from labkit.process.files import replacing

MOST_ROWS = 10_000
SECONDS = 30.0  # between two writes


class Sample:
    """The last rows, of these columns alone. The file is the owner's, whole or absent; a new start goes on with it."""

    def __init__(self, file: Path, columns: Sequence[str], seconds: float = SECONDS) -> None:
        """Raises InputError where the file holds something else, which would be lost."""
        self._file, self._columns, self._seconds = file, list(columns), seconds
        self._parts: deque[pd.DataFrame] = deque()
        self._written = time.monotonic()
        self._lock = threading.Lock()
        if file.exists():
            self._parts.append(_former(file, self._columns))

    def keep(self, rows: pd.DataFrame) -> None:
        """Take rows in, and write the file once in a while."""
        with self._lock:
            self._parts.append(rows.reindex(columns=self._columns).tail(MOST_ROWS))
            while sum(map(len, self._parts)) - len(self._parts[0]) >= MOST_ROWS:
                self._parts.popleft()
            is_due = time.monotonic() - self._written >= self._seconds
        if is_due:
            self.write()

    def write(self) -> None:
        """Write what is there."""
        with self._lock:
            self._written = time.monotonic()
            if self._parts:
                rows = pd.concat(self._parts).tail(MOST_ROWS)
                try:
                    with replacing(self._file) as beside:
                        beside.touch(mode=0o600)
                        rows.to_csv(beside, index=False)
                except OSError as error:  # a full disk must hold no answer back
                    print(f"{self._file} is not written: {error.strerror}", file=sys.stderr, flush=True)


def _former(file: Path, columns: list[str]) -> pd.DataFrame:
    """The rows that an earlier server kept."""
    try:
        rows = pd.read_csv(file, dtype="str")  # 01067 stays what it is
    except (OSError, ValueError):  # the second is what a file that is no table raises
        rows = pd.DataFrame()
    if [*rows] != columns or len(rows) > MOST_ROWS:
        raise InputError(f"{file} is no sample of this model's rows, and would be replaced; remove it, or name another")
    return rows
