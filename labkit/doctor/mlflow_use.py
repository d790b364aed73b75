"""Use MLflow as a run does: find or make the experiment, make a run with an artifact, and delete both again.

A server is used by its REST API: to import MLflow's client takes more time than all other checks together. The client
is used where it alone knows the way: to a database, with other kinds of login, to artifacts that are not the server's.
"""

import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast
from urllib.parse import urlsplit

from labkit.paths import ROOT
from labkit.process.errors import InputError
from labkit.process.strict_yaml import load_yaml

FILE, CONTENT = "doctor.txt", "python -m lab doctor\n"
LOGIN = {"MLFLOW_TRACKING_USERNAME", "MLFLOW_TRACKING_PASSWORD", "MLFLOW_TRACKING_TOKEN"}
TLS = {"MLFLOW_TRACKING_INSECURE_TLS", "MLFLOW_TRACKING_SERVER_CERT_PATH", "MLFLOW_TRACKING_CLIENT_CERT_PATH"}
UNDERSTOOD = LOGIN | TLS | {"MLFLOW_TRACKING_URI", "MLFLOW_EXPERIMENT_NAME"}  # by the requests here
IRRELEVANT = ("MLFLOW_HTTP_REQUEST_", "MLFLOW_SUPPRESS_", "MLFLOW_LOGGING_", "MLFLOW_DISABLE_TELEMETRY")


class NotTakenError(Exception):
    """MLflow refused a request: which, and why."""

    def __init__(self, asked: str, reason: str) -> None:
        super().__init__(reason)
        self.asked = asked


def use_mlflow(seconds: float) -> None:
    """Use the MLflow of MLFLOW_TRACKING_URI, and leave it as it was, but for the experiment that it had not.

    Raises InputError when the experiment was deleted, and NotTakenError.
    """
    strange = [name for name in os.environ if name.startswith("MLFLOW_") and os.environ[name]]
    strange = [name for name in strange if name not in UNDERSTOOD and not name.startswith(IRRELEVANT)]
    is_http = os.environ["MLFLOW_TRACKING_URI"].startswith(("http://", "https://"))
    by_client = not is_http or strange or (Path.home() / ".mlflow" / "credentials").exists()
    (_use_client if by_client else _use_server)(seconds)


def _use_server(seconds: float) -> None:
    name = os.environ.get("MLFLOW_EXPERIMENT_NAME") or load_yaml(ROOT / "params.yaml")["project"]["name"]
    with _asking("find the experiment"):
        answer = _ask(seconds, "GET", "mlflow/experiments/get-by-name", {404}, params={"experiment_name": name})
        found = answer.get("experiment") or _ask(seconds, "POST", "mlflow/experiments/create", json={"name": name})
    if found.get("lifecycle_stage", "active") != "active":
        raise InputError(f"MLflow's experiment {name!r} was deleted; restore it, or change project.name in params.yaml")
    new = {"experiment_id": found["experiment_id"], "run_name": "lab doctor", "start_time": int(time.time() * 1000)}
    with _asking("make a run"):
        run = _ask(seconds, "POST", "mlflow/runs/create", json=new)["run"]["info"]
    try:
        with _asking("store an artifact"):
            _store(seconds, run)
    finally:
        with _asking("delete the run"):
            _ask(seconds, "POST", "mlflow/runs/delete", json={"run_id": run["run_id"]})


def _store(seconds: float, run: dict[str, str]) -> None:
    place = urlsplit(run["artifact_uri"])
    if place.scheme != "mlflow-artifacts" or place.netloc:
        _configure(seconds)
        from mlflow import MlflowClient

        _store_by_client(MlflowClient(), run["run_id"], run["artifact_uri"])
        return
    path = f"mlflow-artifacts/artifacts/{place.path.strip('/')}/{FILE}"
    _ask(seconds, "PUT", path, data=CONTENT.encode())
    _ask(seconds, "DELETE", path)


def _ask(
    seconds: float, method: str, path: str, allowed: frozenset[int] | set[int] = frozenset(), **content: Any
) -> dict[str, Any]:
    """A request's answer as JSON. Raises what requests raises, and NotTakenError for an error of the server's."""
    import requests

    user, password, token = (os.environ.get(f"MLFLOW_TRACKING_{name}") for name in ("USERNAME", "PASSWORD", "TOKEN"))
    insecure = os.environ.get("MLFLOW_TRACKING_INSECURE_TLS", "").lower() in ("true", "1")
    answer = requests.request(
        method,
        f"{os.environ['MLFLOW_TRACKING_URI'].rstrip('/')}/api/2.0/{path}",
        auth=(user, password or "") if user else None,
        headers={"Authorization": f"Bearer {token}"} if token and not user else None,
        verify=os.environ.get("MLFLOW_TRACKING_SERVER_CERT_PATH") or not insecure,
        cert=os.environ.get("MLFLOW_TRACKING_CLIENT_CERT_PATH") or None,
        timeout=seconds,
        **content,
    )
    if not answer.ok and answer.status_code not in allowed:
        raise NotTakenError("", f"error code {answer.status_code}: {' '.join(answer.text.split())[:300]}")
    try:
        return cast(dict[str, Any], answer.json()) if answer.text else {}
    except ValueError:
        raise NotTakenError("", "what answers is not MLflow: no JSON") from None


def _use_client(seconds: float) -> None:
    from tenacity import Retrying, stop_after_attempt

    _configure(seconds)
    from labkit.tracking.uploader import connect

    with _asking("find the experiment"):
        client, experiment = connect()
    with _asking("make a run"):
        run = client.create_run(experiment, run_name="lab doctor").info
    try:
        with _asking("store an artifact"):
            _store_by_client(client, run.run_id, run.artifact_uri)
    finally:
        with _asking("delete the run"):
            # Twice: an upload that broke off may have broken the connection that the next request is given.
            Retrying(stop=stop_after_attempt(2), reraise=True)(client.delete_run, run.run_id)


def _store_by_client(client: Any, run_id: str, artifact_uri: str) -> None:
    from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository

    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / FILE
        file.write_text(CONTENT, encoding="utf-8")
        client.log_artifact(run_id, str(file))
    get_artifact_repository(artifact_uri).delete_artifacts(FILE)


def _configure(seconds: float) -> None:
    from labkit.tracking.tracker import configure

    os.environ["MLFLOW_HTTP_REQUEST_TIMEOUT"] = str(int(seconds))
    configure()


@contextmanager
def _asking(what: str) -> Iterator[None]:
    """Turn an error into NotTakenError, with what was asked."""
    import requests

    from labkit.tracking.answers import no_answer

    try:
        yield
    except InputError:
        raise
    except NotTakenError as error:
        raise NotTakenError(what, str(error)) from None
    except requests.RequestException as error:
        raise NotTakenError(what, no_answer(os.environ["MLFLOW_TRACKING_URI"], error)) from None
    except Exception as error:  # MLflow's client was used, and is imported
        from labkit.tracking.uploader import explain

        raise NotTakenError(what, explain(error)) from None
