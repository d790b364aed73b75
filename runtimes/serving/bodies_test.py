import json
from contextlib import suppress
from typing import Any

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runtimes.serving.bodies import BadRequestError, read_table, read_tensors

pytestmark = pytest.mark.unittest

NAMES = ["age", "city"]
ROWS = pd.DataFrame({"age": [40, 60], "city": ["Bonn", None]})

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.just("inputs"),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
FORMS = st.sampled_from(["dataframe_split", "dataframe_records", "instances", "inputs"])
TENSOR = st.fixed_dictionaries({"name": VALUES, "shape": VALUES | st.just([2]), "data": VALUES | st.just([1, 2])})


@pytest.mark.parametrize(
    "content",
    [
        {"dataframe_split": {"columns": NAMES, "data": [[40, "Bonn"], [60, None]]}},
        {"dataframe_split": {"columns": ["city", "age"], "data": [["Bonn", 40], [None, 60]]}},
        {"dataframe_records": [{"age": 40, "city": "Bonn"}, {"age": 60}]},
        {"instances": [{"age": 40, "city": "Bonn"}, {"age": 60, "city": None}]},
        {"instances": [[40, "Bonn"], [60, None]]},
        {"inputs": {"age": [40, 60], "city": ["Bonn", None]}},
        {"inputs": [[40, "Bonn"], [60, None]]},
    ],
)
def test_every_form_of_mlflow_is_the_same_table(content: Any) -> None:
    read = read_table(json.dumps(content).encode(), "application/json; charset=utf-8", NAMES)
    pd.testing.assert_frame_equal(read[NAMES], ROWS, check_dtype=False)


def test_csv_is_read_too() -> None:
    codes = read_table(b"age,city\n40,01067\n", "text/csv", NAMES, ["city"])
    assert codes["city"].tolist() == ["01067"]
    for body in (b"age,city\n40,Bonn\n60,\n", b"x,city,x,age\n1,Bonn,3,40\n2,,3,60\n"):
        read = read_table(body, "text/csv", NAMES)
        pd.testing.assert_frame_equal(read[NAMES], ROWS, check_dtype=False)


@pytest.mark.parametrize(
    ("body", "told"),
    [
        (b"age,city\n99,60,Bonn\n98,10,Bern\n", "not as many fields"),  # pandas would make 60 the age
        (b"age,city\n40,Bonn\n1,5,Bonn\n", "not as many fields"),
        (b"age,city\n40,Bonn\n60", "not as many fields"),
        (b"age,city,age\n40,Bonn,60\n", "two columns have the same name"),
        (b"a,b\n1,2\n", "none of the columns is one that the model reads"),
    ],
)
def test_csv_whose_fields_may_be_of_other_columns_is_refused(body: bytes, told: str) -> None:
    with pytest.raises(BadRequestError, match=told):
        read_table(body, "text/csv", NAMES)


def test_columns_that_the_model_does_not_read_take_no_room() -> None:
    """As many columns as rows: a table of both would have the size of their product."""
    rows = [{"age": number, f"more {number}": 1} for number in range(9)]
    for body, kind in (
        (json.dumps({"dataframe_records": rows}).encode(), ""),
        (json.dumps({"inputs": {"age": [*range(9)], "more": [1]}}).encode(), ""),
        (b"age,a,b\n" + b"".join(b"%d,,\n" % number for number in range(9)), "text/csv"),
    ):
        assert read_table(body, kind, NAMES).to_dict("list") == {"age": [*range(9)]}


@pytest.mark.parametrize(
    "tensors",
    [
        [
            {"name": "age", "shape": [2], "datatype": "FP64", "data": [40, 60]},
            {"name": "city", "shape": [2, 1], "datatype": "BYTES", "data": [["Bonn"], [None]]},
        ],
        [{"name": "rows", "shape": [2, 2], "datatype": "BYTES", "data": [40, "Bonn", 60, None]}],
        [{"name": "rows", "shape": [2, 2], "datatype": "BYTES", "data": [[40, "Bonn"], [60, None]]}],
    ],
)
def test_tensors_are_columns_or_all_of_them(tensors: Any) -> None:
    read = read_tensors(json.dumps({"inputs": tensors}).encode(), NAMES)
    pd.testing.assert_frame_equal(read, ROWS, check_dtype=False)


