"""The node that predicts: KRE calls `init` once, and `default_handler` with each request.

A request's rows go to the model as they are, and its predictions come back in the same order. Fields and columns
belong together by their place. What the model refuses, such as a missing value that it has no remedy for, is the
answer's error.
"""

from typing import Any

import mlflow.pyfunc
import pandas as pd
from public_input_pb2 import Request, Response, Row  # type: ignore[import-not-found]  # KRE has this folder on its path


def init(ctx: Any) -> None:
    """Load the model."""
    model = mlflow.pyfunc.load_model(ctx.path("models/model"))
    ctx.set("model", model)
    ctx.set("columns", [column["name"] for column in model.metadata.metadata["columns"]])


async def default_handler(ctx: Any, data: Any) -> None:
    """Answer a Request, which comes packed as Any, with a Response."""
    request = Request()
    if not data.Unpack(request):
        raise ValueError(f"the message is a {data.TypeName()}, not a Request")
    await ctx.send_output(predict(ctx.get("model"), ctx.get("columns"), request))


def predict(model: Any, columns: list[str], request: Any) -> Any:
    """The model's answer to each row. Raises ValueError for rows that the model refuses."""
    fields = [field.name for field in Row.DESCRIPTOR.fields]
    values = [[getattr(row, field) if row.HasField(field) else None for field in fields] for row in request.rows]
    response = Response()
    for answer in model.predict(pd.DataFrame(values, columns=columns)).itertuples(index=False):
        prediction = response.predictions.add()
        for field, value in zip(prediction.DESCRIPTOR.fields, answer, strict=True):
            setattr(prediction, field.name, value)
    return response
