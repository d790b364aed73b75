import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from sklearn.datasets import load_wine

from labkit.launch.environments import process_python
from labkit.paths import ROOT
from labkit.process.run_file import RUN_FILE_VARIABLE
from labkit.process.tracking import JOURNAL_VARIABLE
from labkit.testing.example_lab import example_params, write_yaml
from lib.data_splits import load_data_splits, load_dataset

pytestmark = pytest.mark.integration

KEY, SECRET = "keyfortests", "secretfortests"  # pragma: allowlist secret


def run_main(
    folder: Path, source: str | dict[str, Any], query: str | None = None, **variables: str
) -> subprocess.CompletedProcess[str]:
    """Run the process in its own environment, where params.yaml is the example's but for its data."""
    params = example_params(ROOT)
    section = source if isinstance(source, dict) else {"source": source}
    params["data"] = {"target": "target", "query": query, **section}
    write_yaml(folder / "params.yaml", params)
    return subprocess.run(
        [process_python("prepare_data"), "-m", "lab.processes.prepare_data.main"],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT), RUN_FILE_VARIABLE: "artifacts/data/run.json", **variables},
        capture_output=True,
        text=True,
    )


def prepared_bytes(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in (folder / "data" / "processed").iterdir()}


@pytest.fixture(scope="module")
def wine() -> pd.DataFrame:
    frame: pd.DataFrame = load_wine(as_frame=True).frame
    return frame


@pytest.fixture(scope="module")
def from_file(wine: pd.DataFrame, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """What the process makes of the wines when they are a CSV file below data/raw."""
    folder = tmp_path_factory.mktemp("from_file")
    (folder / "data" / "raw").mkdir(parents=True)
    wine.to_csv(folder / "data" / "raw" / "wine.csv", index=False)
    done = run_main(folder, "data/raw/wine.csv")
    assert done.returncode == 0, done.stderr
    return prepared_bytes(folder)


@pytest.fixture(scope="module")
def s3(wine: pd.DataFrame, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """An S3 server with the wines in a bucket; the value is what a client needs in its environment."""
    bucket = tmp_path_factory.mktemp("s3") / "bucket"
    bucket.mkdir()
    wine.to_csv(bucket / "wine.csv", index=False)
    wine.to_parquet(bucket / "wine.parquet")
    command = ["rclone", "serve", "s3", "--addr", "127.0.0.1:0", "--auth-key", f"{KEY},{SECRET}", str(bucket.parent)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as server:
        assert server.stderr
        found = (re.search(r"server on \[(http://[\d.:]+)", line) for line in server.stderr)
        url = next(match[1] for match in found if match)
        yield {"AWS_ENDPOINT_URL": url, "AWS_ACCESS_KEY_ID": KEY, "AWS_SECRET_ACCESS_KEY": SECRET}
        server.terminate()


@pytest.mark.parametrize("name", ["wine.csv", pytest.param("wine.parquet", marks=pytest.mark.nightly)])
def test_a_file_in_s3_gives_the_bytes_of_a_local_one(
    name: str, s3: dict[str, str], from_file: dict[str, bytes], tmp_path: Path
) -> None:
    done = run_main(tmp_path, f"s3://bucket/{name}", **s3)
    assert done.returncode == 0, done.stderr
    assert prepared_bytes(tmp_path) == from_file


def test_a_database_gives_the_bytes_of_a_file(wine: pd.DataFrame, from_file: dict[str, bytes], tmp_path: Path) -> None:
    import sqlalchemy

    (tmp_path / "data" / "raw").mkdir(parents=True)
    engine = sqlalchemy.create_engine(f"sqlite:///{tmp_path}/data/raw/wine.db")
    wine.to_sql("wines", engine, index_label="number")
    engine.dispose()
    columns = ", ".join(f'"{name}"' for name in wine)
    done = run_main(tmp_path, "sqlite:///data/raw/wine.db", f"SELECT {columns} FROM wines ORDER BY number")
    assert done.returncode == 0, done.stderr
    assert prepared_bytes(tmp_path) == from_file


@pytest.mark.parametrize(
    ("name", "variables"),
    [
        pytest.param("none.csv", {}, marks=pytest.mark.nightly),
        ("wine.csv", {"AWS_SECRET_ACCESS_KEY": "anothersecret"}),  # pragma: allowlist secret
    ],
)
def test_what_s3_does_not_give_is_one_line_with_the_remedy(
    name: str, variables: dict[str, str], s3: dict[str, str], tmp_path: Path
) -> None:
    done = run_main(tmp_path, f"s3://bucket/{name}", **(s3 | variables))
    assert done.returncode == 1
    assert re.fullmatch(rf"error: s3://bucket/{name} cannot be read: .*AWS_ENDPOINT_URL.*\n", done.stderr)


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder where the process has run once, on three classes."""
    folder = tmp_path_factory.mktemp("prepared")
    done = run_main(folder, "wine", PYTHONHASHSEED="1")
    assert done.returncode == 0, done.stderr
    return folder


def test_three_classes_go_through_the_whole_process(prepared: Path) -> None:
    assert load_dataset(prepared / "data" / "processed").classes == ["class_0", "class_1", "class_2"]
    assert set(load_data_splits(prepared / "data" / "processed").y_test) == {0, 1, 2}


def test_the_same_data_are_the_same_bytes(prepared: Path, tmp_path: Path) -> None:
    run_main(tmp_path, "wine", PYTHONHASHSEED="2")
    own, other = (
        prepared_bytes(folder) | {path.name: path.read_bytes() for path in (folder / "artifacts" / "data").iterdir()}
        for folder in (tmp_path, prepared)
    )
    assert own == other


def test_where_warnings_are_errors_a_run_fails_and_leaves_the_data_before_it(prepared: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(prepared, tmp_path / "folder")
    done = run_main(folder, {"source": "iris", "strict": True})
    assert done.returncode == 1
    assert done.stderr.startswith("error: iris: data.strict is true, and there is to say:\nvalidation has 30 rows")
    assert prepared_bytes(folder) == prepared_bytes(prepared)


def test_the_run_records_rows_and_class_balance(tmp_path: Path) -> None:
    journal = tmp_path / "journal"
    journal.touch()
    run_main(tmp_path, "iris", **{JOURNAL_VARIABLE: str(journal)})
    events: list[dict[str, Any]] = [json.loads(line) for line in journal.read_text().splitlines()]
    (metrics,) = (event["metrics"] for event in events if event["event"] == "metrics")
    rows = [metrics[f"{part}_rows"] for part in ("train", "validation", "test")]
    assert (sum(rows), metrics["classes"]) == (150, 3)
    assert metrics["smallest_class_share"] == metrics["largest_class_share"] == pytest.approx(1 / 3)
    artifacts = [Path(event["path"]).name for event in events if event["event"] == "artifact"]
    assert artifacts == ["dataset.json", "report.json", "report.png"]
    (tags,) = (event["tags"] for event in events if event["event"] == "tags")
    assert tags["lab.warning.1"].startswith("validation has 30 rows and test has 30 rows")
    assert metrics["warnings"] == 1
