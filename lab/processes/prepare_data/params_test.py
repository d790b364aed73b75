from typing import Any

import pytest
from pydantic import ValidationError

from lab.processes.prepare_data.params import Data, Split

pytestmark = pytest.mark.unittest


@pytest.mark.parametrize(
    "source",
    ["postgresql://me:secret@host/db", "s3://key:secret@bucket/x.csv"],  # pragma: allowlist secret
)
def test_a_password_is_kept_out_of_the_committed_file(source: str) -> None:
    with pytest.raises(ValidationError, match=r"it holds a password.*write \$NAME there"):
        Data(source=source, target="target", query=None)


@pytest.mark.parametrize("source", ["postgresql://me:$PASSWORD@host/db", "postgresql://me@host/db", "s3://b/x.csv"])
def test_a_source_without_a_password_is_allowed(source: str) -> None:
    assert Data(source=source, target="target", query=None).source == source


@pytest.mark.parametrize(
    "wrong", [{"validation": 0.5}, {"test": 0.5}, {"validation": 0.0}, {"test": -0.1}, {"seed": -1}]
)
def test_a_split_leaves_rows_for_each_part(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match=next(iter(wrong))):
        Split(**({"validation": 0.2, "test": 0.2, "seed": 0} | wrong))
