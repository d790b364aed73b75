"""What a request's body says: a table of raw rows, in MLflow's forms or in those of the open inference protocol.

Only the model's columns are taken into it: rows that each name others would fill a table of rows x names.
"""

import csv
import json
from collections.abc import Collection, Sequence
from io import BytesIO, TextIOWrapper
from math import prod
from typing import Any, NoReturn

import pandas as pd
from pandas.api.types import is_object_dtype

MOST_ROWS = 100_000
FORMS = "dataframe_split", "dataframe_records", "instances", "inputs"
OTHER_COLUMNS = "the rows do not have the same columns"


class BadRequestError(ValueError):
    """What is wrong with a request, in words for people, without a value of it."""


def read_table(body: bytes, content_type: str, columns: list[str], words: Sequence[str] = ()) -> pd.DataFrame:
    """The rows of a request to /invocations: JSON in one of MLflow's forms, or CSV. Raises BadRequestError.

    words: the columns that CSV is not to be made numbers of.
    """
    kind = content_type.partition(";")[0].strip().lower()
    if kind == "text/csv":
        try:
            return checked(_csv(body, columns, words))
        except BadRequestError:
            raise
        except (ValueError, csv.Error):  # pandas' errors are of the first kind
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
    if any(len(shape) > 1 and shape[1] != 1 for shape, _ in read.values()):
        raise BadRequestError("a tensor of one column is not of the shape [rows] or [rows, 1]")
    return checked(_of_columns({name: values for name, (_, values) in read.items()}, columns))


def _of_all_columns(shape: list[int], values: list[Any], columns: list[str]) -> pd.DataFrame:
    width = len(columns)
    if len(shape) != 2 or shape[1] != width:
        raise BadRequestError(f"the one tensor is not of the shape [rows, {width}]")
    return _made({name: values[place::width] for place, name in enumerate(columns)})


def read_json(body: bytes) -> Any:
    """JSON without NaN and infinity, which are none, and without a key twice. Raises BadRequestError."""
    try:
        return json.loads(body, parse_constant=_refuse_constant, object_pairs_hook=_said_once)
    except BadRequestError:
        raise
    except (ValueError, RecursionError):
        raise BadRequestError("the body is not JSON") from None


def checked(rows: pd.DataFrame) -> pd.DataFrame:
    """The rows, if there are some and not too many, with values that are none of many. Raises BadRequestError."""
    _count(len(rows))
    for name in rows:
        # Columns of numbers or words alone are of another type.
        if is_object_dtype(rows[name].dtype) and rows[name].map(lambda value: isinstance(value, dict | list)).any():
            raise BadRequestError("a value is a list or an object; give numbers, words, true, false or null")
    return rows


def _count(rows: int) -> None:
    if not 0 < rows <= MOST_ROWS:
        raise BadRequestError(f"there are {rows} rows; give 1 to {MOST_ROWS}")


def _csv(body: bytes, columns: list[str], words: Sequence[str]) -> pd.DataFrame:
    lines = filter(None, csv.reader(TextIOWrapper(BytesIO(body), "utf-8-sig", newline="")))
    header = next(lines, [])
    known = _known(header, columns)
    # pandas takes fields too many for the names of the rows, or leaves them out, and fills up where there are too few.
    if any(len(line) != len(header) for line in lines):
        raise BadRequestError("the rows have not as many fields as the line of column names")
    types: Any = dict.fromkeys(words, "str")
    return pd.read_csv(BytesIO(body), dtype=types, usecols=lambda name: name in known)


def _known(names: Sequence[Any], columns: Collection[str]) -> list[str]:
    """Those names that are the model's columns. Raises BadRequestError where one is there twice, or none is."""
    wanted = {*columns}
    known = [name for name in names if name in wanted]
    if len({*known}) < len(known):
        raise BadRequestError("two columns have the same name")
    if not known:
        raise BadRequestError("none of the columns is one that the model reads")
    return known


def _said_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise BadRequestError("a JSON object has a key twice")
    return found


def _refuse_constant(_: str) -> NoReturn:
    raise BadRequestError("NaN and Infinity are not JSON; write null for a missing value")


def _frame(form: str, content: Any, columns: list[str]) -> pd.DataFrame:
    if form == "dataframe_split":
        if not isinstance(content, dict) or not {"columns", "data"} <= content.keys():
            raise BadRequestError("dataframe_split lacks `columns` or `data`")
        return _of_rows(content["data"], content["columns"], columns)
    if form == "inputs" and isinstance(content, dict):
        return _of_columns(content, columns)
    if not isinstance(content, list):
        raise BadRequestError(f"{form} is not a list of rows")
    _count(len(content))
    if all(isinstance(row, dict) for row in content):
        known = _known([*dict.fromkeys(name for row in content for name in row)], columns)
        return _made({name: [row.get(name) for row in content] for name in known})
    if form == "dataframe_records":
        raise BadRequestError("dataframe_records is not a list of objects")
    return _of_rows(content, columns, columns)


def _of_rows(rows: Any, names: Any, columns: list[str]) -> pd.DataFrame:
    """A table of rows, each a list with a value for each name."""
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise BadRequestError("`columns` is not a list of names")
    if not isinstance(rows, list) or not all(isinstance(row, list) and len(row) == len(names) for row in rows):
        raise BadRequestError(OTHER_COLUMNS)
    places = {name: names.index(name) for name in _known(names, columns)}
    return _made({name: [row[place] for row in rows] for name, place in places.items()})


def _of_columns(content: dict[str, Any], columns: list[str]) -> pd.DataFrame:
    """A table of columns, each a list with a value for each row."""
    found = {name: content[name] for name in _known([*content], columns)}
    if not all(isinstance(values, list) for values in found.values()) or len({*map(len, found.values())}) > 1:
        raise BadRequestError(OTHER_COLUMNS)
    return _made(found)


def _made(columns: dict[str, list[Any]]) -> pd.DataFrame:
    try:
        return pd.DataFrame(columns)
    except Exception:  # pandas raises many, as for half a surrogate pair
        raise BadRequestError("a value is neither a number nor text, true, false or null") from None


def _tensor(tensor: dict[str, Any]) -> tuple[list[int], list[Any]]:
    """The shape and the values, in a row."""
    shape, values = tensor.get("shape"), tensor.get("data")
    if not isinstance(shape, list) or not all(type(one) is int and one >= 0 for one in shape):
        raise BadRequestError("a tensor's `shape` is not a list of whole numbers")
    if not 1 <= len(shape) <= 2:  # nor would the product of more be known soon
        raise BadRequestError("a tensor's `shape` is not [rows] or [rows, columns]")
    if not isinstance(values, list):
        raise BadRequestError("a tensor's `data` is not a list")
    flat = [one for value in values for one in (value if isinstance(value, list) else [value])]
    if len(flat) != (wanted := prod(shape)):
        more = "more" if wanted > len(flat) else "fewer"
        raise BadRequestError(f"a tensor has {len(flat)} values, and its shape asks for {more}")
    return shape, flat
