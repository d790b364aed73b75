"""`make ui`: MLflow's pages of the runs in this repository, on this machine alone."""

import os
import socket
import sys
import time
import webbrowser
from contextlib import suppress
from pathlib import Path

from labkit.process.params import CommonParams, read_params
from labkit.tracking.tracker import SETTINGS

# No assistant, no jobs, no telemetry.
QUIET = {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false", "MLFLOW_DISABLE_TELEMETRY": "true", "DO_NOT_TRACK": "true"}


PATIENCE_SECONDS = 60.0


def show_runs(port: int) -> None:
    """Print the link of the lab's experiment, open it where a person sees it, and become the server.

    Raises InputError when params.yaml is wrong.
    """
    database = SETTINGS["MLFLOW_TRACKING_URI"]
    os.environ.update(QUIET)
    link = page(database, port)
    print(f"the runs are at {link} (Ctrl+C ends it)", flush=True)
    if sys.stdout.isatty() and has_display() and not os.fork():
        open_when_up(link, port)
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


def show_page(file: Path) -> None:
    """Open a page in a browser, if a person is at this terminal."""
    if sys.stdout.isatty() and has_display():
        webbrowser.open(file.absolute().as_uri())


def has_display() -> bool:
    """Whether a browser can show something here: without a display, Python would start one that fills the terminal."""
    return sys.platform == "darwin" or any(map(os.environ.get, ("BROWSER", "DISPLAY", "WAYLAND_DISPLAY")))


def open_when_up(link: str, port: int) -> None:
    """Open a page when its server answers, and end this process."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline:
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            webbrowser.open(link)
            break
        time.sleep(0.2)
    os._exit(0)
