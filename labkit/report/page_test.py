"""The page of a run, made of small DVC projects with real commits and remotes."""

import csv
import json
import os
import shlex
import shutil
import socket
from pathlib import Path
from typing import Any

import pytest
from dvc.exceptions import ReproductionError
from dvc.repo import Repo

from labkit.git_cli import git
from labkit.process.files import write_json
from labkit.process.tracking import md5_of
from labkit.report import data
from labkit.report.markdown import plain
from labkit.report.page import run_page, shortened
from labkit.testing.fixtures import Shell
from labkit.tracking.journal import TrackedRun, remember

pytestmark = pytest.mark.integration

DVC_YAML = """
stages:
  split:
    cmd: true labkit.launch split && cp raw rows
    deps: [raw]
    outs: [rows]
  train:
    cmd: true labkit.launch train && python make.py models
    deps: [rows, make.py]
    params: [models]
    metrics: [models]
    plots:
      - curve.csv: {x: epoch, y: loss, title: The curve}
      - curve.png
  select:
    cmd: true labkit.launch select && python make.py best
    meta: {leaderboard: {models: artifacts/best_model/comparison.csv, selected: artifacts/best_model/metrics.json},
      warnings: artifacts/best_model/metrics.json}
    deps: [models]
    metrics: [artifacts/best_model/metrics.json]
    plots:
      - artifacts/best_model/comparison.csv: {template: bar_horizontal, x: log_loss, y: model, title: All models}
      - seen.csv: {template: confusion, x: said, y: "true"}
"""
MAKE = """
import json, sys
from pathlib import Path

models = json.loads(Path("params.yaml").read_text())["models"]
best = min(models, key=models.get)
def write(name, text):
    Path(name).parent.mkdir(parents=True, exist_ok=True)
    Path(name).write_text(text)
if sys.argv[1] == "models":
    for name, loss in models.items():
        write(f"models/{name}.json", json.dumps({"log_loss": loss, "training_rows": 300}))
    write("curve.csv", "epoch,loss\\n1,0.5\\n2,0.25\\n")
    write("curve.png", "not really")
else:
    write("artifacts/best_model/metrics.json", json.dumps(
        {"selected": best, "metric": "log_loss", "test": {"log_loss": models[best] / 2}, "warnings": ["few | rows"]}))
    write("artifacts/best_model/comparison.csv", "model,log_loss\\n" + "".join(
        f"{name},{models[name]}\\n" for name in sorted(models, key=models.get)))
    write("seen.csv", "said,true\\nyes,yes\\nno,yes\\n")
"""
GOALS = """
- {goal: it is good, file: artifacts/best_model/metrics.json, metric: test.log_loss, at_most: 0.1}
- {goal: it is perfect, file: artifacts/best_model/metrics.json, metric: test.log_loss, at_most: 0.01, ambition: true}
- {goal: it is wise, file: artifacts/best_model/metrics.json, metric: test.wisdom, at_least: 1}
"""
LAST_PAGE = """
from labkit.report.outcomes import newest_execution
from labkit.report.page import run_page
print(run_page(newest_execution()))
"""
BEFORE = {"forest": 0.2, "tree": 0.4, "bayes": 0.5}


def params(models: dict[str, float]) -> None:
    Path("params.yaml").write_text(json.dumps({"selection": {"metric": "log_loss"}, "models": models}))


def reproduce() -> None:
    with Repo() as repo:
        repo.reproduce(on_error="keep-going")


def ran(*stages: str, status: str = "FINISHED") -> None:
    for stage in stages:
        url = f"http://mlflow/{stage}"
        remember(
            JOURNALS, TrackedRun(stage, "c1", stage, url, status, 840.0, machine="x86_64 B avx2, cpu, native kernels")
        )


