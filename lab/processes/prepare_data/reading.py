"""Read a table from an open file: CSV as the section data of params.yaml says, or Parquet."""

import gzip
import re
import warnings
from collections.abc import Callable, Sequence
from typing import IO, Any
from zipfile import ZipFile

import pandas as pd
from pandas.api.types import is_integer_dtype, is_numeric_dtype

from lab.processes.prepare_data.params import Data

Settings = dict[str, Any]  # keys of the section data with other values
Reader = Callable[[IO[bytes], Data, Sequence[str]], tuple[pd.DataFrame, Settings]]

COMPRESSIONS = {".gz": "gzip", ".zip": "zip"}
SEPARATORS = ";\t|"


def reader_of(name: str) -> Reader | None:
    """What reads a file of this name; None where nothing does."""
    lower = name.lower()
    compression = next((COMPRESSIONS[end] for end in COMPRESSIONS if lower.endswith(f".csv{end}")), None)
    if lower.endswith(".csv") or compression:
        return lambda file, data, text: read_csv(file, data, text, compression)
    return read_parquet if lower.endswith(".parquet") else None


def read_unnamed(file: IO[bytes], data: Data, text: Sequence[str] = ()) -> tuple[pd.DataFrame, Settings]:
    """Read a file that no name tells the format of: Parquet begins with its own mark, anything else is CSV."""
    return (read_parquet if file.read(4) == b"PAR1" else read_csv)(file, data, text)


def read_csv(
    file: IO[bytes], data: Data, text: Sequence[str] = (), compression: str | None = None
) -> tuple[pd.DataFrame, Settings]:
    """The table, with its column names as they are (they may repeat), and what it was read with in place of `data`.

    text: columns that are read as they are written.
    Where the file does not fit `data`, it is read as it seems to be meant, so that all that is wrong is found at once.
    Raises ValueError where there is no table in it.
    """
    guessed: Settings = {}
    try:
        header = _header(file, data, compression)
        if len(header) == 1 and (found := [mark for mark in SEPARATORS if mark in header[0]]):
            guessed["separator"] = max(found, key=header[0].count)
            header = _header(file, data.model_copy(update=guessed), compression)
        table = _table(file, data.model_copy(update=guessed), text, compression)
    except UnicodeError:
        encoding = _encoding(_content(file, compression))
        if encoding == data.encoding:
            raise
        table, more = read_csv(file, data.model_copy(update={"encoding": encoding}), text, compression)
        return table, {"encoding": encoding, **more}
    table.columns = pd.Index(header)
    return table, guessed


def _header(file: IO[bytes], data: Data, compression: str | None) -> list[str]:
    """The names as they are: pandas would rename repeated ones, and hide them so."""
    file.seek(0)
    options: Any = {"sep": data.separator, "encoding": data.encoding, "compression": compression}
    first = pd.read_csv(file, header=None, nrows=1, dtype=str, keep_default_na=False, **options)
    return [str(name) for name in first.iloc[0]]


def _table(file: IO[bytes], data: Data, text: Sequence[str], compression: str | None) -> pd.DataFrame:
    options: Any = {
        "sep": data.separator,
        "encoding": data.encoding,
        "compression": compression,
        "na_values": data.missing_values,
        "low_memory": False,  # the whole file: a column guessed at by parts may be numbers here and words there
        "index_col": False,  # else the first fields of rows with more than the header are taken for names of the rows
    }
    file.seek(0)
    # 01 is no number in these, nor 1.2.2026
    as_text: Any = dict.fromkeys([*text, *data.category_names(), *data.date_names()], "str")
    with warnings.catch_warnings():
        warnings.simplefilter("error", pd.errors.ParserWarning)
        try:
            table: pd.DataFrame = pd.read_csv(
                file, decimal=data.decimal, thousands=data.thousands, dtype=as_text, **options
            )
        except pd.errors.ParserWarning:
            raise ValueError("its rows have more fields than its header") from None
    if data.thousands is not None:
        file.seek(0)
        written = pd.read_csv(file, dtype="str", **options)
        for name in table:
            if is_numeric_dtype(table[name]) and misgrouped(written[name].dropna(), data).any():
                table[name] = written[name]
    return table


def misgrouped(text: "pd.Series[Any]", data: Data) -> "pd.Series[bool]":
    """Where data.thousands is in a text that has no groups of three: pandas makes 5 of 0.5."""
    mark, point = re.escape(data.thousands or ""), re.escape(data.decimal)
    grouped = rf"\s*[-+]?\d{{1,3}}({mark}\d{{3}})+({point}\d*)?([eE][-+]?\d+)?\s*"
    return text.str.contains(mark).astype(bool) & ~text.str.fullmatch(grouped).astype(bool)


def _encoding(content: bytes) -> str:
    """What the bytes that are no UTF-8 seem to be."""
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        return "utf-16"
    # The bytes by which Windows differs from latin-1 are control characters there, which nobody writes.
    return "cp1252" if any(0x80 <= byte <= 0x9F for byte in set(content)) else "latin-1"


def _content(file: IO[bytes], compression: str | None) -> bytes:
    file.seek(0)
    if compression == "gzip":
        return gzip.decompress(file.read())
    if compression == "zip":
        with ZipFile(file) as archive:
            return archive.read(archive.namelist()[0])
    return file.read()


def read_parquet(file: IO[bytes], data: Data, text: Sequence[str] = ()) -> tuple[pd.DataFrame, Settings]:
    """The table of a Parquet file, which says by itself how it is read. Raises ValueError where it has an index."""
    from pyarrow.parquet import ParquetFile

    # pandas would refuse repeated columns with a message that explains nothing.
    table: pd.DataFrame = ParquetFile(file).read().to_pandas()
    index = table.index
    # Numbers without a name only count the rows, as where pandas has left some out. Anything else may be a feature.
    if any(name is not None for name in index.names) or not is_integer_dtype(index.dtype):
        raise ValueError(
            f"its index ({', '.join(map(str, index.names))}) would be lost; write it with `reset_index()` to keep it "
            "as columns, or with `index=False`"
        )
    return table.reset_index(drop=True), {}
