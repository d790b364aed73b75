"""Nearly right tables, sources and queries are prepared, or refused in few words, and the raw data stay as they are."""

import datetime
import re
import sqlite3
import string
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import strategies as st
from pyarrow.parquet import write_table

from lab.processes.prepare_data import sources
from lab.processes.prepare_data.params import Params
from lab.processes.prepare_data.preparation import prepare
from lab.processes.prepare_data.sources import load_table
from labkit.process.params import validate
from labkit.testing.damage import ENCODINGS, SECRET, damaged_bytes, for_all, refusal, snapshot

pytestmark = [pytest.mark.unittest, pytest.mark.filterwarnings("ignore")]

# How many examples: the same ones each time, and at night other ones each time.
counts = pytest.mark.parametrize("count", [100, pytest.param(2000, marks=pytest.mark.nightly)])

ROWS = 24
TABLE = pd.DataFrame(
    {
        "length": np.linspace(0.5, 7.5, ROWS),
        "width": np.arange(ROWS) % 7,
        "target": ["rose", "lily"] * (ROWS // 2),
    }
)
NAMES = ["length", "width", "target", "", " ", "Unnamed: 0", "0", "é", "a,b", "x" * 300, "__index_level_0__"]
CELLS = [
    *("", " ", "NA", "nan", "null", "None", "inf", "-inf", "1e400", "1e39", "-0", "9" * 400, "1_000", "0x1F", "1,5"),
    *("True", "2024-02-31", "2024-01-01T00:00:00Z", "1+2j", '"', '"a', "a\nb", "\r", "\0", "é", "=1+1", ";", "\t", "#"),
]
DATE = datetime.datetime(2024, 1, 1)
COLUMNS: list[pa.Array] = [
    pa.array([None] * ROWS),
    pa.array([True, False] * (ROWS // 2)),
    pa.array([b"\xff"] * ROWS),
    pa.array([Decimal("1.50")] * ROWS),
    pa.array([Decimal("9" * 60)] * ROWS),
    pa.array([2**64 - 1, 0] * (ROWS // 2), pa.uint64()),
    pa.array([-(2**63), None] * (ROWS // 2), pa.int64()),
    pa.array(np.linspace(0, 1e300, ROWS)),
    pa.array(np.arange(ROWS, dtype=np.float16)),
    pa.array([[1, 2]] * ROWS),
    pa.array([[]] * ROWS, pa.list_(pa.int8())),
    pa.array([{"a": 1}] * ROWS),
    pa.array([DATE] * ROWS),
    pa.array([datetime.datetime.max] * ROWS, pa.timestamp("us")),
    pa.array([DATE.date()] * ROWS),
    pa.array([DATE] * ROWS, pa.timestamp("ns", "Europe/Madrid")),
    pa.array([datetime.timedelta(1)] * ROWS),
    pa.array([str(number) for number in range(ROWS)]),
    pa.array(["rose", "lily"] * (ROWS // 2)).dictionary_encode(),
    pa.array([1, 2] * (ROWS // 2)).dictionary_encode(),
]
SCHEMES = [
    *("file://", "local://", "memory://", "simplecache::", "filecache::", "zip://x.csv::", "tar://x.csv::"),
    *("dir::", "sqlite:///", "sqlite+pysqlite:///", "sqlite:///file:", "reference://x.csv::", "git://", "data:,"),
    *("blockcache::", "http://127.0.0.1:1/", "https://me:$NAME@127.0.0.1:1/", "postgresql://me@127.0.0.1:1/"),
    *(f"http://me:{SECRET}@h/", "", "://", "::", "ftp://127.0.0.1:1/", "oracle://", "unknown://", "[", "http://["),
    *("sqlite://user@host/", "$HOME"),
]
PLACES = [
    *("data/raw/", "", "../", "./data/raw/../", "/etc/", "data/raw//", "~/", "%2e%2e/", "{tmp}/data/raw/"),
    *("data/../", "\x00"),
]
FILES = [
    *("x.csv", "x.parquet", "x.db", "x.zip", "none.csv", "x.csv?mode=rwc&uri=true", "x.db?mode=rwc", "", "."),
    *("*.csv", "é.csv", f"x.csv?sig={SECRET}", "x.db#", "x.CSV", "x.db?immutable=0&cache=shared&uri=true"),
    *("\ud83d\ude00.csv", "x" * 300 + ".csv"),
]
WORDS = [
    *("SELECT", "*", "length", "width", "target", "FROM", "flowers", "WHERE", "1", "'a'", ",", "(", ")", ";", "--"),
    *("NULL", "DROP TABLE flowers", "DELETE FROM flowers", "PRAGMA writable_schema = 1"),
    *("PRAGMA journal_mode = wal", "VACUUM", "ATTACH 'data/raw/y.db' AS y", "VACUUM INTO 'data/raw/y.db'"),
    *("load_extension('x')", "writefile('data/raw/y', 'x')", "UNION ALL SELECT * FROM flowers"),
    *("WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT * FROM n", "x'ff'", "1e400"),
    *("9" * 40, "CREATE TEMP TABLE t (a)", "INSERT INTO flowers DEFAULT VALUES RETURNING *", ":a", "%s", "?"),
    *("LIMIT 0", "AS target", "GROUP BY target", "ORDER BY 1", "\x00", "é", "zeroblob(9)", "CAST(length AS BLOB)"),
    *("length + NULL"),
]


@pytest.fixture(autouse=True)
def raw(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with good tables, which nothing may change."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sources, "QUERY_SECONDS", 0.2)
    raw = Path("data/raw")
    raw.mkdir(parents=True)
    TABLE.to_csv(raw / "x.csv", index=False)
    TABLE.to_parquet(raw / "x.parquet")
    TABLE.to_csv(raw / "x.zip", index=False, compression={"method": "zip", "archive_name": "x.csv"})
    with sqlite3.connect(raw / "x.db") as connection:
        TABLE.to_sql("flowers", connection, index=False)
    connection.close()
    return raw


def check_prepared(source: str, query: str | None = None, **changes: Any) -> str:
    """Prepare the table as the process does; return the words of a refusal, and none where the splits are whole."""
    content = {
        "data": {"source": source, "target": "target", "query": query} | changes,
        "split": {"validation": 0.2, "test": 0.2, "seed": 7},
    }

    def read() -> None:
        params = validate(Params, content, "params.yaml")
        table, guessed = load_table(params.data, params.split.columns())
        splits = prepare(table, params.data, params.split, guessed).splits
        parts = (splits.X_train, splits.X_val, splits.X_test)
        assert sum(map(len, parts)) == len(table)
        assert all(np.isfinite(part).all() and part.dtype == np.float32 for part in parts)
        assert set(splits.y_train) == set(splits.y_val) == set(splits.y_test)

    before = snapshot(Path())
    told = refusal(read, names="")
    assert snapshot(Path()) == before
    return told


def check_all(examples: st.SearchStrategy[Any], count: int, check: Callable[[Any], str]) -> None:
    """Some are prepared, and some are refused."""
    told: list[str] = []
    for_all(examples, count, lambda example: told.append(check(example)), explore=count > 1000)
    assert 0 < sum(map(bool, told)) < len(told)


@st.composite
def damaged_csv(draw: st.DrawFn) -> bytes:
    """A CSV file with wrong cells, rows, names, separators or bytes."""
    rows = [[*TABLE.columns], *([str(cell) for cell in row] for row in TABLE.to_numpy())]
    for _ in range(draw(st.integers(0, 3))):
        row = draw(st.sampled_from(rows))
        match draw(st.integers(0, 4)):
            case 0 | 1 if row:
                row[draw(st.integers(0, len(row) - 1))] = draw(st.sampled_from([*CELLS, *NAMES]) | st.text(max_size=5))
            case 2:
                row.append(draw(st.sampled_from(CELLS)))
            case 3:
                row[:] = row[: draw(st.integers(0, len(row)))]
            case _:
                column, cell = draw(st.integers(0, 2)), draw(st.sampled_from(CELLS))
                rows[1:] = [[*one[:column], cell, *one[column + 1 :]] for one in rows[1:]]
    comma, end = draw(st.sampled_from([*",,,,;\t|"])), draw(st.sampled_from(["\n", "\n", "\r\n", "\r", "\n\n"]))
    content = end.join(comma.join(row) for row in rows).encode(draw(st.sampled_from(ENCODINGS)), errors="replace")
    return draw(st.just(content) | damaged_bytes(content))


@st.composite
def damaged_parquet(draw: st.DrawFn) -> bytes:
    """A Parquet file with columns of other types and names, or with wrong bytes."""
    table = pa.Table.from_pandas(TABLE, preserve_index=draw(st.booleans()))
    for _ in range(draw(st.integers(0, 2))):
        column, name = draw(st.sampled_from(COLUMNS)), draw(st.sampled_from(NAMES))
        if draw(st.booleans()):
            table = table.append_column(name, column)
        else:
            table = table.set_column(draw(st.integers(0, table.num_columns - 1)), name, column)
    if draw(st.booleans()):
        metadata = draw(damaged_bytes((table.schema.metadata or {b"pandas": b"{}"})[b"pandas"]))
        table = table.replace_schema_metadata({b"pandas": metadata})
    write_table(table.slice(0, draw(st.sampled_from([ROWS, ROWS, ROWS, 0, 1]))), sink := pa.BufferOutputStream())
    content = sink.getvalue().to_pybytes()
    return draw(st.just(content) | st.just(content) | damaged_bytes(content))


@pytest.mark.parametrize(
    ("name", "cell", "told"),
    [
        ("width", "9" * 400, r"far too large values: width is 9{1,60}"),
        ("x" * 300, "a", r"words between the values: x{60}"),
    ],
)
def test_what_was_found_before_is_refused(name: str, cell: str, told: str, raw: Path) -> None:
    column = [cell if number == 3 else str(number) for number in range(ROWS)]
    TABLE.assign(**{name: column}).to_csv(raw / "damaged.csv", index=False)
    assert re.search(told, check_prepared("data/raw/damaged.csv"))


def test_a_name_that_no_file_can_have_is_refused() -> None:
    assert "is missing; fetch it" in check_prepared(f"data/raw/{'x' * 300}.csv")
    assert "data.source is " in check_prepared("file://\0/x.csv")


def test_labels_may_be_bytes_of_any_kind(raw: Path) -> None:
    TABLE.assign(target=[b"\xfe", b"a"] * (ROWS // 2)).to_parquet(raw / "damaged.parquet")
    assert check_prepared("data/raw/damaged.parquet") == ""


@counts
@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_a_damaged_file_is_prepared_or_refused(kind: str, count: int, raw: Path) -> None:
    def check(content: bytes) -> str:
        (raw / f"damaged.{kind}").write_bytes(content)
        return check_prepared(f"data/raw/damaged.{kind}")

    check_all({"csv": damaged_csv, "parquet": damaged_parquet}[kind](), count, check)


@counts
def test_a_damaged_database_is_prepared_or_refused(count: int, raw: Path) -> None:
    content = (raw / "x.db").read_bytes()

    def check(content: bytes) -> str:
        (raw / "damaged.db").write_bytes(content)
        return check_prepared("sqlite:///data/raw/damaged.db", "SELECT * FROM flowers")

    check_all(damaged_bytes(content), count, check)


@counts
def test_any_query_is_answered_or_refused(count: int) -> None:
    words = st.lists(st.sampled_from(WORDS), max_size=5).map(" ".join)
    near = st.tuples(st.sampled_from(["SELECT * FROM flowers ", "SELECT *, ", "SELECT ", ""]), words).map("".join)
    check_all(near, count, lambda query: check_prepared("sqlite:///data/raw/x.db", query))


@counts
def test_any_source_is_read_or_refused(count: int, tmp_path: Path) -> None:
    parts = st.tuples(
        st.lists(st.sampled_from(SCHEMES), max_size=2).map("".join),
        st.sampled_from([*PLACES, "data/raw/", "data/raw/"]),
        st.sampled_from([*FILES, "x.csv", "x.db"]) | st.text(string.printable, max_size=9),
    )
    queries = st.sampled_from([None, None, "SELECT * FROM flowers"])

    def check(example: tuple[tuple[str, ...], str | None]) -> str:
        parts, query = example
        return check_prepared("".join(parts).replace("{tmp}", str(tmp_path)), query)

    check_all(st.tuples(parts, queries), count, check)


@counts
def test_any_target_and_split_is_used_or_refused(count: int) -> None:
    targets = st.sampled_from(NAMES) | st.text(max_size=5)
    check_all(targets, count, lambda target: check_prepared("data/raw/x.csv", target=target))
