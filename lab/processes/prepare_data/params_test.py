from typing import Any

import pytest
from pydantic import ValidationError

from lab.processes.prepare_data.params import Data, Params, Split
from labkit.process.errors import InputError
from labkit.process.params import validate

pytestmark = pytest.mark.unittest

SPLIT = {"validation": 0.2, "test": 0.2, "seed": 0}


SECRETS = [
    "postgresql://me:S3CRET@host/db",  # pragma: allowlist secret
    "s3://key:S3CRET@bucket/x.csv",  # pragma: allowlist secret
    "postgresql://me:S3/CRET@host/db",  # pragma: allowlist secret
    "postgresql://me:S3#CRET@host/db",  # pragma: allowlist secret
    "postgresql://me:S3?CRET@host/db",  # pragma: allowlist secret
    "postgresql://me:S3@CRET@host/db",  # pragma: allowlist secret
    "postgresql://me:S3 CRET@host/db",
    "postgresql://me:$3CRET@host/db",  # pragma: allowlist secret
    "postgresql://me:$Secret@host/db",  # pragma: allowlist secret
    "postgresql://host/db?user=me&password=S3CRET",
    "simplecache::https://me:S3CRET@host/x.csv",  # pragma: allowlist secret
    "zip://x.csv::https://me:S3CRET@host/x.zip",  # pragma: allowlist secret
    "https://S3CRET@host/x.csv",
    "https://host/x.csv?X-Amz-Signature=S3CRET",
    "https://host/x.csv?sv=1&sig=S3CRET",
    "https://host/x.csv?access_token=S3CRET",
    "mssql+pyodbc:///?odbc_connect=DRIVER%3D%7BODBC%7D%3BUID%3Dme%3BPWD%3DS3CRET",
    "mssql+pyodbc:///?odbc_connect=Server=host;UID=me;PWD={S3 CRET};",
]  # pragma: allowlist secret


@pytest.mark.parametrize("source", SECRETS)
def test_a_password_is_kept_out_of_the_committed_file_and_out_of_the_refusal(source: str) -> None:
    content = {"data": {"source": source, "target": "target", "query": None}, "split": SPLIT}
    with pytest.raises(InputError, match=r"holds a password.*write \$NAME in its place") as refused:
        validate(Params, content, "params.yaml")
    assert "CRET" not in str(refused.value)


@pytest.mark.parametrize("key", ["sorce", "password"])
@pytest.mark.parametrize("source", SECRETS)
def test_a_password_is_not_shown_where_its_key_is_wrong(key: str, source: str) -> None:
    with pytest.raises(InputError, match=f"{key} .*is unknown") as refused:
        validate(Params, {"data": {key: source}, "split": SPLIT}, "params.yaml")
    assert "CRET" not in str(refused.value)


@pytest.mark.parametrize(
    "source",
    [
        "postgresql://me:$PASSWORD@host/db",  # pragma: allowlist secret
        "postgresql://me@host/db",
        "s3://b/x.csv",
        "s3://b/day@night.csv",
        "https://host:8080/x.csv?version=3",
        "https://$TOKEN@host/x.csv",
        "https://host/x.csv?sv=1&sig=$SIGNATURE",
        "mssql+pyodbc:///?odbc_connect=Server=host;UID=me;PWD=$PASSWORD",
        "sqlite:///data/raw/x.db",
        "data/raw/a@b.csv",
    ],
)
def test_a_source_without_a_password_is_allowed(source: str) -> None:
    assert Data(source=source, target="target", query=None).source == source


def test_a_query_with_a_password_is_refused_and_not_shown() -> None:
    content = {"data": {"source": "x", "target": "y", "query": "SELECT dblink('password=S3CRET')"}, "split": SPLIT}
    with pytest.raises(InputError, match=r"data\.query gives a password") as refused:
        validate(Params, content, "params.yaml")
    assert "S3CRET" not in str(refused.value)


@pytest.mark.parametrize(
    ("key", "value", "wanted"),
    [
        ("missing", "mean", "write median, most_frequent, drop_rows or"),
        ("missing", {"age": "mean"}, "write median, most_frequent, drop_rows or"),
        ("categories", {"size": ["small"]}, "write one_hot for all columns, or as"),
        ("dates", {"day": ["hour"]}, "days_since, for all columns of dates or as"),
        ("encoding", "latin-0", "no encoding"),
        ("separator", "; ", "at most 1 character"),
    ],
)
def test_a_wrong_choice_is_refused_in_one_line_with_what_is_wanted(key: str, value: Any, wanted: str) -> None:
    content = {"data": {"source": "iris", "target": "target", key: value}, "split": SPLIT}
    with pytest.raises(InputError, match=rf"params.yaml: data.{key} is .*{wanted}") as refused:
        validate(Params, content, "params.yaml")
    assert "\n" not in str(refused.value)


def test_rows_are_split_in_one_way() -> None:
    with pytest.raises(ValidationError, match="group and time cannot both be given"):
        Split(validation=0.2, test=0.2, seed=0, group="patient", time="day")


@pytest.mark.parametrize(
    "wrong", [{"validation": 0.5}, {"test": 0.5}, {"validation": 0.0}, {"test": -0.1}, {"seed": -1}]
)
def test_a_split_leaves_rows_for_each_part(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match=next(iter(wrong))):
        Split(**(SPLIT | wrong))
