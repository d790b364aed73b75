"""Load a table: scikit-learn's, a file below data/raw, a URL that fsspec reads, a database's answer, a data space's."""

import os
import re
import sqlite3
import time
from collections.abc import Sequence
from glob import has_magic
from io import BytesIO
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any
from urllib.parse import quote

import pandas as pd

from lab.processes.prepare_data.params import Data
from lab.processes.prepare_data.reading import Settings, read_unnamed, reader_of
from labkit.process.credentials import VARIABLE
from labkit.process.data_space import SCHEMES, read_resource
from labkit.process.errors import InputError

if TYPE_CHECKING:
    from sqlalchemy import URL, Connection

DIR_RAW = Path("data/raw")
BUILT_IN = ("breast_cancer", "diabetes", "digits", "iris", "wine")
ROWS_AT_ONCE = 100_000
LOCAL_SCHEMES = ("file", "local", "git", "reference")  # the last two read files of this machine, or name such
QUERY_SECONDS = 3600.0  # a query that never ends is told from one that is slow
# A comment ends where it first can, or it would hide a statement; MySQL executes those that begin with /*! or /*M!.
ONE_SELECT = r"(?>\s|\(|--[^\r\n]*[\r\n]|/\*(?!M?!).*?\*/)*+(SELECT|WITH)\b[^;]*;?\s*"
SQLITE_READS = {sqlite3.SQLITE_SELECT, sqlite3.SQLITE_READ, sqlite3.SQLITE_FUNCTION, sqlite3.SQLITE_RECURSIVE}
MISSING_PACKAGE = "add its package to the Pipfiles of the root and of prepare_data, then `make lock`"


def load_table(data: Data, text: Sequence[str] = ()) -> tuple[pd.DataFrame, Settings]:
    """Load the table that `data` names, with its column names untouched (they may repeat), and how it was read.

    The latter are the settings that fit where those of `data` don't. Of several files, the index is (file, row).
    text: columns that are read from a CSV file as they are written: no 01 becomes 1 there.

    Raises InputError when the source is missing, cannot be reached or read, or does not go with `data.query`.
    """
    if (kind := _kind(data.source)) == "database":
        if data.query is None:
            raise InputError(f"params.yaml: data.query is null; for the database {data.source} give the SELECT to run")
        return _query(data.source, data.query), {}
    if data.query is not None:
        raise InputError(f"params.yaml: data.query is set, but {data.source} is no database; make data.query null")
    if kind == "built-in":
        return _built_in(data.source), {}
    return _read(data.source, kind, data, text)


def _kind(source: str) -> str:
    if source in BUILT_IN:
        return "built-in"
    scheme = re.split("::|://", source)[0]
    if "://" not in source or scheme in ("file", "local"):
        return "file"
    if scheme in SCHEMES:
        return "data space"
    from fsspec.registry import known_implementations  # imported where needed: it takes its time

    return "url" if scheme in known_implementations else "database"


def _built_in(name: str) -> pd.DataFrame:
    from sklearn import datasets

    bunch = getattr(datasets, f"load_{name}")(as_frame=True)
    names = bunch.get("target_names")
    return bunch.frame if names is None else bunch.frame.assign(target=names[bunch.target])  # type: ignore[no-any-return]


def _read(source: str, kind: str, data: Data, text: Sequence[str]) -> tuple[pd.DataFrame, Settings]:
    files = _files(source) if kind == "file" else [source]
    for place in _local_parts(source) if kind == "url" else files if kind == "file" else []:
        _check_below_raw(place, source)
    read = [_read_file(file, kind, data, text) for file in files]
    guessed = {key: value for _, settings in read for key, value in settings.items()}
    tables = [table for table, _ in read]
    for file, table in zip(files[1:], tables[1:], strict=True):
        if sorted(table.columns) != sorted(tables[0].columns):
            other = sorted({*table.columns} ^ {*tables[0].columns}) or ["one of them twice"]
            raise InputError(
                f"{file} has other columns than {files[0]} ({', '.join(other)}); name files of one kind in data.source"
            )
    if len(files) == 1:
        return tables[0], guessed
    in_order = [table if table.columns.has_duplicates else table[tables[0].columns] for table in tables]
    return pd.concat(in_order, keys=files, names=["file", "row"]), guessed


