"""`python -m lab predict`: the model's answers to the rows of a file, which may be larger than the memory."""

import re
import sys
import warnings
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
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

    CSV is read as params.yaml tells of the lab's own table. Columns that are no numbers of the model are written as
    they are. `to` is whole or not there. Raises InputError for another format, a file that can't be read or written,
    and rows that the model refuses.
    """
    for path in (file, to):
        if path.suffix not in FORMATS:
            raise InputError(f"{path} is neither {' nor '.join(FORMATS)}")
    if not file.is_file():
        raise InputError(f"{file} is not here")
    if to.exists() and to.samefile(file):
        raise InputError(f"{to} is the file to read; name another to write")
    done = 0
    columns = (TextColumn("{task.completed:,} rows"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    with _reading(file):
        total = parquet.read_metadata(file).num_rows if file.suffix == ".parquet" else None
    progress = Progress(*columns, transient=True, disable=not sys.stdout.isatty())  # else empty lines are left in a log
    with _writing(to), replacing(to) as beside, progress as bar, _output(beside) as write:
        task = bar.add_task("", total=total)
        for rows in filter(len, _batches(file, served)):
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
def _output(path: Path) -> Iterator[Callable[[pa.Table], None]]:
    """What writes rows below those before; the columns of a Parquet file have the types of the first ones."""
    with ExitStack() as opened:
        if path.suffix == ".csv":
            file = opened.enter_context(path.open("wb"))
            yield lambda rows: csv.write_csv(rows, file, csv.WriteOptions(include_header=not file.tell()))
            return
        writers: list[parquet.ParquetWriter] = []

        def write(rows: pa.Table) -> None:
            if not writers:
                writers.append(opened.enter_context(parquet.ParquetWriter(path, rows.schema)))
            writers[0].write_table(rows.cast(writers[0].schema))

        yield write


def _batches(file: Path, served: Served) -> Iterator[pa.Table]:
    """The rows as Arrow has them: whole numbers stay whole beside missing ones, and an index is a column."""
    with _reading(file):
        if file.suffix == ".parquet":
            for batch in parquet.ParquetFile(file).iter_batches(ROWS):
                _refuse_twice(batch.schema.names)
                yield pa.Table.from_batches([batch]).replace_schema_metadata()  # without pandas' words of an index
            return
        settings = _settings()
        mark, point = settings.pop("thousands", None), settings.pop("decimal", ".")
        # pandas would call repeated names otherwise, and hide them so.
        first = pd.read_csv(file, header=None, nrows=1, dtype="str", keep_default_na=False, **settings)
        header = [str(name) for name in first.iloc[0]]
        _refuse_twice(header)
        numbers = [name for name in served.names if name in header and name not in served.words]
        # pandas would make 5 of 0.5, where the point is the mark of thousands, and 7 of 007, which no model reads.
        types: Any = dict.fromkeys(header if mark else {*header}.difference(numbers), "str")
        # Else the first fields of rows with more than the header are taken for names of the rows.
        settings |= {"chunksize": ROWS, "low_memory": False, "header": 0, "names": header, "index_col": False}
        with (
            warnings.catch_warnings(action="error", category=pd.errors.ParserWarning),
            pd.read_csv(file, dtype=types, decimal=point, **settings) as batches,
        ):
            for rows in batches:
                for name in numbers:
                    rows[name] = _numbers(rows[name], mark, point)
                yield pa.Table.from_pandas(rows, preserve_index=False)


@contextmanager
def _reading(file: Path) -> Iterator[None]:
    """Raise InputError where a file is not what its name says."""
    try:
        yield
    except InputError:
        raise
    except pd.errors.ParserWarning:
        raise InputError(f"{file} can't be read: its rows have more fields than its header") from None
    except (OSError, ValueError) as error:  # as those of Arrow and of pandas' parser are
        raise InputError(f"{file} can't be read: {str(error).splitlines()[0]}") from None


@contextmanager
def _writing(file: Path) -> Iterator[None]:
    """Raise InputError where a file can't be written, as on a full disk."""
    try:
        yield
    except OSError as error:
        raise InputError(f"{file} can't be written: {error.strerror or error}") from None


def _refuse_twice(names: Sequence[str]) -> None:
    if twice := [name for name, count in Counter(names).items() if count > 1]:
        raise ValueError(f"the column {twice[0]} is there twice; rename one")


def _settings() -> dict[str, Any]:
    """How the lab's own table is read, as far as params.yaml tells."""
    data = read_yaml(PARAMS_FILE).get("data", {}) if PARAMS_FILE.exists() else {}
    named = {"separator": "sep", "encoding": "encoding", "decimal": "decimal", "thousands": "thousands"}
    told = {pandas: data[ours] for ours, pandas in named.items() if data.get(ours)}
    return told | ({"na_values": data["missing_values"]} if data.get("missing_values") else {})


def _numbers(column: "pd.Series[Any]", mark: str | None, point: str) -> "pd.Series[Any]":
    """A column as floats, of text whose thousands are marked too; as it is where it has what is no such number."""
    if mark:
        grouped = rf"\s*[-+]?\d{{1,3}}({re.escape(mark)}\d{{3}})+({re.escape(point)}\d*)?\s*"
        plain = column.where(~column.str.fullmatch(grouped).eq(True), column.str.replace(mark, "", regex=False))
        marked = plain.str.contains(mark, regex=False).eq(True)
        numbers = pd.to_numeric(plain.str.replace(point, ".", regex=False).where(~marked, "none"), errors="coerce")
        return numbers.astype("float64") if numbers.notna().eq(column.notna()).all() else column
    try:
        return column.astype("float64")
    except (OverflowError, TypeError, ValueError):  # which the model refuses
        return column


def _answered(rows: pa.Table, served: Served) -> pa.Table:
    read = rows.select([name for name in rows.column_names if name in served.names]).to_pandas()
    answers = pa.Table.from_pandas(served.predict(read), preserve_index=False)
    if both := [name for name in answers.column_names if name in rows.column_names]:
        raise ValueError(f"the column {both[0]} is one that the model answers with; rename it")
    for name in answers.column_names:
        rows = rows.append_column(name, answers[name])
    return rows
