"""What `dvc repro` would run, told of small DVC projects in real repositories, and compared with what it then runs."""

import json
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from dvc.repo import Repo

from labkit.pipeline.input_changes import differences
from labkit.pipeline.status import StageStatus, conclusion, line, pipeline_status
from labkit.process.errors import InputError
from labkit.testing.fixtures import Shell
from labkit.tracking.journal import TrackedRun, remember

pytestmark = pytest.mark.integration

DVC_YAML = """
stages:
  prepare:
    cmd: mkdir data && cat raw/table.csv > data/table && wc -c < code/load.py >> data/table
    deps: [code, raw/table.csv]
    params: [data]
    outs: [data]
  train:
    cmd: cat data/table code.lock > model
    deps: [data, code.lock]
    params: [training.lr, training.layers]
    outs: [model]
  judge:
    cmd: wc -c < model > score.json
    deps: [model]
    metrics: [score.json]
"""
PARAMS = "data: {source: wine, query: null}\ntraining: {lr: 0.0001, layers: [64, 32]}\n"


def lock(**versions: str) -> str:
    return json.dumps({"default": {name: {"version": f"=={version}"} for name, version in versions.items()}})


def git(*arguments: str) -> None:
    subprocess.run(["git", "-c", "user.name=t", "-c", "user.email=t@t.example", *arguments], check=True)


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project whose pipeline has run, committed."""
    folder = tmp_path_factory.mktemp("finished") / "project"
    folder.mkdir()
    before = Path.cwd()
    os.chdir(folder)
    try:
        git("init", "--quiet", "--initial-branch=main")
        Repo.init(".").close()
        files = {
            "dvc.yaml": DVC_YAML,
            "params.yaml": PARAMS,
            "code/load.py": "x = 1\n",
            "code/load_test.py": "",
            "code/Pipfile.lock": lock(numpy="2.1", pandas="3.0"),
            "code.lock": "1",
            "raw/table.csv": "1,2\n",
            ".dvcignore": "*_test.py\n",
        }
        for name, text in files.items():
            Path(name).parent.mkdir(exist_ok=True)
            Path(name).write_text(text)
        with Repo() as repo:
            repo.add("raw/table.csv")
            repo.reproduce()
        git("add", "--all")
        git("commit", "--quiet", "-m", "results")
    finally:
        os.chdir(before)
    return folder


@pytest.fixture
def project(finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy to change, with the working folder in it."""
    folder = Path(shutil.copytree(finished, tmp_path / "project", symlinks=True))
    monkeypatch.chdir(folder)
    return folder


def status() -> dict[str, StageStatus]:
    return {stage.stage: stage for stage in pipeline_status(Path("journals"))}


def reasons(stage: str) -> str:
    return "; ".join(status()[stage].reasons)


def verdicts() -> list[str]:
    return [stage.forecast for stage in status().values()]


def edit(name: str, old: str, new: str) -> None:
    text = Path(name).read_text()
    assert old in text
    Path(name).write_text(text.replace(old, new))


def reproduced() -> list[str]:
    """Run the pipeline and return what DVC ran or restored."""
    with Repo() as repo:
        return [stage.addressing for stage in repo.reproduce()]


@pytest.mark.usefixtures("project")
def test_of_a_finished_pipeline_nothing_would_run() -> None:
    assert verdicts() == ["current", "current", "current"]
    assert conclusion(pipeline_status()) == "Nothing would run."
    assert reproduced() == []


def test_a_password_among_the_changed_parameters_is_not_told() -> None:
    long = "x" * 50  # as far as a value is shown
    (change,) = differences({"source": "iris"}, {"source": f"https://{long}:S3@CRET@host/x.csv"})
    assert change == "source iris -> https://host/x.csv"


@pytest.mark.usefixtures("project")
def test_changed_parameters_are_named_with_their_old_and_new_values() -> None:
    edit("params.yaml", "0.0001", "3e-4")
    edit("params.yaml", "[64, 32]", "[64]")
    assert reasons("train") == "training.lr 0.0001 -> 0.0003; training.layers [64, 32] -> [64]"
    assert reasons("judge") == "may run again: its input model comes from train"
    assert verdicts() == ["current", "runs", "may run"]
    assert "train" in reproduced()


@pytest.mark.usefixtures("project")
def test_keys_that_came_and_went_below_a_section_are_told() -> None:
    edit("params.yaml", "query: null", "target: {name: a}")
    assert reasons("prepare") == "data.query removed (was null); data.target.name added: a"


@pytest.mark.usefixtures("project")
def test_a_comment_and_another_order_of_keys_change_nothing() -> None:
    Path("params.yaml").write_text(
        "training: {layers: [64, 32], lr: 0.0001} # slow\ndata: {query: null, source: wine}\n"
    )
    assert verdicts() == ["current", "current", "current"]


