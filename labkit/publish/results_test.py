"""The page of a run that was published, and of one that was not: in a small DVC project with a remote for each part."""

import json
import shutil
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from labkit.paths import ROOT
from labkit.testing.fixtures import Shell
from labkit.tracking.journal import TrackedRun, remember

pytestmark = pytest.mark.integration

DVC_YAML = """
stages:
  train:
    cmd: true labkit.launch train && cp params.yaml model && echo '{"rate":' $(cut -c4- model)'}' > score.json
    params: [lr]
    outs: [model]
    metrics: [score.json]
"""
GITHUB = {
    "GITHUB_RUN_ID": "7",
    "GITHUB_RUN_ATTEMPT": "1",
    "GITHUB_SERVER_URL": "https://github.example",
    "GITHUB_REPOSITORY": "me/lab",
    "GITHUB_REF_NAME": "run-example-1",
}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory, shell: Shell) -> Path:
    """The folder of a project on main with results, whose next run has learned at another rate, and of its remotes."""
    place = tmp_path_factory.mktemp("made")
    shell("git init --quiet --bare --initial-branch main origin && git clone --quiet origin project 2>&1", place)
    folder = place / "project"
    (folder / "journals").mkdir()
    (folder / "dvc.yaml").write_text(DVC_YAML)
    (folder / "params.yaml").write_text("lr: 0.0003\n")
    (folder / ".gitignore").write_text("/journals\n/model\n/score.json\n")
    commit = "git add --all && git commit --quiet --no-verify -m"
    shell("git switch --quiet -c main; dvc init -q; dvc remote add -q -d minio ../dvc; dvc repro -q", folder)
    shell(f"{commit} before; sed -i s/0.0003/0.001/ params.yaml; {commit} code; git push --quiet origin main", folder)
    shell("git tag run-example-1; dvc repro -q; git remote set-url origin ../origin", folder)
    return place


@pytest.fixture
def project(made: Path, tmp_path: Path) -> Path:
    """A copy of that project, beside copies of its remotes."""
    shutil.copytree(made, tmp_path, symlinks=True, dirs_exist_ok=True)
    return tmp_path / "project"


@pytest.fixture
def publish(shell: Shell, project: Path) -> Shell:
    """Publish as a job of GitHub's does; the page is `page.md` beside the project."""

    def run(**variables: str) -> CompletedProcess[str]:
        given = {"PYTHONPATH": str(ROOT), "LAB_JOURNALS": str(project / "journals"), "LAB_EXECUTION_ID": "c1"}
        page = {"GITHUB_STEP_SUMMARY": str(project.parent / "page.md")}
        return shell("python -m lab publish run-example-1", project, check=False, **given, **page, **variables)

    return run


def test_the_page_ends_with_where_the_results_are_and_what_mlflow_lacks(
    project: Path, publish: Shell, shell: Shell
) -> None:
    remember(project / "journals", TrackedRun("train", "c1", "r", "http://u", "FINISHED", 1.0, lacking="f1@5"))
    start = {"event": "start", "run": "0", "time": 1, "tags": {"lab.stage": "judge", "lab.execution": "c0"}}
    event = json.dumps(start | {"uri": "http://mlflow.example"})
    (project / "journals/1-judge.jsonl").write_text(f"{event}\n")
    done = publish(**GITHUB)
    assert done.returncode == 0, done.stderr
    assert "\nChanged: lr 0.0003 -> 0.001\n" in shell("git log -1 --format=%B origin/main", project).stdout
    assert json.loads(shell("git show origin/main:lab/results/score.json", project).stdout) == {"rate": 0.001}
    page = (project.parent / "page.md").read_text()
    assert "**Complete**." in page
    _, published = page.split("### Publication\n\n")
    where, pending, lacking = published.splitlines()
    assert where.startswith("- Results are on main: ")
    assert pending.startswith("- Not in MLflow yet, the next run sends it: `judge`: meant for http://mlflow.example")
    assert lacking == "- MLflow has not got all of `train`: it lacks f1@5"


