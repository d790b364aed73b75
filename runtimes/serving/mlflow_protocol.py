"""MLflow's protocol: https://mlflow.org/docs/latest/ml/deployment/deploy-model-locally."""

from importlib.metadata import version as version_of

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, PlainTextResponse

from runtimes.serving.answering import ANY_BODY, answer
from runtimes.serving.bodies import read_table

router = APIRouter()


@router.get("/ping", response_class=PlainTextResponse)
@router.get("/health", response_class=PlainTextResponse)
def health() -> str:
    """Whether it is up: a model is loaded, and has answered, before the server begins."""
    return "OK"


@router.get("/version", response_class=PlainTextResponse)
def version() -> str:
    """MLflow's version; that of the model is in the header of each answer."""
    return version_of("mlflow")


@router.post("/invocations", openapi_extra=ANY_BODY)
async def invocations(request: Request) -> JSONResponse:
    """Predict rows: dataframe_split, dataframe_records, instances or inputs as JSON, or CSV."""
    kind = request.headers.get("content-type", "")
    answered = await answer(request, lambda body, served: read_table(body, kind, served.names, served.words))
    return JSONResponse({"predictions": answered.to_dict("records")})  # as it is: FastAPI would look at each value
