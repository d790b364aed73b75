"""What a request's body says: a table of raw rows, in MLflow's forms or in those of the open inference protocol."""

import json
from collections.abc import Sequence
from io import BytesIO
from math import prod
from typing import Any, NoReturn

import pandas as pd
from pandas.api.types import is_object_dtype

MOST_ROWS = 100_000
FORMS = "dataframe_split", "dataframe_records", "instances", "inputs"


class BadRequestError(ValueError):
    """What is wrong with a request, in words for people, without a value of it."""


def read_table(body: bytes, content_type: str, columns: list[str], words: Sequence[str] = ()) -> pd.DataFrame:
    """The rows of a request to /invocations: JSON in one of MLflow's forms, or CSV. Raises BadRequestError.

    words: the columns that CSV is not to be made numbers of.
    """
    kind = content_type.partition(";")[0].strip().lower()
    if kind == "text/csv":
        try:
            return checked(pd.read_csv(BytesIO(body), dtype=dict.fromkeys(words, "str")))
        except (ValueError, UnicodeDecodeError, pd.errors.ParserError):
            raise BadRequestError(
                "the body is not CSV with a line of column names, commas between fields, points in numbers"
            ) from None
    if kind not in ("", "application/json"):
        raise BadRequestError("the Content-Type is neither application/json nor text/csv")
    content = read_json(body)
    given = [form for form in FORMS if isinstance(content, dict) and form in content]
    if len(given) != 1:
        raise BadRequestError(f"the body is not a JSON object with one of {', '.join(FORMS)}")
    return checked(_frame(given[0], content[given[0]], columns))


def read_tensors(body: bytes, columns: list[str]) -> pd.DataFrame:
    """The rows of a V2 request: a tensor for each column, or one of all columns in their order.

    https://github.com/kserve/open-inference-protocol. Raises BadRequestError.
    """
    content = read_json(body)
    tensors = content.get("inputs") if isinstance(content, dict) else None
    if not isinstance(tensors, list) or not tensors or not all(isinstance(one, dict) for one in tensors):
        raise BadRequestError("`inputs` is not a list of tensors")
    read = {str(one.get("name")): _tensor(one) for one in tensors}
    if len(read) < len(tensors):
        raise BadRequestError("two tensors have the same name")
    if len(read) == 1 and len(columns) > 1:
        return checked(_of_all_columns(*next(iter(read.values())), columns))
    if any(len(shape) > 1 and shape[1:] != [1] for shape, _ in read.values()):
        raise BadRequestError("a tensor of one column is not of the shape [rows] or [rows, 1]")
    return checked(_made({name: values for name, (_, values) in read.items()}))


def _of_all_columns(shape: list[int], values: list[Any], columns: list[str]) -> pd.DataFrame:
    width = len(columns)
    if len(shape) != 2 or shape[1] != width:
        raise BadRequestError(f"the one tensor is not of the shape [rows, {width}]")
    rows = [values[start : start + width] for start in range(0, len(values), width)]
    return pd.DataFrame(rows, columns=columns)


def read_json(body: bytes) -> Any:
    """JSON without NaN and infinity, which are none. Raises BadRequestError."""
    try:
        return json.loads(body, parse_constant=_refuse_constant)
    except BadRequestError:
        raise
    except (ValueError, RecursionError):
        raise BadRequestError("the body is not JSON") from None


def checked(rows: pd.DataFrame) -> pd.DataFrame:
    """The rows, if there are some and not too many, with names that are words. Raises BadRequestError."""
    if not 0 < len(rows) <= MOST_ROWS:
        raise BadRequestError(f"there are {len(rows)} rows; give 1 to {MOST_ROWS}")
    if not rows.columns.is_unique:
        raise BadRequestError("two columns have the same name")
    for name in rows:
        # Columns of numbers or words alone are of another type.
        if is_object_dtype(rows[name].dtype) and rows[name].map(lambda value: isinstance(value, dict | list)).any():
            raise BadRequestError("a value is a list or an object; give numbers, words, true, false or null")
    return rows


def _refuse_constant(_: str) -> NoReturn:
    raise BadRequestError("NaN and Infinity are not JSON; write null for a missing value")


def _frame(form: str, content: Any, columns: list[str]) -> pd.DataFrame:
    if form == "dataframe_split":
        if not isinstance(content, dict) or not {"columns", "data"} <= content.keys():
            raise BadRequestError("dataframe_split lacks `columns` or `data`")
        return _made(content["data"], content["columns"])
    if form == "inputs" and isinstance(content, dict):
        return _made(content)
    if not isinstance(content, list):
        raise BadRequestError(f"{form} is not a list of rows")
    if all(isinstance(row, dict) for row in content):
        return _made(content)
    if form == "dataframe_records":
        raise BadRequestError("dataframe_records is not a list of objects")
    return _made(content, columns)


def _made(data: Any, columns: Any = None) -> pd.DataFrame:
    try:
        if columns is not None and any(len(row) != len(columns) for row in data):
            raise ValueError  # pandas fills up some, and not others
        return pd.DataFrame(data, columns=columns)
    except Exception:  # pandas raises many for what is no table
        raise BadRequestError("the rows do not have the same columns") from None


def _tensor(tensor: dict[str, Any]) -> tuple[list[int], list[Any]]:
    """The shape and the values, in a row."""
    shape, values = tensor.get("shape"), tensor.get("data")
    if not isinstance(shape, list) or not shape or not all(type(one) is int and one >= 0 for one in shape):
        raise BadRequestError("a tensor's `shape` is not a list of whole numbers")
    if not isinstance(values, list):
        raise BadRequestError("a tensor's `data` is not a list")
    flat = [one for value in values for one in (value if isinstance(value, list) else [value])]
    wanted = prod(shape)
    if len(flat) != wanted:
        raise BadRequestError(f"a tensor has {len(flat)} values, and its shape asks for {wanted}")
    return shape, flat
