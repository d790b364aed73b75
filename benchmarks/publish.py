"""How long it takes to show a lab's results in an MLflow that has lost them: 100 and 1,000, and how the cost grows.

    python -m benchmarks.publish

Each result has 4 metrics, 20 epochs of 2 more, a plot and a model of 20 kB, in DVC's cache. First into an empty SQLite
database, then again, when all are there; then the same of a server on this machine. The last column says by what power
of the results the cost grew: 1 is linear. Arguments give other numbers of results.
"""

import json
import math
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import md5
from pathlib import Path

import requests
from rich.console import Console
from rich.table import Table

from benchmarks.run import command
from labkit.paths import ROOT
from labkit.pipeline.records import write_records
from labkit.testing.ports import free_port

COUNTS = (100, 1000)
STAGES = 4  # a commit brings a result of each
PUBLISH = "from labkit.publish.view import publish; raise SystemExit(publish(everything=True))"
DVC_YAML = "stages:\n" + "".join(
    f"""
  train{stage}:
    cmd: train {stage}
    params: [lr]
    outs: [out{stage}/model.bin, out{stage}/run.json]
    metrics: [out{stage}/metrics.json]
    plots: [out{stage}/history.csv, out{stage}/loss.png]
"""
    for stage in range(STAGES)
)


def make_lab(lab: Path, results: int) -> None:
    """A lab whose history has so many results, all in its cache."""
    command("git init --quiet && dvc init --quiet", lab)()
    (lab / "dvc.yaml").write_text(DVC_YAML)
    (lab / "params.yaml").write_text("project: {name: benchmark}\n")
    command("git add --all && git commit --quiet --no-verify -m code", lab)()
    for number in range(results // STAGES):
        records = {f"train{stage}": record(lab, stage, number) for stage in range(STAGES)}
        (lab / "dvc.lock").write_text(write_records(records))
        command(f"git add dvc.lock && git commit --quiet --no-verify -m {number}", lab)()


def record(lab: Path, stage: int, number: int) -> dict[str, object]:
    """What dvc.lock would record of a training, whose outputs the cache then has."""
    scores = dict.fromkeys(("f1", "accuracy", "log_loss", "roc_auc"), number)
    epochs = range(1, 21)
    history = "".join(f"{epoch},{1 / (epoch + number)},{number / 1000}\n" for epoch in epochs)
    files = {
        "history.csv": f"epoch,loss,accuracy\n{history}".encode(),
        "loss.png": f"{stage} {number}".encode().ljust(20_000, b"p"),
        "metrics.json": json.dumps(scores).encode(),
        "model.bin": f"{stage} {number}".encode().ljust(20_000, b"m"),
    }
    told = {
        "params": {"lr": str(number)},
        "metrics": {name: [(20, value)] for name, value in scores.items()}
        | {"loss": [(epoch, 1 / (epoch + number)) for epoch in epochs]}
        | {"accuracy": [(epoch, number / 1000) for epoch in epochs]},
        "artifacts": {
            name: {"path": f"out{stage}/{name}", "md5": md5(files[name]).hexdigest(), "size": len(files[name])}
            for name in ("loss.png", "model.bin")
        },
    }
    files["run.json"] = json.dumps(told).encode()
    return {
        "cmd": f"train {stage}",
        "params": {"params.yaml": {"lr": number}},
        "outs": [
            {"path": f"out{stage}/{name}", "hash": "md5", **keep(lab, content)} for name, content in files.items()
        ],
    }


def keep(lab: Path, content: bytes) -> dict[str, object]:
    """Put bytes into the cache; their hash and size."""
    known = md5(content).hexdigest()
    place = lab / ".dvc/cache/files/md5" / known[:2] / known[2:]
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_bytes(content)
    return {"md5": known, "size": len(content)}


def publishing(lab: Path, uri: str) -> float:
    """Seconds to publish all results."""
    own = {"MLFLOW_TRACKING_URI": uri, "LAB_JOURNALS": str(lab / "journals"), "PYTHONPATH": str(ROOT)}
    start = time.perf_counter()
    subprocess.run([sys.executable, "-c", PUBLISH], cwd=lab, env={**os.environ, **own}, check=True, capture_output=True)
    return time.perf_counter() - start


@contextmanager
def server(folder: Path) -> Iterator[str]:
    """An empty MLflow server of this machine."""
    port = free_port()
    places = [
        "--backend-store-uri",
        f"sqlite:///{folder / 'server.db'}",
        "--artifacts-destination",
        str(folder / "kept"),
    ]
    place = ["--host", "127.0.0.1", "--port", str(port), "--workers", "1"]
    with (folder / "server.log").open("w") as log:
        started = subprocess.Popen(
            [sys.executable, "-m", "mlflow", "server", *place, *places],
            cwd=folder,
            stdout=log,
            stderr=log,
            process_group=0,
        )
    try:
        for _ in range(600):
            try:
                requests.get(f"http://127.0.0.1:{port}/health", timeout=1)
                break
            except requests.RequestException:
                time.sleep(0.1)
        yield f"http://127.0.0.1:{port}"
    finally:
        os.killpg(started.pid, 15)
        started.wait()


def main() -> None:
    """Measure and print."""
    counts = [int(word) for word in sys.argv[1:]] or [*COUNTS]
    table = Table("seconds", *(f"{count:,}" for count in counts), "power")
    found: dict[str, list[float]] = {}
    for count in counts:
        with tempfile.TemporaryDirectory() as name:
            lab = Path(name) / "lab"
            lab.mkdir()
            make_lab(lab, count)
            database = f"sqlite:///{Path(name) / 'mlflow.db'}"
            for what in ("into an empty database", "again, all there"):
                found.setdefault(what, []).append(publishing(lab, database))
            with server(Path(name)) as uri:
                for what in ("into an empty server", "again, all there, from the server"):
                    found.setdefault(what, []).append(publishing(lab, uri))
    for what, seconds in found.items():
        power = math.log(seconds[-1] / seconds[0]) / math.log(counts[-1] / counts[0]) if len(counts) > 1 else 0
        table.add_row(what, *(f"{one:.1f}" for one in seconds), f"{power:.2f}")
    Console().print(table)


if __name__ == "__main__":
    main()