def _files(source: str) -> list[str]:
    """The files that `source` stands for: itself, or all that fit where it has a *, ? or [."""
    if not has_magic(source) or Path(source).is_file():
        return [source]
    path = Path(source)
    found = sorted(str(file) for file in Path(path.anchor).glob(str(path.relative_to(path.anchor))) if file.is_file())
    if not found:
        raise InputError(f"params.yaml: data.source {source} fits no file; fetch them with `dvc pull`, or correct it")
    return found


def _read_file(source: str, kind: str, data: Data, text: Sequence[str]) -> tuple[pd.DataFrame, Settings]:
    reader = read_unnamed if kind == "data space" else reader_of(source if kind == "file" else _name(source))
    if reader is None:
        raise InputError(
            f"params.yaml: data.source {source} is neither .csv (or .csv.gz, .csv.zip) nor .parquet; convert it"
        )
    address = source if kind == "file" else expanded(source)
    try:
        with _open(address, kind, source) as file:
            return reader(file, data, text)
    except InputError as error:
        raise InputError(_with_names(str(error), source)) from None
    except pd.errors.EmptyDataError:
        raise InputError(f"{source} is empty; put a table with a header and rows there") from None
    except ImportError as error:
        raise InputError(f"{source} cannot be read: {error}; {MISSING_PACKAGE}") from None
    except ValueError as error:
        why = _first_line(error, source)
        form = "parquet" if source.lower().endswith(".parquet") else "csv"
        raise InputError(f"{source} is no table in {form} format: {why}; mend the file") from None
    except Exception as error:  # each file system has errors of its own
        remedy = "check the address and the credentials (for S3: AWS_ENDPOINT_URL and the other AWS_ variables)"
        raise InputError(f"{source} cannot be read: {_first_line(error, source)}; {remedy}") from None


def _name(url: str) -> str:
    """The name of the file that a URL, or a chain such as zip://wine.csv::https://host/wine.zip, leads to."""
    first = url.split("::")[0]
    return (first if "://" in first else url).split("?")[0]


def _local_parts(url: str) -> list[str]:
    """The files of this machine that a chain such as zip://wine.csv::data/raw/wine.zip reads."""
    from fsspec.registry import known_implementations

    return [
        part
        for part in url.split("::")
        if part.partition("://")[0] in LOCAL_SCHEMES or ("://" not in part and part not in known_implementations)
    ]


def _check_below_raw(path: str, source: str) -> None:
    """DVC watches data/raw: results from any other file would outlive its changes."""
    # The folder is resolved and the file is not, since DVC may put a link to its cache there.
    if not Path(path).parent.resolve().is_relative_to(DIR_RAW.resolve()):
        known = ", ".join(BUILT_IN)
        raise InputError(
            f"params.yaml: data.source {source} is no built-in set ({known}) and no file below {DIR_RAW}; "
            f"move the file there and `dvc add` it"
        )
    try:
        is_there = Path(path).is_file()
    except OSError:  # a name that is too long
        is_there = False
    if not is_there:
        told = _with_names(path, source)
        raise InputError(f"{told} is missing; fetch it with `dvc pull`, or put it there and `dvc add` it")


def _open(address: str, kind: str, source: str) -> IO[bytes]:
    if kind == "file":
        return Path(address).open("rb")
    if kind == "data space":
        return BytesIO(read_resource(address, source))
    import fsspec

    return fsspec.open(address, "rb").open()  # type: ignore[no-any-return]


