"""`make ui`: MLflow's pages of the runs in this repository, on this machine alone."""

import os
import sys

from labkit.process.params import CommonParams, read_params
from labkit.tracking.tracker import SETTINGS

# No chats with an assistant and no jobs for one, and nothing told to anybody.
QUIET = {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false", "MLFLOW_DISABLE_TELEMETRY": "true", "DO_NOT_TRACK": "true"}


def show_runs(port: int) -> None:
    """Print the link of the lab's experiment, and become the server. Raises InputError when params.yaml is wrong."""
    database = SETTINGS["MLFLOW_TRACKING_URI"]
    os.environ.update(QUIET)
    print(f"the runs are at {page(database, port)} (Ctrl+C ends it)", flush=True)
    # One worker serves one person; MLflow starts four, which takes four times the work and the memory.
    place = ["--backend-store-uri", database, "--host", "127.0.0.1", "--port", str(port), "--workers", "1"]
    os.execv(sys.executable, [sys.executable, "-m", "mlflow", "ui", *place])


def page(database: str, port: int) -> str:
    """The page of the lab's runs; MLflow's first page where there are none yet."""
    from mlflow import MlflowClient

    server = f"http://127.0.0.1:{port}"
    name = os.environ.get("MLFLOW_EXPERIMENT_NAME") or read_params(CommonParams).project.name
    experiment = MlflowClient(database).get_experiment_by_name(name)
    # Without the last part, MLflow's menu has chats and traces in it.
    return (
        f"{server}/#/experiments/{experiment.experiment_id}/runs?workflowType=machine_learning"
        if experiment
        else server
    )
