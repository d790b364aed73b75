"""How fast the model is served, against MLflow's own server of the same model, in one run.

    python -m benchmarks.serving

Both answer the same requests, one after the other: `lab serve` with all its checks, `mlflow models serve` without any.
"""

import http.client
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from typing import NamedTuple

import numpy as np
import pandas as pd
import psutil
from rich.console import Console
from rich.table import Table

from labkit.paths import ROOT
from labkit.testing.ports import free_port

MODEL = ROOT / "artifacts" / "best_model" / "model"
ROWS = ROOT / "data" / "processed" / "example_rows.csv"
CLIENTS = 4
REQUESTS = {1: 2000, 1000: 200}  # by the rows of each
WARM = 50
TURNS = 3


class Server(NamedTuple):
    """One that answers at a port; `seconds` from its start to its first answer, MiB that its processes hold."""

    port: int
    seconds: float
    process: psutil.Process

    @property
    def memory(self) -> float:
        """The memory of all its processes that no other has."""
        found = [self.process, *self.process.children(recursive=True)]
        return float(sum(one.memory_full_info().uss for one in found) / 2**20)


@contextmanager
def server(command: list[str]) -> Iterator[Server]:
    """Start a server, whose port comes last in its command, until it answers; end it."""
    port = free_port()
    began = time.perf_counter()
    with subprocess.Popen(
        [*command, str(port)], cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as made:
        process = psutil.Process(made.pid)
        try:
            while not _answers(port):
                if made.poll() is not None:
                    sys.exit(f"{' '.join(command)} ended by itself")
                time.sleep(0.02)
            yield Server(port, time.perf_counter() - began, process)
        finally:
            with suppress(psutil.NoSuchProcess):
                for one in [*process.children(recursive=True), process]:
                    one.terminate()


def _answers(port: int) -> bool:
    with suppress(OSError, http.client.HTTPException):
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
        connection.request("GET", "/ping")
        return connection.getresponse().status == 200
    return False


def load(port: int, body: bytes, requests: int) -> tuple[float, list[float]]:
    """Requests from several clients, each with a connection of its own: how long all took, and each, in seconds."""

    def client(count: int) -> list[float]:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        took = []
        for _ in range(count):
            began = time.perf_counter()
            connection.request("POST", "/invocations", body, {"Content-Type": "application/json"})
            answer = connection.getresponse()
            answer.read()
            took.append(time.perf_counter() - began)
            if answer.status != 200:
                sys.exit(f"{port} answered {answer.status}")
        return took

    began = time.perf_counter()
    with ThreadPoolExecutor(CLIENTS) as pool:
        each = [took for client_took in pool.map(client, [requests // CLIENTS] * CLIENTS) for took in client_took]
    return time.perf_counter() - began, each


def body_of(rows: int) -> bytes:
    """A request of so many raw rows."""
    table = pd.read_csv(ROWS)
    table = table.iloc[np.arange(rows) % len(table)]
    return json.dumps({"dataframe_split": json.loads(table.to_json(orient="split", index=False))}).encode()


def main() -> None:
    """Measure both in turns, and print one table."""
    python = [sys.executable, "-m"]
    commands = {
        "lab serve": [*python, "lab", "serve", "--port"],
        "mlflow models serve": [
            *python,
            "mlflow",
            "models",
            "serve",
            "--env-manager=local",
            "-m",
            str(MODEL),
            "--port",
        ],
    }
    os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"
    found: dict[str, list[list[float]]] = {name: [] for name in commands}
    for _ in range(TURNS):
        for name, command in commands.items():
            with server(command) as one:
                figures = [one.seconds]
                for rows, requests in REQUESTS.items():
                    body = body_of(rows)
                    load(one.port, body, WARM)
                    whole, each = load(one.port, body, requests)
                    figures += [requests / whole, *(1000 * np.quantile(each, (0.5, 0.99)))]
                found[name].append([*figures, one.memory])
    ours, theirs = (np.median(np.array(figures), axis=0) for figures in found.values())
    heads = ["seconds to the first answer"]
    for rows in REQUESTS:
        heads += [f"requests/s, rows: {rows}", f"p50 in ms, rows: {rows}", f"p99 in ms, rows: {rows}"]
    table = Table("", *commands, "ratio", title=f"{CLIENTS} clients; medians of {TURNS} turns")
    for head, own, other in zip([*heads, "memory in MiB"], ours, theirs, strict=True):
        table.add_row(head, f"{own:.3g}", f"{other:.3g}", f"{own / other:.2f}")
    Console().print(table)


if __name__ == "__main__":
    main()
