"""The messages of results commits tell the run, and `git log` gives the table of experiments."""

import hashlib
import re
import shutil
from pathlib import Path

import pytest
from rich.console import Console

from labkit.git_cli import git
from labkit.publish.conftest import Place
from labkit.publish.history import Experiment, experiments, experiments_table
from labkit.publish.message import commit_message
from labkit.publish.results_commit import commit_results
from labkit.report.outcomes import StageReport
from labkit.testing.fixtures import Shell

CODE, URL = "0123456789" * 4, "https://github.example/lab/actions/runs/7/attempts/1"
RUN = ("run-example-1", CODE, URL, "run-example-1.7")
MACHINE = "x86_64 GenuineIntel avx512, cpu, portable kernels"
RAN = StageReport("train", "ran", 61.4, "https://mlflow.example/#/experiments/1/runs/a", machine=MACHINE)
CACHED = StageReport("prepare", "from cache", None, "")
FAILED = StageReport("select", "failed", 1.0, "")


@pytest.mark.integration
def test_a_message_says_what_ran_where_and_what_came_of_it(finished_lab: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(finished_lab)
    title, empty, *trailers = commit_message(*RUN, [CACHED, RAN]).splitlines()
    assert (title, empty) == ("Results of run-example-1", "")
    assert trailers[:8] == [
        f"Code-Commit: {CODE}",
        "Tag: run-example-1",
        f"Run: {URL}",
        "Execution: run-example-1.7",
        "From-Cache: prepare",
        "Ran: train (61 s)",
        f"MLflow: {RAN.url}",
        f"Machine: {MACHINE}",
    ]
    assert [trailer.split(":")[0] for trailer in trailers[8:]] == ["Selected-Model", "Metric", "Goals"]
    assert trailers[9].startswith("Metric: test log_loss 0.")
    assert "skip ci" not in "".join(trailers)  # a tag on this commit would start nothing


@pytest.mark.integration
def test_an_incomplete_run_names_what_failed_and_claims_no_model(
    finished_lab: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(finished_lab)
    text = commit_message(*RUN, [CACHED, RAN, FAILED, StageReport("deploy", "not run", None, "")])
    assert text.startswith("Incomplete results of run-example-1\n\n")
    assert "Failed: select (1 s)\nNot-Run: deploy\n" in text
    assert "Selected-Model" not in text


@pytest.mark.unittest
def test_a_lab_that_selects_no_model_has_its_message_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert commit_message(*RUN, [RAN]).endswith(f"MLflow: {RAN.url}\nMachine: {MACHINE}\n")


@pytest.mark.unittest
def test_stages_that_ran_on_other_kernels_are_told_apart() -> None:
    native = MACHINE.replace("portable", "native")
    deep = RAN._replace(stage="train_deep", machine=native)
    told = commit_message(*RUN, [CACHED, RAN, deep, FAILED._replace(machine=MACHINE)])
    assert told.endswith(f"Machine: {MACHINE} (train, select)\nMachine: {native} (train_deep)\n")


@pytest.mark.integration
def test_the_log_is_read_back_from_git(place: Place) -> None:
    place.tagged()
    place.ran({"a": {"md5": "a1"}, "b": {"md5": "b0"}})
    first = commit_results(git("rev-parse", "HEAD"), commit_message(*RUN, [CACHED, RAN], "training.lr 0.1 -> 0.2"))
    assert first is not None
    git("checkout", "--quiet", "--force", first)
    git("commit", "--quiet", "--allow-empty", "-m", "no experiment")
    place.ran({"a": {"md5": "a1"}, "b": {"md5": "b1"}})
    second = commit_results(git("rev-parse", "HEAD"), commit_message("run-example-2", *RUN[1:], [RAN, RAN, FAILED]))
    assert second is not None
    newer, older = experiments(second)
    assert (newer.tag, newer.ran, newer.failed) == ("run-example-2", "train (61 s), train (61 s)", "select (1 s)")
    assert (older.tag, older.code, older.ran, older.run) == ("run-example-1", CODE, "train (61 s)", URL)
    assert (newer.changed, older.changed) == ("", "training.lr 0.1 -> 0.2")
    assert experiments("run-example-1") == []
    git("commit", "--quiet", "--allow-empty", "-m", f"Squashed\n\n{commit_message(*RUN, [RAN])}\nand more")
    assert experiments("HEAD") == [older]


@pytest.mark.integration
def test_what_was_written_or_moved_by_hand_is_told_apart(
    finished_lab: Path, tmp_path: Path, shell: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    lab = shutil.copytree(finished_lab, tmp_path / "lab", symlinks=True)
    monkeypatch.chdir(lab)
    results = git("rev-parse", "HEAD")
    code = git("rev-parse", "HEAD^")

    def tell(message: str) -> Experiment:
        """What the log tells of the results with this message, on the commit of their code."""
        git("reset", "--quiet", "--soft", code)
        git("commit", "--quiet", "--no-verify", "--message", message)
        (one,) = experiments()
        return one

    git("checkout", "--quiet", results)
    true = commit_message("run-example-1", code, *RUN[2:], [RAN])
    assert tell(true).proven
    (metric,) = (line for line in true.splitlines() if line.startswith("Metric: "))
    for wrong in (metric[:-1] + ("1" if metric[-1] != "1" else "2"), "Metric: test accuracy 1", "Changed: nothing"):
        assert not tell(true.replace(metric, wrong)).proven
    (goals,) = (line for line in true.splitlines() if line.startswith("Goals: "))
    assert not tell(true.replace(goals, "Goals: 9 of 9 met")).proven
    assert not tell(true.replace(goals, "Failed: select (1 s)")).proven
    assert not tell(true.replace("Selected-Model: ", "Selected-Model: my_")).proven
    assert not tell(true.replace(code, results)).proven

    # Whoever writes the message by hand may change the copies as well.
    copy = Path("lab/results/artifacts/best_model/metrics.json")
    content, lock = copy.read_text(), Path("dvc.lock").read_text()
    git("rm", "--quiet", str(copy))
    assert not tell(true).proven
    better = re.sub(r'"log_loss": 0\.\d+', '"log_loss": 0.001', content)
    copy.write_text(better)
    md5 = hashlib.md5(better.encode(), usedforsecurity=False).hexdigest()
    Path("dvc.lock").write_text(f"{lock}# md5: {md5}\n")
    git("add", ".")
    assert not tell(re.sub("Metric: test log_loss .*", "Metric: test log_loss 0.001", true)).proven
    copy.write_text(content)
    Path("dvc.lock").write_text(lock)
    git("add", ".")
    assert tell(true).proven

    board = Path("dvc.yaml").read_text()
    Path("dvc.yaml").write_text(board.replace("selected: artifacts/best_model/metrics.json", "selected: gone.json"))
    assert [one.proven for one in experiments()] == [True]  # by the commit's own, whatever lies here
    Path("dvc.yaml").write_text(board)
    shell("echo '# mine' >> params.yaml", lab)
    git("add", "params.yaml")
    assert not tell(true).proven  # of other code
    said = shell("python -m lab log", lab).stdout
    assert "unproven: written or moved by hand" in said


@pytest.mark.integration
def test_the_table_is_whole_when_piped(finished_lab: Path, tmp_path: Path, shell: Shell) -> None:
    lab = shutil.copytree(finished_lab, tmp_path / "lab", symlinks=True)
    told = shell("python -m lab log", lab).stdout
    assert "No results commits" in told
    assert "`python -m lab site`" in told
    (lab / "message.txt").write_text(commit_message(*RUN, [RAN]), encoding="utf-8")
    shell("git commit --quiet --no-verify --allow-empty --file message.txt", lab)
    assert "run-example-1" in shell("python -m lab log", lab).stdout
    unknown = shell("python -m lab log nowhere", lab, check=False)
    assert unknown.returncode == 1
    assert "nowhere" in unknown.stderr
    assert "Traceback" not in unknown.stderr


@pytest.mark.unittest
def test_words_that_look_like_markup_are_shown() -> None:
    told = Experiment(
        "today", "run-1", CODE, "data.drop: [] -> [id, name]", "x[/id]y", "", "", "", "", "", "", proven=True
    )
    console = Console(width=200, record=True)
    console.print(experiments_table([told]))
    shown = console.export_text()
    assert "data.drop: [] -> [id, name]" in shown
    assert "x[/id]y" in shown
