from datetime import date
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import pytest

from lib.columns import Column, date_features, typed

pytestmark = pytest.mark.unittest


def one(values: Any, kind: Any, **more: Any) -> list[Any]:
    """What a column of these values becomes."""
    return typed(pd.DataFrame({"x": values}), [Column("x", kind, **more)])["x"].tolist()


@pytest.mark.parametrize(
    "values", [[1, 2], [1.0, 2.0], ["1", "2.0"], [True, 2], [Decimal(1), "2"], pd.array([1, 2], dtype="Int64")]
)
def test_numbers_of_any_type_are_floats(values: Any) -> None:
    assert one(values, "number") == [1.0, 2.0]


@pytest.mark.parametrize("values", [[1, 2], [1.0, 2.0], ["1", "2"], pd.Categorical(["1", "2"])])
def test_categories_of_any_type_are_text(values: Any) -> None:
    assert one(values, "category") == ["1", "2"]


@pytest.mark.parametrize(
    "value", ["2026-02-01", "1.2.2026", pd.Timestamp(2026, 2, 1), date(2026, 2, 1), "2026-02-01T01:00:00+01:00"]
)
def test_dates_of_any_type_are_dates(value: Any) -> None:
    assert one([value], "date", date_format="%d.%m.%Y") == [pd.Timestamp(2026, 2, 1)]


@pytest.mark.parametrize("kind", ["number", "category", "date"])
def test_what_is_missing_is_refused_unless_the_column_is_optional(kind: Any) -> None:
    rows = pd.DataFrame({"x": [None, np.nan]}, dtype=object)
    assert typed(rows, [Column("x", kind, optional=True)])["x"].isna().all()
    assert typed(rows[[]], [Column("x", kind, optional=True)])["x"].isna().all()
    with pytest.raises(ValueError, match="missing values in x; mend"):
        typed(rows, [Column("x", kind)])
    with pytest.raises(ValueError, match=r"missing inputs \['x'\]"):
        typed(rows[[]], [Column("x", kind)])


@pytest.mark.parametrize(
    ("values", "column", "told"),
    [
        (["many"], Column("x", "number"), "no numbers in x: could not convert string to float: 'many'"),
        ([1e300], Column("x", "number", optional=True), "infinite or far too large values in x"),
        (["soon"], Column("x", "date"), "values in x that are not a date: 'soon'"),
        (["soon"], Column("x", "date", optional=True), "values in x that are not a date: 'soon'"),
        (["huge"], Column("x", "category", levels=["s", "l"]), "values in x that are not one of s, l: 'huge'"),
    ],
)
def test_a_value_of_another_kind_is_refused_with_its_column(values: list[Any], column: Column, told: str) -> None:
    with pytest.raises(ValueError, match=told):
        typed(pd.DataFrame({"x": values}), [column])


@pytest.mark.parametrize("kind", ["number", "category", "date"])
@pytest.mark.parametrize("missing", [None, np.nan, pd.NA, "k.A."])
def test_what_is_missing_is_nan_or_nat_for_scikit_learn(kind: Any, missing: Any) -> None:
    (value,) = one([missing], kind, optional=True, marks=("k.A.",))
    assert isinstance(value, float) or value is pd.NaT
    assert pd.isna(value)


def test_an_unknown_level_of_an_order_is_missing_where_that_is_allowed() -> None:
    assert np.isnan(one(["huge"], "category", optional=True, levels=["s", "l"])[0])


def test_rows_keep_their_labels() -> None:
    assert typed(pd.DataFrame({"x": ["1"]}, index=[7]), [Column("x", "number")]).index.tolist() == [7]


def test_a_date_is_several_numbers() -> None:
    dates = pd.DataFrame({"x": [pd.Timestamp(1971, 1, 1), pd.NaT]})
    features = date_features(dates, ["year", "month", "weekday", "days_since"])
    assert features.iloc[0].to_dict() == {"x_year": 1971, "x_month": 1, "x_weekday": 4, "x_days_since": 365}
    assert features.iloc[1].isna().all()
