import re
import sqlite3
from base64 import b64encode
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast
from urllib.parse import urlsplit
from zipfile import ZipFile

import fsspec
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import sqlalchemy
from pyarrow.parquet import write_table

from lab.processes.prepare_data import sources
from lab.processes.prepare_data.params import Data, Split
from lab.processes.prepare_data.preparation import prepare
from lab.processes.prepare_data.sources import BUILT_IN, expanded, load_table
from labkit.paths import ROOT
from labkit.process.errors import InputError
from labkit.testing.connector import PASSWORD, serve_connector

pytestmark = pytest.mark.unittest

TABLE = pd.DataFrame({"length": [1.5, 2.0], "width": [3, 4], "target": ["rose", "lily"]})


def load(source: str, query: str | None = None) -> pd.DataFrame:
    table, guessed = load_table(Data(source=source, target="target", query=query))
    assert guessed == {}
    return table


@pytest.fixture(autouse=True)
def raw(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    directory = tmp_path / "data" / "raw"
    directory.mkdir(parents=True)
    return directory


@pytest.fixture
def database(raw: Path) -> str:
    with sqlite3.connect(raw / "flowers.db") as connection:
        TABLE.to_sql("flowers", connection, index=False)
    connection.close()
    return "sqlite:///data/raw/flowers.db"


@pytest.mark.parametrize("name", BUILT_IN)
def test_built_in_sets_have_named_labels_or_numbers_in_the_target_column(name: str) -> None:
    from sklearn import datasets

    bunch = getattr(datasets, f"load_{name}")()
    table = load(name)
    labels = bunch.target if name == "diabetes" else bunch.target_names[bunch.target]
    np.testing.assert_array_equal(table["target"], labels)
    np.testing.assert_array_equal(table.drop(columns="target"), bunch.data)


def test_a_csv_file_is_read(raw: Path) -> None:
    TABLE.to_csv(raw / "flowers.csv", index=False)
    pd.testing.assert_frame_equal(load("data/raw/flowers.csv"), TABLE)


def test_a_parquet_file_is_read(raw: Path) -> None:
    TABLE.to_parquet(raw / "flowers.parquet")
    pd.testing.assert_frame_equal(load("data/raw/flowers.parquet"), TABLE)


def test_a_query_is_answered(database: str) -> None:
    answer = load(database, "SELECT length, target FROM flowers ORDER BY length DESC")
    pd.testing.assert_frame_equal(answer, TABLE[["length", "target"]][::-1].reset_index(drop=True))


def test_a_url_is_read() -> None:
    fsspec.filesystem("memory").pipe("/flowers.csv", TABLE.to_csv(index=False).encode())
    pd.testing.assert_frame_equal(load("memory://flowers.csv"), TABLE)


def test_repeated_column_names_stay_repeated(raw: Path, database: str) -> None:
    (raw / "twice.csv").write_text("a,a,target\n1,2,x\n")
    assert list(load("data/raw/twice.csv")) == ["a", "a", "target"]
    write_table(pa.table([[1], [2]], names=["a", "a"]), raw / "twice.parquet")
    assert list(load("data/raw/twice.parquet")) == ["a", "a"]
    assert list(load(database, "SELECT width, width FROM flowers")) == ["width", "width"]


def test_a_link_in_data_raw_is_read_as_dvc_may_put_it_there(raw: Path, tmp_path: Path) -> None:
    TABLE.to_csv(tmp_path / "cached", index=False)
    (raw / "flowers.csv").symlink_to(tmp_path / "cached")
    assert len(load("data/raw/flowers.csv")) == len(TABLE)


@pytest.mark.parametrize("source", ["flowers.csv", "data/raw/../flowers.csv", "sqlite:///flowers.db", "sqlite://"])
def test_what_dvc_does_not_watch_is_refused(source: str, tmp_path: Path) -> None:
    TABLE.to_csv(tmp_path / "flowers.csv", index=False)
    TABLE.to_csv(tmp_path / "data" / "flowers.csv", index=False)
    query = "SELECT 1" if "sqlite" in source else None
    with pytest.raises(InputError, match=f"data.source {source} .*no file below data/raw; move .*`dvc add` it"):
        load(source, query)


@pytest.mark.parametrize(
    "chain",
    [
        "simplecache::file://{}/flowers.csv",
        "filecache::local://{}/flowers.csv",
        "zip://flowers.csv::{}/flowers.zip",
        "zip://flowers.csv::file://{}/flowers.zip",
        "zip://flowers.csv::simplecache::{}/data/raw/../flowers.zip",
        "zip://flowers.csv::flowers.zip",
        "git://{}:HEAD@flowers.csv",  # pragma: allowlist secret
        "reference://flowers.csv::{}/references.json",
    ],
)
def test_a_chain_that_ends_where_dvc_does_not_watch_is_refused(chain: str, tmp_path: Path) -> None:
    TABLE.to_csv(tmp_path / "flowers.csv", index=False)
    for folder in (tmp_path, tmp_path / "data"):
        TABLE.to_csv(folder / "flowers.zip", index=False, compression={"method": "zip", "archive_name": "flowers.csv"})
    with pytest.raises(InputError, match="no file below data/raw"):
        load_table(Data.model_construct(source=chain.format(tmp_path), target="target", query=None))


def test_a_chain_that_reads_no_file_of_this_machine_is_read() -> None:
    fsspec.filesystem("memory").pipe("/flowers.csv", TABLE.to_csv(index=False).encode())
    pd.testing.assert_frame_equal(load("simplecache::memory://flowers.csv"), TABLE)


@pytest.mark.parametrize(
    "index", [pd.Index([7, 8], name="age"), pd.Index(["a", "b"]), pd.RangeIndex(2, name="age"), [[1, 2], [3, 4]]]
)
def test_an_index_that_may_be_a_feature_is_not_lost_silently(raw: Path, index: Any) -> None:
    TABLE.set_axis(pd.MultiIndex.from_arrays(index) if isinstance(index, list) else index).to_parquet(raw / "f.parquet")
    with pytest.raises(InputError, match=r"its index \(.*\) would be lost; write it with `reset_index"):
        load("data/raw/f.parquet")


def test_an_index_that_only_counts_rows_is_no_feature(raw: Path) -> None:
    TABLE.iloc[[1]].to_parquet(raw / "f.parquet")
    pd.testing.assert_frame_equal(load("data/raw/f.parquet"), TABLE.iloc[[1]].reset_index(drop=True))


@pytest.mark.parametrize("first", [(10, 11, 12), (10, 15, 12)])
def test_a_comma_at_the_end_of_each_row_moves_no_value(first: tuple[int, ...], raw: Path) -> None:
    """Pandas takes the first fields for names of the rows, and numbers at equal steps for a mere count."""
    (raw / "commas.csv").write_text("a,b,target\n" + "".join(f"{number},{number},x,\n" for number in first))
    assert load("data/raw/commas.csv").to_dict("list") == {"a": [*first], "b": [*first], "target": ["x"] * 3}


def test_a_local_file_by_its_url_is_refused(tmp_path: Path) -> None:
    TABLE.to_csv(tmp_path / "flowers.csv", index=False)
    with pytest.raises(InputError, match="no file below data/raw"):
        load((tmp_path / "flowers.csv").as_uri())


@pytest.mark.parametrize(
    ("source", "query", "message"),
    [
        ("data/raw/none.csv", None, "data/raw/none.csv is missing; fetch it with `dvc pull`"),
        ("data/raw/empty.csv", None, "data/raw/empty.csv is empty; put a table"),
        ("data/raw/uneven.csv", None, "uneven.csv is no table in csv format: .*line 3, saw 3; mend"),
        ("data/raw/headless.csv", None, "its rows have more fields than its header; mend"),
        ("data/raw/words.parquet", None, "words.parquet is no table in parquet format: .*; mend"),
        ("data/raw/words.xlsx", None, "data.source data/raw/words.xlsx is neither .csv .* nor .parquet; convert it"),
        ("https://127.0.0.1:1/flowers.csv", None, "flowers.csv cannot be read: .*; check the address"),
        ("gs://bucket/flowers.csv", None, "flowers.csv cannot be read: .*gcsfs.*; add its package to the Pipfiles"),
        ("iris", "SELECT 1", "data.query is set, but iris is no database; make data.query null"),
        ("sqlite:///data/raw/flowers.db", None, "data.query is null; for the database sqlite:.* give the SELECT"),
        ("sqlite:///data/raw/none.db", "SELECT 1", "data/raw/none.db is missing; fetch it"),
        ("sqlite:///data/raw/flowers.db", "SELECT * FROM trees", r"no such table: trees; check data.query \(SELECT"),
        ("sqlite:///data/raw/flowers.db", "DELETE FROM flowers", "not authorized; check data.query .*may only read"),
        ("oracle://host/flowers", "SELECT 1", "driver is missing: .*; add its package to the Pipfiles"),
        ("nosuch://host/flowers", "SELECT 1", "driver is missing: .*nosuch; add its package to the Pipfiles"),
        ("mysql://me:$NO_SUCH@host/x", "SELECT 1", r"mysql://host/x: the environment has no \$NO_SUCH; set it"),
        ("https://$NO_SUCH@host/x.csv", None, r"data.source https://host/x.csv: the environment has no \$NO_SUCH; set"),
    ],
)
@pytest.mark.usefixtures("database")
def test_what_cannot_be_loaded_is_refused_with_a_remedy(
    source: str, query: str | None, message: str, raw: Path
) -> None:
    (raw / "empty.csv").touch()
    (raw / "uneven.csv").write_text("a,target\n1,x\n1,2,x\n")
    (raw / "headless.csv").write_text("a,target\n1,2,x\n2,2,y\n")
    (raw / "words.parquet").write_text("not parquet")
    (raw / "words.xlsx").touch()
    with pytest.raises(InputError, match=message):
        load(source, query)


@pytest.mark.parametrize(
    ("separator", "encoding"), [(";", "latin-1"), (";", "utf-8"), ("\t", "cp1252"), ("|", "utf-16"), (",", "latin-1")]
)
@pytest.mark.parametrize("end", ["", ".gz", ".zip"])
def test_another_way_of_writing_is_recognised_and_read(separator: str, encoding: str, end: str, raw: Path) -> None:
    table = TABLE.assign(target=["röse", "“lily”" if encoding == "cp1252" else "lily"])
    table.to_csv(raw / f"flowers.csv{end}", sep=separator, encoding=encoding, index=False)
    data = Data(source=f"data/raw/flowers.csv{end}", target="target")
    read, guessed = load_table(data)
    pd.testing.assert_frame_equal(read, table)
    assert {"separator": ",", "encoding": "utf-8", **guessed} == {"separator": separator, "encoding": encoding}
    read, guessed = load_table(data.model_copy(update=guessed))
    assert guessed == {}
    pd.testing.assert_frame_equal(read, table)


def test_the_mark_by_which_excel_begins_utf_8_is_no_part_of_a_name(raw: Path) -> None:
    TABLE.to_csv(raw / "flowers.csv", index=False, encoding="utf-8-sig")
    pd.testing.assert_frame_equal(load("data/raw/flowers.csv"), TABLE)


def test_the_page_on_your_data_quotes_what_its_table_is_told() -> None:
    page = (ROOT / "lab" / "docs" / "your-data.md").read_text(encoding="utf-8")
    exec(page.split("```python\n")[1].split("```")[0], {})  # which writes the table
    quoted = page.split("```\nerror: ")[1].split("```")[0]
    data = Data(source="data/raw/flats.csv", target="Lage")
    table, guessed = load_table(data)
    with pytest.raises(InputError) as refused:
        prepare(table, data, Split(validation=0.2, test=0.2, seed=7), guessed)
    assert str(refused.value).startswith(quoted)


def test_a_file_is_read_as_the_parameters_say(raw: Path) -> None:
    (raw / "flowers.csv").write_text("a;b;c;day;target\n1.234,5;?;01;1.2.2026;x\n")
    settings: dict[str, Any] = {"separator": ";", "decimal": ",", "thousands": ".", "missing_values": ["?"]}
    settings |= {"categories": {"c": "one_hot"}, "dates": {"day": "days_since"}}
    table, guessed = load_table(Data(source="data/raw/flowers.csv", target="target", **settings))
    assert guessed == {}
    assert table.isna().iloc[0].tolist() == [False, True, False, False, False]
    assert table[["a", "c", "day", "target"]].iloc[0].tolist() == [1234.5, "01", "1.2.2026", "x"]


@pytest.mark.parametrize(
    ("decimal", "thousands", "good", "bad"),
    [
        (",", ".", "1.234,5", "0.5"),
        (",", ".", "12.345", "8.4.2024"),
        (",", ".", "-1.234.567,25", "1234.567"),
        (".", ",", "1,234.5e3", "1,25"),
    ],
)
def test_thousands_are_groups_of_three_digits_and_nothing_else(
    decimal: str, thousands: str, good: str, bad: str, raw: Path
) -> None:
    (raw / "flowers.csv").write_text(f"a;b;target\n{good};10{thousands}125;x\n;{bad};y\n")
    data = Data(source="data/raw/flowers.csv", target="target", separator=";", decimal=decimal, thousands=thousands)
    table = load_table(data)[0]
    assert table["a"].iloc[0] == float(good.replace(thousands, "").replace(decimal, "."))
    assert table["b"].tolist() == [f"10{thousands}125", bad]


def test_what_rows_are_split_by_is_read_as_it_is_written(raw: Path) -> None:
    (raw / "flowers.csv").write_text("day;target\n08.04.2024;x\n12.345;y\n")
    data = Data(source="data/raw/flowers.csv", target="target", separator=";", decimal=",", thousands=".")
    assert load_table(data, ["day"])[0]["day"].tolist() == ["08.04.2024", "12.345"]


def test_several_files_are_one_table_whose_rows_know_their_file(raw: Path) -> None:
    TABLE.to_csv(raw / "flowers-1.csv", index=False)
    TABLE[["target", "width", "length"]].to_csv(raw / "flowers-2.csv", index=False)
    (raw / "other.csv").write_text("x\n1\n")
    table = load("data/raw/flowers-*.csv")
    assert table.index[-1] == ("data/raw/flowers-2.csv", 1)
    pd.testing.assert_frame_equal(table.reset_index(drop=True), pd.concat([TABLE, TABLE], ignore_index=True))
    with pytest.raises(
        InputError, match=r"other\.csv has other columns than .*flowers-1\.csv \(length, target, width, x\)"
    ):
        load("data/raw/*.csv")
    with pytest.raises(InputError, match=r"trees-\*\.csv fits no file"):
        load("data/raw/trees-*.csv")
    (raw.parent / "other").mkdir()
    TABLE.to_csv(raw.parent / "other" / "flowers.csv")
    with pytest.raises(InputError, match="no file below data/raw"):
        load("data/*/flowers*.csv")


def test_an_archive_of_several_files_is_refused(raw: Path) -> None:
    with ZipFile(raw / "flowers.csv.zip", "w") as archive:
        for name in ("a.csv", "b.csv"):
            archive.writestr(name, TABLE.to_csv(index=False))
    with pytest.raises(InputError, match=r"Multiple files found in ZIP file.*; mend the file"):
        load("data/raw/flowers.csv.zip")


@pytest.mark.parametrize("journal", ["delete", "wal"])
@pytest.mark.parametrize(
    "query",
    [
        "DELETE FROM flowers",
        "DROP TABLE flowers",
        "INSERT INTO flowers VALUES (1, 2, 'rose') RETURNING *",
        "ATTACH 'data/raw/other.db' AS other",
        "VACUUM INTO 'data/raw/other.db'",
        "VACUUM",
        "PRAGMA query_only = OFF",
        "PRAGMA journal_mode = TRUNCATE",
        "CREATE TEMP TABLE other (a)",
    ],
)
def test_a_query_changes_nothing(query: str, journal: str, database: str, raw: Path) -> None:
    with sqlite3.connect(raw / "flowers.db") as connection:
        connection.execute(f"PRAGMA journal_mode = {journal}")
    connection.close()
    before = (raw / "flowers.db").read_bytes()
    with pytest.raises(InputError, match="may only read"):
        load(database, query)
    assert len(load(database, "WITH all_of AS (SELECT * FROM flowers) SELECT length, max(width) FROM all_of")) == 1
    assert {file.name: file.read_bytes() for file in raw.iterdir()} == {"flowers.db": before}


def test_a_file_that_another_program_has_open_or_left_half_written_is_refused(database: str, raw: Path) -> None:
    with sqlite3.connect(raw / "flowers.db") as connection:
        connection.execute("PRAGMA journal_mode = wal")
        connection.execute("INSERT INTO flowers VALUES (1, 2, 'rose')")
        connection.commit()
        with pytest.raises(InputError, match=r"^data/raw/flowers.db-wal holds rows .*; end the program"):
            load(database, "SELECT * FROM flowers")
        left = {file.name: file.read_bytes() for file in raw.iterdir() if not file.name.endswith("-shm")}
    connection.close()
    for name, content in left.items():  # as after a kill
        (raw / name).write_bytes(content)
    before = {*raw.iterdir()}
    with pytest.raises(InputError, match="-wal holds rows"):
        load(database, "SELECT * FROM flowers")
    assert {*raw.iterdir()} == before
    with sqlite3.connect(raw / "flowers.db") as connection:  # what the error tells to do
        connection.execute("PRAGMA journal_mode = DELETE")
    connection.close()
    assert len(load(database, "SELECT * FROM flowers")) == len(TABLE) + 1


def test_a_query_without_an_end_is_ended(database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sources, "QUERY_SECONDS", 0.1)
    endless = "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT count(x) FROM n"
    with pytest.raises(InputError, match=r"interrupted; check data\.query"):
        load(database, endless)


class Asked(list[str]):
    """A connection, of no server: what a database is told before the query."""

    def __init__(self, name: str, **dialect: bool) -> None:
        self.dialect = SimpleNamespace(name=name, **dialect)

    exec_driver_sql = list.append

    def commit(self) -> None:
        self.append("commit")


@pytest.mark.parametrize(
    ("connection", "told"),
    [
        (Asked("postgresql"), ["AS TRANSACTION READ ONLY", "statement_timeout = 3600000", "commit"]),
        (Asked("mysql", is_mariadb=False), ["TRANSACTION READ ONLY", "max_execution_time = 3600000", "commit"]),
        (Asked("mysql", is_mariadb=True), ["TRANSACTION READ ONLY", "max_statement_time = 3600", "commit"]),
        (Asked("mariadb", is_mariadb=True), ["TRANSACTION READ ONLY", "max_statement_time = 3600", "commit"]),
        (Asked("oracle"), []),
    ],
    ids=lambda value: value.dialect.name if isinstance(value, Asked) else "",
)
def test_a_server_is_told_to_change_nothing_and_to_give_up(connection: Asked, told: list[str]) -> None:
    sources._only_read(cast("sqlalchemy.Connection", connection), "SELECT 1")
    assert [words.endswith(end) for words, end in zip(connection, told, strict=True)] == [True] * len(told)


@pytest.mark.parametrize("dialect", ["postgresql", "mysql", "oracle", "mssql"])
@pytest.mark.parametrize(
    "query",
    [
        "DROP TABLE flowers",
        "SET TRANSACTION READ WRITE; DELETE FROM flowers",
        "SELECT 1; DROP TABLE flowers",
        "/* SELECT */ DELETE FROM flowers",
        "-- SELECT\nDELETE FROM flowers",
        "/* */ DELETE FROM flowers WHERE a IN (/* */ SELECT 1)",
        "/*! DELETE FROM flowers WHERE a IN (*/ SELECT 1 /*! ) */",
        "-- all\rCOPY flowers TO PROGRAM 'sh' --\nSELECT",
        "/**/" * 60 + "DELETE FROM flowers",  # in less than the age of the universe
        "SELECTED",
        "",
    ],
)
def test_what_is_not_one_select_is_no_query_for_a_server(query: str, dialect: str) -> None:
    connection = Asked(dialect)
    with pytest.raises(InputError, match=r"data\.query is .*; give one SELECT"):
        sources._only_read(cast("sqlalchemy.Connection", connection), query)
    assert connection == []


@pytest.mark.parametrize(
    "query", [" select a\nfrom b;\n", "(SELECT 1) UNION (SELECT 2)", "-- all\n/* of them */ WITH a AS (b) SELECT"]
)
def test_one_select_is_a_query_for_a_server(query: str) -> None:
    sources._only_read(cast("sqlalchemy.Connection", Asked("oracle")), query)


def test_secrets_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_PASSWORD", "s3cr@t/$1?#")
    url = sqlalchemy.make_url(expanded("postgresql://me:$DATABASE_PASSWORD@host/flowers"))
    assert (url.password, url.host, url.database) == ("s3cr@t/$1?#", "host", "flowers")
    url = sqlalchemy.make_url(expanded("mssql+pyodbc:///?odbc_connect=Server=host;PWD=$DATABASE_PASSWORD"))
    assert url.query == {"odbc_connect": "Server=host;PWD=s3cr@t/$1?#"}
    assert urlsplit(expanded("https://$DATABASE_PASSWORD@host/x.csv")).hostname == "host"


def test_an_error_names_the_variable_and_not_what_it_holds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("THE_TOKEN", "hid den/")
    with pytest.raises(InputError, match="cannot be read") as refused:
        load("https://127.0.0.1:1/$THE_TOKEN/flowers.csv")
    assert "hid" not in str(refused.value)
    with pytest.raises(InputError, match=r"data/raw/\$THE_TOKEN\.db is missing"):
        load("sqlite:///data/raw/$THE_TOKEN.db", query="SELECT 1")


def test_a_resource_of_a_data_space_is_read_as_the_page_shows(monkeypatch: pytest.MonkeyPatch) -> None:
    (source,) = re.findall(r"source: (ids.*)", (ROOT / "lab/docs/data-spaces.md").read_text(encoding="utf-8"))
    monkeypatch.setenv("IDS_PASSWORD", PASSWORD)
    with serve_connector() as connector:
        source = source.replace("ids+https", "ids+http").replace("connector.example.com:8184", connector.host)
        connector.content = TABLE.to_csv(index=False).encode()
        pd.testing.assert_frame_equal(load(source), TABLE)
        TABLE.to_parquet("table.parquet")
        connector.content, connector.unpacks = b64encode(Path("table.parquet").read_bytes()), False
        pd.testing.assert_frame_equal(load(source), TABLE)
        connector.content = b""
        with pytest.raises(InputError, match="CSV resource is empty"):
            load(source)
        with pytest.raises(InputError, match=r"data\.query is set, but ids\+http.* is no database"):
            load(source, "SELECT 1")
        with pytest.raises(InputError, match="no resource is called") as refused:
            load(source.replace("CSV resource", "$IDS_PASSWORD"))
    assert PASSWORD not in str(refused.value)
    assert "'$IDS_PASSWORD'" in str(refused.value)