@pytest.mark.parametrize(
    ("variables", "remedy"), [(GITHUB, "*Re-run jobs*"), ({}, "`python -m lab publish run-example-1`")]
)
def test_what_was_not_published_is_not_called_complete_alone_and_the_way_on_is_told(
    project: Path, publish: Shell, shell: Shell, variables: dict[str, str], remedy: str
) -> None:
    shell("dvc remote remove -q minio && git commit --quiet --no-verify -am remote", project)
    failed = publish(**variables)
    assert failed.returncode == 1
    assert failed.stderr.endswith(f"{remedy} goes on from there\n")
    assert "Traceback" not in failed.stderr
    page = (project.parent / "page.md").read_text()
    assert "**Complete**. **Not published**.\n" in page
    assert page.splitlines()[-1].startswith("- **Not published**: ")
    assert page.endswith(f"{remedy} goes on from there\n")


def test_a_run_in_which_nothing_finished_is_not_called_nothing_new(project: Path, publish: Shell, shell: Shell) -> None:
    shell("git checkout --quiet dvc.lock", project)
    remember(
        project / "journals", TrackedRun("train", "c1", "r", "http://u", "FAILED", 1.0, "[Errno 28] No space left")
    )
    said = "Nothing was committed: no stage finished with new results (train failed)."
    done = publish(**GITHUB)
    assert f"{said}\n" in done.stdout
    assert f"- {said}\n" in (project.parent / "page.md").read_text()
    assert "Nothing new" not in done.stdout
    shell("git checkout --quiet main~1 && dvc checkout --quiet", project)
    assert "Nothing new: the commit has these results already.\n" in publish(**GITHUB).stdout


def test_why_a_stage_failed_stands_at_the_top_of_the_run_on_github(project: Path, publish: Shell, shell: Shell) -> None:
    shell("sed -i 's/cp params.yaml model/false/' dvc.yaml && git commit --quiet --no-verify -am broken", project)
    remember(project / "journals", TrackedRun("train", "c1", "r", "http://u", "FAILED", 1.0, "ValueError: 5%\nboom"))
    assert "::error title=train::ValueError: 5%25%0Aboom\n" in publish(**GITHUB).stdout


NOT_RUN = '  judge: {cmd: "false", deps: [model], outs: [verdict]}\n'


@pytest.mark.parametrize(
    ("more", "registered"),
    [pytest.param("", ["refs/tags/net@v1.0.0"], marks=pytest.mark.nightly), (NOT_RUN, [])],
    ids=["complete", "not"],
)
def test_a_complete_run_is_registered_once_where_dvc_yaml_asks_for_it(
    project: Path, publish: Shell, shell: Shell, empty_database: Path, more: str, registered: list[str]
) -> None:
    with (project / "dvc.yaml").open("a") as file:
        file.write(f"    meta: {{registry: {{name: net, model: model, each_run: true}}}}\n{more}")
    shell("git commit --quiet --no-verify -m registry dvc.yaml && git push --quiet origin HEAD:main", project)
    remember(project / "journals", TrackedRun("train", "c1", "r", "http://u", "FINISHED", 1.0))
    database = shutil.copy(empty_database, project.parent / "mlflow.db")
    for _ in range(1 + len(registered)):  # again, where it was
        done = publish(MLFLOW_TRACKING_URI=f"sqlite:///{database}", MLFLOW_EXPERIMENT_NAME="test", **GITHUB)
        assert done.returncode == 0, done.stderr
        refs = shell("git for-each-ref --format='%(refname)' refs/tags/net*", project.parent / "origin").stdout
        assert refs.split() == registered
    if registered:
        tagged = shell("git log -1 --format=%B net@v1.0.0^{commit}", project).stdout
        assert tagged.startswith("Results of run-example-1\n")
        assert "MLflow shows it already" in done.stdout