JOURNALS = Path("journals")
MACHINE = "x86_64 B avx2, cpu, native kernels"
IDENTITY = ("-c", "user.name=t", "-c", "user.email=t@t.example")


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project whose pipeline has run, committed."""
    folder = tmp_path_factory.mktemp("finished") / "project"
    (folder / "goals").mkdir(parents=True)
    before = Path.cwd()
    os.chdir(folder)
    try:
        git("init", "--quiet", "--initial-branch=main")
        Repo.init(".").close()
        for name, text in {"dvc.yaml": DVC_YAML, "make.py": MAKE, "goals/goals.yaml": GOALS, "raw": "raw"}.items():
            Path(name).write_text(text)
        JOURNALS.mkdir()
        params(BEFORE)
        reproduce()
        git("add", "--all")
        git(*IDENTITY, "commit", "--quiet", "-m", "results")
    finally:
        os.chdir(before)
    return folder


@pytest.fixture(autouse=True)
def project(finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy to change, with the working folder in it, outside of GitHub."""
    for name in [name for name in os.environ if name.startswith("GITHUB_")]:
        monkeypatch.delenv(name)
    folder = Path(shutil.copytree(finished, tmp_path / "project", symlinks=True))
    monkeypatch.chdir(folder)
    return folder


def summary() -> str:
    return run_page("c1", journals=JOURNALS)


def row(text: str, first: str) -> str:
    """The table's row that begins with this cell."""
    return next(line for line in text.splitlines() if line.startswith(f"| {first} |"))


def test_it_opens_with_the_verdict_and_compares_every_model() -> None:
    params({"forest": 0.15, "tree": 0.4, "boosting": 0.1})
    reproduce()
    ran("train", "select")
    said = summary()
    changed = "`models.forest 0.2 -> 0.15`, `models.bayes removed (was 0.5)`, `models.boosting added: 0.1`"
    assert row(said, "`train`").startswith(f"| `train` | ran | {changed} | 14 min | ")
    assert row(said, "`select`").startswith("| `select` | ran | models | ")
    assert said.splitlines()[2] == (
        "**Complete**; `boosting` selected (before: `forest`); `log_loss` on its test rows 0.0500 (-0.0500); "
        "goals: 1 of 2 met, 1 ambition open, 1 not judged."
    )
    assert "### Warnings\n\n- few \\| rows\n" in said
    models = [line for line in said.splitlines() if (line.startswith(("| ★", "| `")) and "300" in line) or "★" in line]
    assert models == [
        "| ★ `boosting` on its test rows | 0.0500 (-0.0500) |  |",
        "| ★ `boosting` (new) | 0.1000 | 300 |",
        "| `forest` | 0.1500 (-0.0500) | 300 (=) |",
        "| `tree` | 0.4000 (=) | 300 (=) |",
        "| `bayes` (removed) | 0.5000 | 300 |",
    ]


def test_goals_tell_what_was_reached_and_wanted() -> None:
    said = summary()
    assert row(said, "it is good") == "| it is good | met | 0.1000 | ≤ 0.1 | `test.log_loss` |"
    assert row(said, "it is perfect") == "| it is perfect | ambition | 0.1000 | ≤ 0.01 | `test.log_loss` |"
    assert "| not judged | " in row(said, "it is wise")
    assert "has no metric" in row(said, "it is wise")


def test_every_plot_that_dvc_yaml_declares_is_there_and_images_are_named_with_their_run() -> None:
    ran("train")
    said = summary()
    assert 'title "The curve"' in said
    assert "line [0.5, 0.25]" in said
    assert 'title "All models"' in said
    assert "bar [0.2, 0.4, 0.5]" in said
    assert "| `yes` | 1 | 1 |" in said
    assert "- `train`: `curve.png`, in [its run in MLflow](<http://mlflow/train>)" in said
    assert row(said, "`train`") == "| `train` | ran |  | 14 min | [run in MLflow](<http://mlflow/train>) |"
    assert row(said, "`select`") == "| `select` | from cache |  |  |  |"


