"""A lab whose commits have results that no process made: their records, copies and cache are written as DVC does."""

import json
import shutil
from hashlib import md5
from itertools import count
from pathlib import Path

import pytest

from labkit.pipeline.records import read_records, write_records
from labkit.registry import verbs
from labkit.site.build import build_site
from labkit.testing.fixtures import IDENTITY, Once, Shell

HOSTILE = "<script>alert(1)</script>"
BRANCH = "try/<b>bold</b>"
DVC_YAML = """
stages:
  data:
    cmd: make data
    outs: [out/report.json]
    meta: {data: out/report.json}
  train:
    cmd: make train
    params: [training]
    outs: [out/model, out/predictions.csv]
    metrics: [out/metrics.json]
    plots:
      - out/models.csv: {template: bar_horizontal, x: accuracy, y: model, title: Every model}
      - out/curve.csv: {x: epoch, y: loss, title: How much worse the selected model is without each column}
      - out/dots.png
    meta:
      leaderboard: {models: out/models.csv, selected: out/metrics.json}
      registry: {name: cancer, model: out/model, predictions: out/predictions.csv}
"""
GOALS = "- {goal: it knows both, file: out/metrics.json, metric: test.accuracy, at_least: 0.7}\n"
NOT_IN_GIT = ("out/model", "out/predictions.csv", "out/dots.png")
PNG = bytes.fromhex(
    "89504e470d0a1a0a0000000d4948445200000001000000010802000000907753de0000000c49444154789c63f8cfc000000301010018dd8d"
    "b00000000049454e44ae426082"
)
ROWS = 60


def results(lr: float, right: int, selected: str, rows: int) -> dict[str, bytes]:
    """The files of a model that is right on the first of its test rows."""
    accuracy = right / ROWS
    lines = [f"{row},b,{'b' if row < right else 'm'}" for row in range(ROWS)]
    bars = [{"name": "age", "kind": "number", "missing": 0, "min": 1, "median": 4, "max": 9, "histogram": [1, 5, rows]}]
    bars += [{"name": "city", "kind": "category", "missing": 0, "distinct": 5, "levels": dict.fromkeys("abcd", 9)}]
    told = {"selected": selected, "metric": "accuracy", "test": {"accuracy": accuracy, "rows": ROWS}}
    files: dict[str, str | bytes] = {
        "out/report.json": json.dumps({"rows": {"read": rows, "test": ROWS}, "columns": bars}),
        "out/model": f"model {lr} {right}",
        "out/predictions.csv": "\n".join(["row,actual,predicted", *lines, ""]),
        "out/metrics.json": json.dumps(told),
        "out/models.csv": f"model,accuracy\n{selected},{accuracy:.4f}\ntree,0.5\n",
        "out/curve.csv": f"epoch,loss\n1,0.9\n2,{lr}\n3,{lr / 2}\n",
        "out/dots.png": PNG,
    }
    return {file: content if isinstance(content, bytes) else content.encode() for file, content in files.items()}


def write_results(lr: float, right: int, selected: str = "forest", rows: int = 600) -> None:
    """Leave in the working folder what a run leaves: dvc.lock, Git's copies, and DVC's cache."""
    files = results(lr, right, selected, rows)
    write_params(lr)
    hashes = {file: md5(content, usedforsecurity=False).hexdigest() for file, content in files.items()}
    for file, content in files.items():
        places = [Path(".dvc/cache/files/md5", hashes[file][:2], hashes[file][2:])]
        for place in places if file in NOT_IN_GIT else [*places, Path("lab/results", file)]:
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(content)
    outs = [{"path": file, "hash": "md5", "md5": of, "size": len(files[file])} for file, of in sorted(hashes.items())]
    data, train = ([out for out in outs if (out["path"] == "out/report.json") is mine] for mine in (True, False))
    params = {"params.yaml": {"training": {"epochs": 3, "lr": lr}}}
    records = {
        "data": {"cmd": "make data", "outs": data},
        "train": {"cmd": "make train", "params": params, "outs": train},
    }
    Path("dvc.lock").write_text(write_records(records), encoding="utf-8")


