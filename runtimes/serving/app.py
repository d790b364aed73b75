"""The server: both protocols over a packaged model, with a key, metrics and a log of its requests."""

import hmac
import json
import sys
import time
import traceback
from collections.abc import Awaitable, Callable

import pandas as pd
from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse, PlainTextResponse
from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest

from runtimes.serving import mlflow_protocol, v2_protocol
from runtimes.serving.served import Served

VERSION = "X-Model-Version"
WITHOUT_KEY = ("/ping", "/health", "/v2/health/live", "/v2/health/ready")
REFUSALS = {
    400: "The body is none that is read.",
    401: "The key is missing or wrong.",
    404: "There is no such model.",
    408: "The body takes too long.",
    413: "The body is too large.",
    422: "The model does not take these rows.",
    500: "The model fails on these rows.",
    503: "The answer takes too long.",
}

MOST_PLACES = 5  # the innermost of a traceback

Next = Callable[[Request], Awaitable[Response]]


def create_app(
    current: Callable[[], Served], key: str = "", keep: Callable[[pd.DataFrame], None] = lambda _: None
) -> FastAPI:
    """The server of the model that `current` gives at each request; with a key, for those who send it.

    `keep` is given the rows of each request that was answered.
    """
    app = FastAPI(title="The lab's model", redoc_url=None)
    app.state.keep = keep
    registry = CollectorRegistry()
    counted = Counter("lab_requests", "Requests.", ["path", "status"], registry=registry)
    seconds = Histogram("lab_request_seconds", "How long they took.", ["path"], registry=registry)
    rows = Counter("lab_rows", "Rows that were predicted.", ["version"], registry=registry)

    @app.middleware("http")
    async def watch(request: Request, call_next: Next) -> Response:
        began = time.perf_counter()
        request.state.served, request.state.rows = served, _ = current(), 0
        request.state.failed = {}
        if key and request.url.path not in WITHOUT_KEY and not has_key(request, key):
            refusal = {"detail": "the API key is missing or wrong"}
            response: Response = JSONResponse(refusal, 401, {"WWW-Authenticate": "Bearer"})
        else:
            response = await answered(request, call_next)
        response.headers[VERSION] = served.version
        path, took = path_of(request), time.perf_counter() - began
        counted.labels(path, response.status_code).inc()
        seconds.labels(path).observe(took)
        rows.labels(served.version).inc(request.state.rows)
        told = {"method": request.method, "path": path, "status": response.status_code, "rows": request.state.rows}
        log({**told, "seconds": round(took, 4), "version": served.version, **request.state.failed})
        return response

    @app.get("/metrics", response_class=PlainTextResponse)
    def metrics() -> bytes:
        return generate_latest(registry)

    refusals: dict[int | str, dict[str, str]] = {code: {"description": why} for code, why in REFUSALS.items()}
    app.include_router(mlflow_protocol.router, responses=refusals)
    app.include_router(v2_protocol.router, responses=refusals)
    return app


async def answered(request: Request, call_next: Next) -> Response:
    """The answer; where code fails, a 500, of which the log has the error's type and place: its words may be values."""
    try:
        return await call_next(request)
    except Exception as error:
        places = [f"{frame.filename}:{frame.lineno}" for frame in traceback.extract_tb(error.__traceback__)]
        request.state.failed = {"error": type(error).__name__, "places": places[-MOST_PLACES:]}
        return JSONResponse({"detail": "the model fails on these rows; the server's log says where"}, 500)


def has_key(request: Request, key: str) -> bool:
    """Whether a request sends the key: `Authorization: Bearer KEY`."""
    told = request.headers.get("authorization", "").removeprefix("Bearer ")
    return hmac.compare_digest(told.encode(), key.encode())


def path_of(request: Request) -> str:
    """The path as it is declared: what people ask for has no end, and may hold anything."""
    return str(getattr(request.scope.get("route"), "path", "another"))


def log(told: dict[str, object]) -> None:
    """Write a line of JSON about a request, with nothing of what it holds."""
    print(json.dumps({"time": round(time.time(), 3), **told}), file=sys.stderr, flush=True)