def _query(source: str, query: str) -> pd.DataFrame:
    import sqlalchemy

    address = expanded(source)
    try:
        url = sqlalchemy.make_url(address)
        if url.get_backend_name() == "sqlite":
            _check_below_raw(url.database or "", source)
            engine = sqlalchemy.create_engine(url, poolclass=sqlalchemy.NullPool, creator=lambda: _open_sqlite(url))
        else:
            engine = sqlalchemy.create_engine(url, poolclass=sqlalchemy.NullPool)
        with engine.connect() as connection:
            _only_read(connection, query)
            connection.execution_options(stream_results=True)
            # In parts, since a row of Python objects takes several times the memory of its numbers.
            return pd.concat(pd.read_sql_query(query, connection, chunksize=ROWS_AT_ONCE), ignore_index=True)
    except InputError:
        raise
    except (ImportError, sqlalchemy.exc.NoSuchModuleError) as error:
        raise InputError(f"{source}: the database's driver is missing: {error}; {MISSING_PACKAGE}") from None
    except Exception as error:  # each driver has errors of its own
        reason = _first_line(error.__cause__ or error, source)
        remedy = f"check data.query ({query}), which may only read, and that the database answers"
        raise InputError(f"{source}: {reason}; {remedy}") from None


def _open_sqlite(url: "URL") -> sqlite3.Connection:
    """Open a file that nothing is written to, nor to files beside it, which DVC would take for raw data.

    Raises InputError for a file with a journal: its last rows stand there alone.
    """
    file = Path(url.database or "")
    for journal in (Path(f"{file}-wal"), Path(f"{file}-journal")):
        if journal.exists():
            raise InputError(
                f"{journal} holds rows that are not in the database yet; end the program that has it open, or, if none "
                f"has, run `sqlite3 {file} 'PRAGMA journal_mode = DELETE'`"
            )
    return sqlite3.connect(f"{file.resolve().as_uri()}?mode=ro&immutable=1", uri=True)


def _only_read(connection: "Connection", query: str) -> None:
    """Let the connection read and nothing else, for a limited time where the database has a limit.

    SQLite is asked about each step of a query. Any other takes one SELECT, since a transaction that may only read can
    be made one that may write by a query of two statements. Raises InputError for another query.
    """
    dialect = connection.dialect
    if dialect.name != "sqlite" and not re.fullmatch(ONE_SELECT, query, re.IGNORECASE | re.DOTALL):
        raise InputError(f"params.yaml: data.query is {query!r}; give one SELECT (or WITH), without another `;`")
    match dialect.name:
        case "sqlite":
            driver: Any = connection.connection.driver_connection
            deadline = time.monotonic() + QUERY_SECONDS
            driver.set_authorizer(
                lambda action, *_: sqlite3.SQLITE_OK if action in SQLITE_READS else sqlite3.SQLITE_DENY
            )
            driver.set_progress_handler(lambda: time.monotonic() > deadline, 10_000)
        case "postgresql":
            connection.exec_driver_sql("SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY")
            connection.exec_driver_sql(f"SET statement_timeout = {QUERY_SECONDS * 1000:.0f}")
            connection.commit()
        case "mysql" | "mariadb":
            connection.exec_driver_sql("SET SESSION TRANSACTION READ ONLY")
            if getattr(dialect, "is_mariadb", False):
                connection.exec_driver_sql(f"SET SESSION max_statement_time = {QUERY_SECONDS:.0f}")
            else:
                connection.exec_driver_sql(f"SET SESSION max_execution_time = {QUERY_SECONDS * 1000:.0f}")
            connection.commit()


def expanded(source: str) -> str:
    """The URL, each $NAME replaced by the environment's value, encoded. Raises InputError where it has none."""

    def value(found: re.Match[str]) -> str:
        if found[0][1:] not in os.environ:
            raise InputError(f"params.yaml: data.source {source}: the environment has no {found[0]}; set it")
        return quote(os.environ[found[0][1:]], safe="")

    return re.sub(VARIABLE, value, source)


def _first_line(error: BaseException, source: str) -> str:
    return _with_names(f"{type(error).__name__}: {error}".splitlines()[0], source)


def _with_names(words: str, source: str) -> str:
    """What is told of a source, with $NAME for each value that `expanded` took from the environment."""
    for name in re.findall(VARIABLE, source):
        value = os.environ.get(name[1:])
        for written in {value, quote(value or "", safe="")} - {"", None}:
            words = words.replace(str(written), name)
    return words
