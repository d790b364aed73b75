"""The open inference protocol V2: https://github.com/kserve/open-inference-protocol."""

from importlib.metadata import version as version_of
from typing import Any

from fastapi import APIRouter, HTTPException, Request

from runtimes.serving.answering import ANY_BODY, answer, model_of
from runtimes.serving.bodies import read_tensors
from runtimes.serving.served import Served

router = APIRouter(prefix="/v2")

WORDS, NUMBERS = "BYTES", "FP64"


@router.get("")
def server() -> dict[str, Any]:
    """What this server is."""
    return {"name": "lab", "version": version_of("mlflow"), "extensions": []}


@router.get("/health/live")
def live() -> dict[str, bool]:
    """Whether it is up."""
    return {"live": True}


@router.get("/health/ready")
def ready() -> dict[str, bool]:
    """Whether it can answer."""
    return {"ready": True}


@router.get("/models/{name}/ready")
def model_ready(request: Request, name: str) -> dict[str, Any]:
    """Whether a model can answer."""
    return {"name": _known(request, name).name, "ready": True}


@router.get("/models/{name}")
def model(request: Request, name: str) -> dict[str, Any]:
    """What a model reads and answers."""
    served = _known(request, name)
    numbers = {column["name"]: column["kind"] == "number" for column in served.columns}
    return {
        "name": served.name,
        "versions": [served.version],
        "platform": "mlflow",
        "inputs": [
            {"name": one, "datatype": NUMBERS if is_one else WORDS, "shape": [-1]} for one, is_one in numbers.items()
        ],
        "outputs": [{"name": one, "datatype": _type(one), "shape": [-1]} for one in served.answers],
    }


@router.post("/models/{name}/infer", openapi_extra=ANY_BODY)
async def infer(request: Request, name: str) -> dict[str, Any]:
    """Predict rows: a tensor for each column, or one of all columns in their order."""
    served = _known(request, name)
    answered = await answer(request, lambda body, served: read_tensors(body, served.names))
    outputs = [
        {"name": column, "datatype": _type(column), "shape": [len(answered)], "data": answered[column].tolist()}
        for column in map(str, answered)
    ]
    return {"model_name": served.name, "model_version": served.version, "outputs": outputs}


def _known(request: Request, name: str) -> Served:
    served = model_of(request)
    if name != served.name:
        raise HTTPException(404, f"there is one model here: {served.name}")
    return served


def _type(column: str) -> str:
    return WORDS if column == "label" else NUMBERS