def test_the_same_results_again_are_said_to_be_so() -> None:
    said = summary()
    assert "All are as in `" in said
    assert "0.2000 (=)" in said


def test_other_data_are_told_since_their_models_do_not_compare() -> None:
    Path("raw").write_text("more")
    params(BEFORE | {"forest": 0.1})
    reproduce()
    assert "`rows` changed too, and models of different data do not compare" in summary()


def test_after_a_failure_it_shows_what_there_is_and_nothing_of_another_run() -> None:
    params(BEFORE | {"forest": 0.1})
    Path("dvc.yaml").write_text(DVC_YAML.replace("python make.py best", "false"))
    with pytest.raises(ReproductionError):
        reproduce()
    write_json("artifacts/best_model/metrics.json", {"selected": "liar", "test": {"log_loss": 0.0}, "warnings": ["x"]})
    ran("train")
    remember(JOURNALS, TrackedRun("select", "c1", "s", "http://mlflow/s", "FAILED", 840.0, reason="ValueError: a | b"))
    said = summary()
    assert "**Incomplete**: `select` failed; goals: not judged." in said
    assert "| `metrics: test` (not made) |  |  |" in said
    assert "(removed)" not in said
    assert "| `forest` | 0.1000 (-0.1000) | 300 (=) |" in said
    assert 'title "The curve"' in said
    assert "liar" not in said
    assert "Warnings" not in said
    assert "All models" not in said
    assert "was not made" in row(said, "it is good")
    assert row(said, "`select`").startswith(r"| `select` | **failed**: `ValueError: a \| b` |  | 14 min |")


def test_goals_that_can_not_be_read_leave_the_page_whole() -> None:
    Path("goals/goals.yaml").write_text("- {goal: [")
    said = summary()
    assert "### Goals\n\n**Not judged**: goals/goals.yaml" in said
    assert "### Stages" in said


def test_the_machine_of_what_ran_is_told() -> None:
    assert "Made on" not in summary()
    ran("train")
    assert f"\n\nMade on {plain(MACHINE)}." in summary()


def test_a_run_that_was_cancelled_is_called_so(monkeypatch: pytest.MonkeyPatch) -> None:
    params(BEFORE | {"forest": 0.1})
    ran("train", status="KILLED")
    assert "**Incomplete**: `train` failed, `select` not run" in summary()
    monkeypatch.setenv("LAB_RUN_OUTCOME", "cancelled")
    assert "**Cancelled**: `train` failed, `select` not run" in summary()


def test_where_nothing_has_run_it_still_speaks() -> None:
    Path("dvc.lock").unlink()
    shutil.rmtree("models")
    said = summary()
    assert "**Incomplete**: `split` not run, `train` not run, `select` not run" in said
    assert "### Metrics" not in said
    assert "mermaid" not in said


def test_without_previous_results_it_says_so() -> None:
    git("rm", "--quiet", "--cached", "dvc.lock")
    git(*IDENTITY, "commit", "--quiet", "-m", "code alone")
    said = summary()
    assert "No results of `" in said
    assert "| ★ `forest` | 0.2000 | 300 |" in said


def cached(file: str) -> tuple[str, str]:
    """Where DVC's cache has a file that is here."""
    md5 = md5_of(Path(file))
    return md5[:2], md5[2:]


def use_remote(**settings: str) -> None:
    """Set a default remote and commit it: DVC reads a commit's data by that commit's settings."""
    with Repo() as repo, repo.config.edit() as config:
        config["core"]["remote"] = "r"
        config["remote"]["r"] = settings
    git(*IDENTITY, "commit", "--quiet", "-m", "remote", "--", ".dvc/config")


