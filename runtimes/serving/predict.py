"""`python -m lab predict`: the model's answers to the rows of a file, which may be larger than the memory."""

import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
from pyarrow import csv, parquet
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from labkit.process.errors import InputError
from labkit.process.files import replacing
from labkit.process.params import PARAMS_FILE, read_yaml
from runtimes.serving.served import Served

ROWS = 100_000  # at once
FORMATS = (".csv", ".parquet")


def predict_file(file: Path, served: Served, to: Path) -> int:
    """Write the rows of a CSV or Parquet file with the model's answers beside them; return how many there are.

    CSV is read as params.yaml tells of the lab's own table. `to` is whole or not there. Raises InputError for another
    format, a file that can't be read, and rows that the model refuses.
    """
    for path in (file, to):
        if path.suffix not in FORMATS:
            raise InputError(f"{path} is neither {' nor '.join(FORMATS)}")
    if not file.is_file():
        raise InputError(f"{file} is not here")
    done = 0
    columns = (TextColumn("{task.completed:,} rows"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    with _reading(file):
        total = parquet.read_metadata(file).num_rows if file.suffix == ".parquet" else None
    with replacing(to) as beside, Progress(*columns, transient=True) as bar, _output(beside) as write:
        task = bar.add_task("", total=total)
        for rows in _batches(file, served.words):
            try:
                write(_answered(rows, served))
            except (ValueError, pa.ArrowException) as error:
                raise InputError(f"{file}, rows {done + 1} to {done + len(rows)}: {error}") from None
            done += len(rows)
            bar.update(task, completed=done)
        if not done:
            raise InputError(f"{file} has no rows")
    return done


@contextmanager
def _output(path: Path) -> Iterator[Callable[[pd.DataFrame], None]]:
    """What writes rows below those before; the columns of a Parquet file have the types of the first ones."""
    with ExitStack() as opened:
        if path.suffix == ".csv":
            file = opened.enter_context(path.open("wb"))
            yield lambda rows: csv.write_csv(_table(rows), file, csv.WriteOptions(include_header=not file.tell()))
            return
        writers: list[parquet.ParquetWriter] = []

        def write(rows: pd.DataFrame) -> None:
            if not writers:
                writers.append(opened.enter_context(parquet.ParquetWriter(path, _table(rows).schema)))
            writers[0].write_table(_table(rows, writers[0].schema))

        yield write


def _table(rows: pd.DataFrame, schema: pa.Schema | None = None) -> pa.Table:
    return pa.Table.from_pandas(rows, schema, preserve_index=False)


def _batches(file: Path, words: list[str]) -> Iterator[pd.DataFrame]:
    """The rows; of CSV these words are read as they are written."""
    with _reading(file):
        if file.suffix == ".parquet":
            yield from (batch.to_pandas() for batch in parquet.ParquetFile(file).iter_batches(ROWS))
            return
        settings = _settings()
        # pandas would make 5 of 0.5, where the point is the mark of thousands, and a number of 24.12.2026.
        mark, point = settings.pop("thousands", None), settings.get("decimal", ".")
        types: Any = "str" if mark else dict.fromkeys(words, "str")
        with pd.read_csv(file, chunksize=ROWS, low_memory=False, dtype=types, **settings) as batches:
            for rows in batches:
                yield rows.apply(_unmarked, args=(words, mark, point)) if mark else rows


@contextmanager
def _reading(file: Path) -> Iterator[None]:
    """Raise InputError where a file is not what its name says."""
    try:
        yield
    except (pa.ArrowInvalid, pd.errors.ParserError, pd.errors.EmptyDataError, UnicodeDecodeError) as error:
        raise InputError(f"{file} can't be read: {str(error).splitlines()[0]}") from None


def _settings() -> dict[str, Any]:
    """How the lab's own table is read, as far as params.yaml tells."""
    data = read_yaml(PARAMS_FILE).get("data", {}) if PARAMS_FILE.exists() else {}
    named = {"separator": "sep", "encoding": "encoding", "decimal": "decimal", "thousands": "thousands"}
    told = {pandas: data[ours] for ours, pandas in named.items() if data.get(ours)}
    return told | ({"na_values": data["missing_values"]} if data.get("missing_values") else {})


def _unmarked(text: "pd.Series[Any]", words: list[str], mark: str, point: str) -> "pd.Series[Any]":
    """Numbers whose thousands are marked; words, and a column with what is no such number, as they are written."""
    if text.name in words:
        return text
    grouped = rf"\s*[-+]?\d{{1,3}}({re.escape(mark)}\d{{3}})+({re.escape(point)}\d*)?\s*"
    plain = text.where(~text.str.fullmatch(grouped).eq(True), text.str.replace(mark, "", regex=False))
    marked = plain.str.contains(mark, regex=False).eq(True)
    numbers = pd.to_numeric(plain.str.replace(point, ".", regex=False).where(~marked, "none"), errors="coerce")
    return numbers if numbers.notna().eq(text.notna()).all() else text


def _answered(rows: pd.DataFrame, served: Served) -> pd.DataFrame:
    answers = served.predict(rows)
    if both := [*map(str, rows.columns.intersection(answers.columns))]:
        raise ValueError(f"the column {both[0]} is one that the model answers with; rename it")
    return pd.concat([rows, answers], axis=1)
