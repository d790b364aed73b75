"""Load a table: a set of scikit-learn's, a file below data/raw, a URL that fsspec reads, or a database's answer."""

import os
import re
import sqlite3
import time
from collections.abc import Callable
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any
from urllib.parse import quote

import pandas as pd
from pandas.api.types import is_integer_dtype

from lab.processes.prepare_data.params import Data
from labkit.process.credentials import VARIABLE
from labkit.process.errors import InputError

if TYPE_CHECKING:
    from sqlalchemy import URL, Connection

DIR_RAW = Path("data/raw")
BUILT_IN = ("breast_cancer", "digits", "iris", "wine")
ROWS_AT_ONCE = 100_000
LOCAL_SCHEMES = ("file", "local", "git", "reference")  # the last two read files of this machine, or name such
OTHER_SEPARATORS = ";\t|"
QUERY_SECONDS = 3600.0  # a query that never ends is told from one that is slow
SQLITE_READS = {sqlite3.SQLITE_SELECT, sqlite3.SQLITE_READ, sqlite3.SQLITE_FUNCTION, sqlite3.SQLITE_RECURSIVE}
MISSING_PACKAGE = "add its package to the Pipfiles of the root and of prepare_data, then `make lock`"


def load_table(data: Data) -> pd.DataFrame:
    """Load the table that `data` names, with its column names untouched (they may repeat).

    Raises InputError when the source is missing, cannot be reached or read, or does not go with `data.query`.
    """
    if (kind := _kind(data.source)) == "database":
        if data.query is None:
            raise InputError(f"params.yaml: data.query is null; for the database {data.source} give the SELECT to run")
        return _query(data.source, data.query)
    if data.query is not None:
        raise InputError(f"params.yaml: data.query is set, but {data.source} is no database; make data.query null")
    if kind == "built-in":
        return _built_in(data.source)
    return _read(data.source, kind)


def _kind(source: str) -> str:
    if source in BUILT_IN:
        return "built-in"
    scheme = re.split("::|://", source)[0]
    if "://" not in source or scheme in ("file", "local"):
        return "file"
    from fsspec.registry import known_implementations  # imported where needed: it takes its time

    return "url" if scheme in known_implementations else "database"


def _built_in(name: str) -> pd.DataFrame:
    from sklearn import datasets

    bunch = getattr(datasets, f"load_{name}")(as_frame=True)
    return bunch.frame.assign(target=bunch.target_names[bunch.target])  # type: ignore[no-any-return]


def _read(source: str, kind: str) -> pd.DataFrame:
    readers: dict[str, Callable[[Any], pd.DataFrame]] = {".csv": _read_csv, ".parquet": _read_parquet}
    for place in [source] if kind == "file" else _local_parts(source):
        _check_below_raw(place, source)
    if (suffix := Path(source).suffix) not in readers:
        raise InputError(f"params.yaml: data.source {source} is neither .csv nor .parquet; convert it")
    address = source if kind == "file" else expanded(source)
    try:
        with _open(address, kind) as file:
            return readers[suffix](file)
    except pd.errors.EmptyDataError:
        raise InputError(f"{source} is empty; put a table with a header and rows there") from None
    except ImportError as error:
        raise InputError(f"{source} cannot be read: {error}; {MISSING_PACKAGE}") from None
    except ValueError as error:
        why = _first_line(error, source)
        raise InputError(f"{source} is no table in {suffix[1:]} format: {why}; mend the file") from None
    except Exception as error:  # each file system has errors of its own
        remedy = "check the address and the credentials (for S3: AWS_ENDPOINT_URL and the other AWS_ variables)"
        raise InputError(f"{source} cannot be read: {_first_line(error, source)}; {remedy}") from None


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
        raise InputError(f"{path} is missing; fetch it with `dvc pull`, or put it there and `dvc add` it")


def _open(address: str, kind: str) -> IO[bytes]:
    if kind == "file":
        return Path(address).open("rb")
    import fsspec

    return fsspec.open(address, "rb").open()  # type: ignore[no-any-return]


def _read_csv(file: IO[bytes]) -> pd.DataFrame:
    # pandas would rename repeated columns, and hide them so.
    header = pd.read_csv(file, header=None, nrows=1, dtype=str, keep_default_na=False).iloc[0].tolist()
    if len(header) == 1 and (other := next((mark for mark in OTHER_SEPARATORS if mark in header[0]), None)):
        raise ValueError(
            f"its fields are separated by {other!r}; write it with ',' between them and points in decimals"
        )
    file.seek(0)
    # The whole file, since a column guessed at by parts may be numbers here and words there.
    table = pd.read_csv(file, low_memory=False)
    if not isinstance(table.index, pd.RangeIndex):
        raise ValueError("its rows have more fields than its header")
    table.columns = pd.Index(header)
    return table


def _read_parquet(file: IO[bytes]) -> pd.DataFrame:
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
    return table.reset_index(drop=True)


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
            _only_read(connection)
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
    """Open a file that nothing is written to, nor to files beside it, which DVC would take for raw data."""
    file = Path(url.database or "").resolve()
    # A file that another program writes to has one of these beside it, and is then read with its locks.
    in_use = any(file.with_name(file.name + end).exists() for end in ("-wal", "-journal"))
    return sqlite3.connect(f"{file.as_uri()}?mode=ro{'' if in_use else '&immutable=1'}", uri=True)


def _only_read(connection: "Connection") -> None:
    """Let the connection read and nothing else, for a limited time where the database has a limit."""
    match connection.dialect.name:
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
            connection.commit()


def expanded(source: str) -> str:
    """The URL, each $NAME replaced by the environment's value, encoded. Raises InputError where it has none."""

    def value(found: re.Match[str]) -> str:
        if found[0][1:] not in os.environ:
            raise InputError(f"params.yaml: data.source {source}: the environment has no {found[0]}; set it")
        return quote(os.environ[found[0][1:]], safe="")

    return re.sub(VARIABLE, value, source)


def _first_line(error: BaseException, source: str) -> str:
    """What went wrong, with $NAME for each value that `expanded` took from the environment."""
    words = f"{type(error).__name__}: {error}".splitlines()[0]
    for name in re.findall(VARIABLE, source):
        value = os.environ.get(name[1:])
        for written in {value, quote(value or "", safe="")} - {"", None}:
            words = words.replace(str(written), name)
    return words