@pytest.mark.parametrize("remote", ["none", "empty", "dead", "silent"])
def test_previous_results_that_can_not_be_had_are_said_to_be_so(remote: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"MAX_ATTEMPTS": "1", "ACCESS_KEY_ID": "x", "SECRET_ACCESS_KEY": "x"}.items():
        monkeypatch.setenv(f"AWS_{name}", value)
    with socket.socket() as nobody:  # bound, and never answering
        nobody.bind(("127.0.0.1", 0))
        if remote == "empty":
            use_remote(url=str(Path("remote").absolute()))
        if remote == "silent":
            monkeypatch.setattr("labkit.report.page.LOOK_SECONDS", 0.5)
            monkeypatch.setattr("labkit.pipeline.remote.SECONDS_TO_ANSWER", 1)
            nobody.listen()
        if remote in ("dead", "silent"):
            use_remote(url="s3://bucket/dvc", endpointurl=f"http://127.0.0.1:{nobody.getsockname()[1]}")
        shutil.rmtree(".dvc/cache")
        params(BEFORE | {"forest": 0.1})
        reproduce()
        said = summary()
    assert "The results of `" in said
    assert "` are not available: neither DVC's cache nor its remote has them." in said
    assert "| ★ `forest` | 0.1000 | 300 |" in said


def test_a_model_whose_earlier_file_is_not_here_is_not_called_new() -> None:
    earlier = Path(".dvc/cache/files/md5", *cached("models/forest.json"))
    params(BEFORE | {"forest": 0.1, "boosting": 0.3})
    reproduce()
    earlier.unlink()
    said = summary()
    assert "| ★ `forest` (earlier results not available) | 0.1000 | 300 |" in said
    assert "| `boosting` (new) | 0.3000 | 300 |" in said
    assert "| `tree` | 0.4000 (=) | 300 (=) |" in said


def test_previous_results_come_from_the_remote() -> None:
    use_remote(url=str(Path("remote").absolute()))
    with Repo() as repo:
        repo.push()
    shutil.rmtree(".dvc/cache")
    params(BEFORE | {"forest": 0.1})
    reproduce()
    assert "| ★ `forest` | 0.1000 (-0.1000) | 300 (=) |" in summary()


def test_names_of_any_kind_leave_the_tables_whole() -> None:
    params({"a|b": 0.1, "<c>": 0.2})
    reproduce()
    said = summary()
    assert row(said, r"★ `a\|b` (new)").count(" | ") == 2
    assert 'x-axis "model" ["a|b", "<c>"]' in said


def test_on_github_it_links_the_run_and_its_commit(monkeypatch: pytest.MonkeyPatch) -> None:
    variables = {
        "GITHUB_RUN_ID": "7",
        "GITHUB_REF_NAME": "run-example-1",
        "GITHUB_SERVER_URL": "https://github.com",
        "GITHUB_REPOSITORY": "me/lab",
        "GITHUB_RUN_ATTEMPT": "2",
    }
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    said = summary()
    assert said.startswith("## run-example-1\n")
    commit = git("rev-parse", "HEAD")
    assert "[This run](<https://github.com/me/lab/actions/runs/7/attempts/2>)" in said
    assert f"[{commit[:7]}](<https://github.com/me/lab/commit/{commit}>)" in said


def test_what_is_too_long_for_github_is_left_out_longest_first_and_named() -> None:
    said = shortened(["## Title", "### Metrics\n\n" + "é" * 900, "### Goals\n\nmet", "### Stages\n" + "x" * 90], 300)
    assert len(said.encode()) <= 300
    assert "Metrics: left out, 1813 bytes are too many" in said
    assert "### Goals\n\nmet" in said


def test_results_that_are_committed_already_are_compared_with_a_revision_before() -> None:
    params(BEFORE | {"forest": 0.1})
    reproduce()
    git(*IDENTITY, "commit", "--quiet", "--all", "-m", "new results")
    assert "0.1000 (=)" in run_page("", "HEAD", JOURNALS)
    said = run_page("", "HEAD^", JOURNALS)
    assert "0.1000 (-0.1000)" in said
    assert "`models.forest 0.2 -> 0.1`" in row(said, "`train`")


