"""A model that is small, reads what the lab's models read, and needs no training."""

from typing import Any

import pandas as pd
import pytest

from lib.columns import Column, typed
from runtimes.serving.served import Served

COLUMNS = [Column("age", "number"), Column("city", "category", optional=True)]


class Small:
    """Answers `label` and `probability_old`, by age."""

    def predict(self, rows: pd.DataFrame) -> pd.DataFrame:
        """As the lab's models do: typed, or refused with the column and the value."""
        if rows.empty:
            raise ValueError("no rows; give at least one")
        age = typed(rows, COLUMNS)["age"]
        return pd.DataFrame({"label": age.gt(50).map({True: "old", False: "young"}), "probability_old": age / 100})


@pytest.fixture
def small() -> Served:
    """The small model, as v1."""
    columns: list[dict[str, Any]] = [column._asdict() for column in COLUMNS]
    return Served("small", "v1", Small(), columns, ["label", "probability_old"])