@pytest.mark.usefixtures("project")
def test_of_changed_code_the_files_are_named_and_of_a_lock_the_packages() -> None:
    edit("code/load.py", "1", "2")
    Path("code/new.py").touch()
    Path("code/load_test.py").write_text("of no account")
    Path("code/Pipfile.lock").write_text(lock(numpy="2.2", scipy="1.0"))
    packages = "numpy 2.1 -> 2.2, pandas 3.0 -> none, scipy none -> 1.0"
    assert reasons("prepare") == f"code changed: Pipfile.lock ({packages}), load.py, new.py added"


@pytest.mark.usefixtures("project")
def test_where_no_commit_has_the_recorded_code_only_the_folder_is_named() -> None:
    edit("code/load.py", "1", "22")
    reproduced()
    edit("code/load.py", "22", "333")
    assert reasons("prepare") == "code changed"


@pytest.mark.usefixtures("project")
def test_changed_data_that_dvc_tracks_is_named() -> None:
    Path("raw/table.csv").unlink()
    Path("raw/table.csv").write_text("3,4\n")
    assert reasons("prepare") == "raw/table.csv changed"


@pytest.mark.usefixtures("project")
def test_a_changed_command_a_new_stage_output_and_dependency_are_told() -> None:
    edit("dvc.yaml", "wc -c < model > score.json", "wc -l < model > score.json && touch more")
    edit("dvc.yaml", "metrics: [score.json]", "metrics: [score.json]\n    outs: [more]")
    edit("dvc.yaml", "deps: [model]", "deps: [model, code.lock]")
    with Path("dvc.yaml").open("a") as file:
        file.write("  say:\n    cmd: cp score.json said\n    deps: [score.json]\n    outs: [said]\n")
    assert reasons("judge") == "its command changed; new dependency code.lock; new output more"
    assert reasons("say") == "never ran"


@pytest.mark.usefixtures("project")
def test_without_dvc_lock_every_stage_never_ran() -> None:
    Path("dvc.lock").unlink()
    assert [stage.reasons for stage in pipeline_status()] == [["never ran"]] * 3


@pytest.mark.usefixtures("project")
def test_outputs_that_went_or_changed_here_come_back_from_the_cache_and_nothing_runs() -> None:
    Path("model").unlink()
    Path("score.json").unlink()
    Path("score.json").write_text("0")
    assert reasons("train") == "model is deleted: restored from the cache"
    assert reasons("judge") == "score.json is modified: restored from the cache"
    assert conclusion(pipeline_status()) == "Nothing would run."


def test_in_a_clone_without_data_it_tells_what_would_run_and_what_to_pull(project: Path) -> None:
    with Repo() as repo, repo.config.edit() as config:
        config["core"]["remote"] = "r"
        config["remote"]["r"] = {"url": str(project / "remote")}
    git("commit", "--quiet", "--all", "-m", "remote")
    git("clone", "--quiet", ".", "clone")
    os.chdir("clone")
    assert verdicts() == ["not here", "not here", "not here"]
    assert reasons("train") == "its outputs are not here: `dvc pull`, or `dvc repro` runs it again"
    assert conclusion(pipeline_status()) == "Nothing would run once they are pulled."
    edit("params.yaml", "0.0001", "0.1")
    assert verdicts() == ["not here", "runs", "may run"]
    assert reasons("train") == "training.lr 0.0001 -> 0.1"
    os.chdir(project)


@pytest.mark.usefixtures("project")
def test_without_a_remote_there_is_nothing_to_pull_from() -> None:
    shutil.rmtree(".dvc/cache")
    for name in ("data", "model", "score.json"):
        shutil.rmtree(name, ignore_errors=True)
        Path(name).unlink(missing_ok=True)
    told = "its outputs are not in the cache, and there is no DVC remote to pull them from"
    assert [stage.reasons for stage in status().values()] == [[told]] * 3
    assert verdicts() == ["runs", "runs", "runs"]
    assert {"prepare", "train", "judge"} <= set(reproduced())


@pytest.mark.usefixtures("project")
def test_a_folder_of_dvcs_that_is_not_pulled_makes_nothing_stale_until_it_changes() -> None:
    edit("dvc.yaml", "raw/table.csv]", "raw]")
    Path("raw/images").mkdir()
    Path("raw/images/1.txt").write_text("one")
    with Repo() as repo:
        repo.add("raw/images")
        repo.reproduce()
    git("add", "--all")
    git("commit", "--quiet", "-m", "images")
    Path("raw/table.csv").unlink()
    assert reasons("prepare") == ""
    shutil.rmtree("raw/images")
    shutil.rmtree(".dvc/cache")
    shutil.rmtree("data")
    assert "raw" not in reasons("prepare").split()
    Path("raw/images.dvc").write_text(Path("raw/images.dvc").read_text().replace("md5: ", "md5: 0", 1))
    assert "raw changed" in reasons("prepare")