@pytest.mark.parametrize(
    ("body", "told"),
    [
        (b"{", "the body is not JSON"),
        (b"[" * 100_000, "the body is not JSON"),
        (b"1" * 5_000, "the body is not JSON"),
        (b"[]", "is not a JSON object with one of dataframe_split"),
        (b'{"instances": [[1, 2]], "inputs": {}}', "is not a JSON object with one of dataframe_split"),
        (b'{"instances": [[NaN, 2]]}', "NaN and Infinity are not JSON"),
        (b'{"instances": []}', "there are 0 rows"),
        (b'{"instances": [[1, 2], [3]]}', "do not have the same columns"),
        (b'{"dataframe_split": {"columns": ["a", "b"], "data": [[1], [1, 2]]}}', "do not have the same columns"),
        (b'{"instances": [[1, 2, 3]]}', "do not have the same columns"),
        (b'{"instances": [[1, [2]]]}', "a value is a list or an object"),
        (b'{"instances": 3}', "instances is not a list of rows"),
        (b'{"dataframe_records": [[1, 2]]}', "dataframe_records is not a list of objects"),
        (b'{"dataframe_split": {"data": []}}', "lacks `columns` or `data`"),
        (b'{"dataframe_split": {"columns": ["age", "age"], "data": [[1, 2]]}}', "two columns have the same name"),
        (b'{"dataframe_split": {"columns": [["age", "city"]], "data": [[1]]}}', "`columns` is not a list of names"),
        (b'{"dataframe_records": [{"age": 1, "age": 99}]}', "a JSON object has a key twice"),
        (b'{"dataframe_records": [{"a": 1}]}', "none of the columns is one that the model reads"),
        (b'{"inputs": {"age": {"0": 40}}}', "do not have the same columns"),
        (b'{"instances": [[1, "\\ud800"]]}', "neither a number nor text"),
    ],
)
def test_what_is_no_table_is_refused_in_words(body: bytes, told: str) -> None:
    with pytest.raises(BadRequestError) as refused:
        read_table(body, "application/json", NAMES)
    assert told in str(refused.value)


@pytest.mark.parametrize(
    ("tensor", "told"),
    [
        ({"name": "age", "shape": [3], "data": [1, 2]}, "has 2 values, and its shape asks for more"),
        ({"name": "age", "shape": "2", "data": [1, 2]}, "`shape` is not a list of whole numbers"),
        ({"name": "age", "shape": [1, 3], "data": [1, 2, 3]}, "is not of the shape [rows, 2]"),
        ({"name": "age", "shape": [1], "data": 1}, "`data` is not a list"),
        ({"name": "age", "shape": [10**4000] * 2, "data": [1]}, "its shape asks for more"),
        ({"name": "age", "shape": [10**4000] * 3, "data": [1]}, "`shape` is not [rows] or [rows, columns]"),
    ],
)
def test_what_is_no_tensor_is_refused_in_words(tensor: Any, told: str) -> None:
    with pytest.raises(BadRequestError) as refused:
        read_tensors(json.dumps({"inputs": [tensor]}).encode(), NAMES)
    assert told in str(refused.value)


@settings(deadline=None)
@given(FORMS, VALUES)
def test_any_json_is_a_table_or_refused(form: str, content: Any) -> None:
    with suppress(BadRequestError):
        assert len(read_table(json.dumps({form: content}).encode(), "application/json", NAMES)) > 0


@settings(deadline=None)
@given(st.lists(TENSOR, max_size=3))
def test_any_tensors_are_a_table_or_refused(tensors: Any) -> None:
    with suppress(BadRequestError):
        assert len(read_tensors(json.dumps({"inputs": tensors}).encode(), NAMES)) > 0


@settings(deadline=None)
@given(st.binary(max_size=60), st.sampled_from(["text/csv", "application/json", "", "text/html"]))
def test_any_bytes_are_a_table_or_refused(body: bytes, kind: str) -> None:
    with suppress(BadRequestError):
        assert len(read_table(body, kind, NAMES)) > 0