def predict(column: str) -> None:
    """Say in dvc.lock that this column was predicted."""
    records = read_records(Path("dvc.lock").read_bytes())
    records["train"]["params"]["params.yaml"]["data"] = {"target": column}
    Path("dvc.lock").write_text(write_records(records), encoding="utf-8")


def write_params(lr: float) -> None:
    """What a person changes."""
    Path("params.yaml").write_text(f"project: {{name: cancer}}\ntraining: {{lr: {lr}, epochs: 3}}\n", encoding="utf-8")


@pytest.fixture(scope="session")
def made_lab(tmp_path_factory: pytest.TempPathFactory, shell: Shell, once: Once) -> Path:
    """Its tags: first (the champion), worse, hostile (of BRANCH), run-1 (a runner's), lied (it says what is not so).

    The site of it is in `site`.
    """

    def make() -> Path:
        lab = tmp_path_factory.mktemp("site") / "lab"
        lab.mkdir()
        with pytest.MonkeyPatch.context() as patch:
            patch.chdir(lab)
            for name, value in IDENTITY.items():
                patch.setenv(name, value)
            _fill(lab, shell)
        return lab

    return once("site", make)


def _fill(lab: Path, shell: Shell) -> None:
    seconds = count(1_800_000_000)  # of commits, one after the other however fast they are

    def commit(subject: str, tag: str, body: str = "") -> str:
        Path("message").write_text(f"{subject}\n\n{body}", encoding="utf-8")
        at = f"@{next(seconds)} +0000"
        shell(
            f"git add --all && git commit --quiet --allow-empty --file message && git tag {tag}", lab,
            GIT_COMMITTER_DATE=at,
        )  # fmt: skip
        return shell("git rev-parse HEAD", lab).stdout.strip()

    def ran(tag: str, selected: str, accuracy: str) -> str:
        code = shell("git rev-parse HEAD", lab).stdout.strip()
        claims = {"Code-Commit": code, "Tag": tag, "Selected-Model": selected, "Metric": f"test accuracy {accuracy}"}
        return "\n".join(f"{name}: {value}" for name, value in {**claims, "Goals": "1 of 1 met"}.items())

    shell("git init --quiet --initial-branch main && dvc init --quiet && echo message > .git/info/exclude", lab)
    for name, text in {"dvc.yaml": DVC_YAML, "goals/goals.yaml": GOALS, ".gitignore": "/out\n/site\n"}.items():
        Path(name).parent.mkdir(exist_ok=True)
        Path(name).write_text(text, encoding="utf-8")
    commit("Begin", "empty")
    write_results(0.1, 50)
    commit("Does a forest do?", "first", "It is the plainest model.\n\nReviewed-by: Ada")
    write_results(0.2, 30)
    commit("Does it learn faster?", "worse")
    shell(f"git switch --quiet --create '{BRANCH}' first", lab)
    write_results(0.3, 52, HOSTILE)
    commit(f"What of {HOSTILE}?", "hostile", f"A body, <i>{HOSTILE}</i>")
    shell("git switch --quiet main", lab)
    write_params(0.05)
    commit("Is 0.05 better?", "asked")
    write_results(0.05, 58, rows=900)
    commit("Results of run-1", "run-1", ran("run-1", "forest", "0.9667"))
    write_params(0.04)
    commit("Is 0.04 better?", "asked-again")
    write_results(0.04, 40)
    commit("Results of run-2", "lied", ran("run-2", "forest", "0.9999"))
    verbs.register("first")
    verbs.promote("v1", "There is no other.")
    build_site(Path("site"))


@pytest.fixture
def lab(made_lab: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of that, in which the test is."""
    shutil.copytree(made_lab, tmp_path / "lab", symlinks=True)
    monkeypatch.chdir(tmp_path / "lab")
    return tmp_path / "lab"