@pytest.mark.usefixtures("project")
def test_a_state_that_ran_before_would_come_from_the_cache() -> None:
    edit("params.yaml", "0.0001", "0.1")
    reproduced()
    edit("params.yaml", "0.1", "0.0001")
    assert reasons("train") == "training.lr 0.1 -> 0.0001; this state ran before: restored from the cache"
    assert reasons("judge") == "may run again: its input model comes from train"


@pytest.mark.usefixtures("project")
def test_a_record_of_other_data_than_the_stage_before_it_made_is_no_current_one() -> None:
    committed = Path("dvc.lock").read_text()
    edit("code/load.py", "1", "12345")
    reproduced()
    mixed = committed.split("  train:")[1]
    Path("dvc.lock").write_text(Path("dvc.lock").read_text().split("  train:")[0] + "  train:" + mixed)
    assert reasons("train").startswith("its input data changed since it ran")


@pytest.mark.usefixtures("project")
def test_durations_come_from_this_machine_and_else_from_the_results_commits() -> None:
    edit("dvc.yaml", "    cmd: wc -c < model", "    cmd: true labkit.launch evaluate; wc -c < model")
    for number in (30, 14 * 60):
        git("commit", "--quiet", "--allow-empty", "-m", f"Results\n\nRan: prepare (2 s)\nRan: train ({number} s)")
    git("commit", "--quiet", "--allow-empty", "-m", "Incomplete results\n\nRan: prepare (3 s)\nFailed: train (1 s)")
    Path("journals").mkdir()
    remember(Path("journals"), TrackedRun("evaluate", "c", "r", "u", "FINISHED", 7.0))
    edit("params.yaml", "0.0001", "3e-4")
    told = status()
    assert [stage.seconds for stage in told.values()] == [3.0, 840.0, 7.0]
    assert line(told["train"]) == "[bold]train[/]: training.lr 0.0001 -> 0.0003; took 14 min last time"
    assert conclusion(list(told.values())) == "2 of 3 stages would run, 14 min together, by last time."


@pytest.mark.usefixtures("project")
def test_it_writes_nothing() -> None:
    edit("params.yaml", "0.0001", "3e-4")
    Path("score.json").unlink()
    before = {
        path: path.stat().st_mtime_ns for path in Path().rglob("*") if path.is_file() and ".dvc/tmp" not in str(path)
    }
    pipeline_status()
    after = {
        path: path.stat().st_mtime_ns for path in Path().rglob("*") if path.is_file() and ".dvc/tmp" not in str(path)
    }
    assert before == after


@pytest.mark.usefixtures("project")
@pytest.mark.parametrize(
    ("file", "text"), [("dvc.yaml", "stages: ["), ("dvc.yaml", "stages: {a: {}}"), ("params.yaml", "[")]
)
def test_a_broken_file_is_named_in_one_line(file: str, text: str) -> None:
    Path(file).write_text(text)
    with pytest.raises(InputError, match=file) as refused:
        pipeline_status()
    assert "\n" not in str(refused.value)


def test_the_verb_speaks_without_colour_in_a_pipe(finished_lab: Path, tmp_path: Path, shell: Shell) -> None:
    lab = Path(shutil.copytree(finished_lab, tmp_path / "lab", symlinks=True))
    params = lab / "params.yaml"
    params.write_text(params.read_text().replace("lr: 0.0003", "lr: 0.01"))
    first, second, last = shell("python -m lab status", lab).stdout.splitlines()
    assert first.startswith("train_dnn_pytorch: training.lr 0.0003 -> 0.01; took ")
    assert second.startswith("select_best_model: may run again: its inputs artifacts/train_dnn_pytorch/metrics, ")
    assert last.startswith("1 of 4 stages would run, 1 may, ")
    (lab / "dvc.yaml").write_text("stages: [")
    refused = shell("python -m lab status", lab, check=False)
    assert (refused.returncode, refused.stderr.count("\n")) == (1, 1)


def test_parameters_that_every_run_refuses_are_refused(new_lab: Callable[[], Path], shell: Shell) -> None:
    lab = new_lab()
    params = lab / "params.yaml"
    params.write_text(params.read_text().replace("epochs: 80", "epochs: -80") + "\nnobody: 1\n")
    refused = shell("python -m lab status", lab, check=False)
    assert refused.returncode == 1
    assert "params.yaml: training.epochs is -80: " in refused.stderr
    assert "params.yaml: nobody (= 1) is unknown" in refused.stderr