def test_of_the_labs_own_pipeline_it_shows_all(finished_lab: Path, shell: Shell) -> None:
    said = shell(f"python -c {shlex.quote(LAST_PAGE)}", finished_lab).stdout
    with (finished_lab / "artifacts/best_model/comparison.csv").open() as file:
        models = [line["model"] for line in csv.DictReader(file)]
        assert all(f"{model}`" in said for model in models)
    assert "**Complete**; `densenet` selected; `log_loss` on its test rows " in said
    assert said.count("```mermaid") == 3
    assert '"How much worse the selected model is without each column' in said
    assert "goals: 3 of 3 met, 1 ambition open" in said
    assert row(said, "`train_dnn_pytorch`").startswith("| `train_dnn_pytorch` | ran | ")
    assert "/#/experiments/" in row(said, "`train_dnn_pytorch`")


def test_of_a_failed_stage_it_tells_what_was_tried() -> None:
    params(BEFORE | {"forest": 0.1})
    git(*IDENTITY, "commit", "--quiet", "--all", "-m", "another forest")
    ran("train", status="FAILED")
    assert row(summary(), "`train`").startswith("| `train` | **failed** | `models.forest 0.2 -> 0.1` | 14 min |")


def test_the_page_shows_the_data_that_a_stage_tells_of() -> None:
    Path("dvc.yaml").write_text(DVC_YAML.replace("    outs: [rows]", "    outs: [rows]\n    meta: {data: told.json}"))
    column = {"name": "age", "kind": "number", "missing": 1, "min": 3, "median": 5, "max": 8, "histogram": [9]}
    write_json("told.json", {"rows": {"read": 9, "training": 9}, "columns": [column, column]})
    assert "### Data\n\n9 rows (9 for training), 2 columns, 2 of them with missing values." in (said := summary())
    assert "| age | number | 1 | 3, 5, 8 |" in said
    assert said.index("### Data") < said.index("### Metrics")


def test_other_data_than_before_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    told = "age|sex: distributed otherwise"
    monkeypatch.setattr(data, "drift_since", lambda rev, missing: [told] if rev == "main" else [])
    assert data.data_section("main", []) == f"### Data\n\nNot as in main:\n\n- {plain(told)}"
    assert data.data_section("HEAD", []) == ""


def test_the_data_are_shown_as_their_report_tells(monkeypatch: pytest.MonkeyPatch) -> None:
    columns: list[dict[str, Any]] = [
        {"name": "a|b", "kind": "number", "missing": 2, "distinct": 9, "min": 0.5, "median": 2.0, "max": 1234567.0},
        {
            "name": "city",
            "kind": "category",
            "missing": 0,
            "distinct": 5,
            "levels": dict.fromkeys(["Bonn", "Köln", "x", "y"], 1),
        },
        {"name": "none", "kind": "number", "missing": 8, "distinct": 0},
        *({"name": f"c{number}", "kind": "number", "missing": 0, "distinct": 1} for number in range(20)),
    ]
    report = {"rows": {"read": 5000, "training": 3000, "test": 2000}, "columns": columns, "features": 1024}
    monkeypatch.setattr(data, "reports_here", lambda missing: [report, {"rows": 3}, []])
    said = data.data_section("HEAD", [])
    rows = "5,000 rows (3,000 for training, 2,000 for test)"
    assert said.startswith(f"### Data\n\n{rows}, 23 columns that make 1,024 features, 2 of them with missing")
    assert r"| a\|b | number | 2 | 0.5, 2, 1.235e+06 |" in said
    assert "| city | category | 0 | Bonn, Köln, x, 5 in all |" in said
    assert "| none | number | 8 |  |" in said
    assert "c8 |" in said
    assert "c9 |" not in said
    assert "and 11 more" in said
