"""From a request's body to the model's answer, within limits, and with words for people where it is refused."""

import asyncio
from collections.abc import Callable

import pandas as pd
from fastapi import HTTPException, Request
from starlette.requests import ClientDisconnect

from runtimes.serving.bodies import BadRequestError
from runtimes.serving.served import Served

MOST_BYTES = 16 << 20
MOST_SECONDS = 30.0
# For /docs: a body is read by hand, since a table has no schema of its own there.
ANY_BODY = {"requestBody": {"content": {"application/json": {"schema": {"type": "object"}}}}}

Read = Callable[[bytes, Served], pd.DataFrame]


def model_of(request: Request) -> Served:
    """The model that answers this request, to its end, also where another one takes its place meanwhile."""
    served: Served = request.state.served
    return served


async def answer(request: Request, read: Read) -> pd.DataFrame:
    """The model's answer to the rows that `read` makes of the body. Raises HTTPException, 4xx or 503."""
    served, body = model_of(request), await _body(request)

    def predict() -> pd.DataFrame:
        rows = read(body, served)
        given = served.predict(rows)
        request.app.state.keep(rows)  # only rows that the model can read
        return given

    try:
        answered = await asyncio.wait_for(asyncio.to_thread(predict), MOST_SECONDS)
    except BadRequestError as error:
        raise HTTPException(400, str(error)) from None
    except ValueError as error:  # of the model, of rows that it can't read
        raise HTTPException(422, str(error)) from None
    except TimeoutError:
        raise HTTPException(503, f"no answer within {MOST_SECONDS:.0f} s; ask for fewer rows at once") from None
    request.state.rows = len(answered)
    return answered


async def _body(request: Request) -> bytes:
    """The body, up to a limit, which a client's own count of its bytes does not decide."""
    body = bytearray()
    try:
        async with asyncio.timeout(MOST_SECONDS):
            async for part in request.stream():
                body += part
                if len(body) > MOST_BYTES:
                    raise HTTPException(413, f"the body has more than {MOST_BYTES >> 20} MiB; send fewer rows at once")
    except TimeoutError:  # the server would wait for it when it is to end, too
        raise HTTPException(408, f"the body did not end within {MOST_SECONDS:.0f} s; send fewer rows at once") from None
    except ClientDisconnect:  # nobody reads this, but the log tells of it
        raise HTTPException(400, "the body ends before its end") from None
    return bytes(body)
