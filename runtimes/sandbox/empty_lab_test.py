"""A lab without the example works: every process is removed, one is added, run, tested, tagged and published.

S3, MLflow, the Git remote and DVC are real. GitHub itself is not here: act runs the workflow, on this host.
"""

import shutil
import sys
from pathlib import Path

import pytest

from labkit.paths import ROOT
from labkit.pipeline.dependencies import NO_STAGES, declared_stages, faults
from labkit.testing.example_lab import copy_lab, has_example
from labkit.testing.fixtures import Shell
from labkit.testing.ports import free_port
from runtimes.sandbox.runs import folder_of, recorded_runs
from runtimes.sandbox.start import down, up
from runtimes.sandbox.watch import follow_newest

pytestmark = pytest.mark.integration

TEST = "PYTHONPATH=lab pytest"  # all of `make test`, on one core
GOAL = "- {goal: the data are here, file: artifacts/describe_data/summary.json, metric: files, at_least: 1}\n"


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory, shell: Shell) -> Path:
    """A copy of this repository in which no process is left, committed."""
    lab = copy_lab(ROOT, tmp_path_factory.mktemp("empty") / "lab")
    if not has_example(ROOT):
        (lab / "goals" / "goals.yaml").write_text("# none yet\n", encoding="utf-8")
    (lab / ".venv").symlink_to(sys.prefix)
    shell("git init --quiet --initial-branch main && echo /.venv > .git/info/exclude && git add --all", lab)
    shell("git commit --quiet --no-verify --message lab", lab)
    for process in reversed(declared_stages(lab)):
        said = shell(f"python -m lab remove-process {process}", lab).stdout
        assert ("it errs once in 200 rows" in said) == (process == "select_best_model")
    shell("git add --all && git commit --quiet --no-verify --allow-empty --message 'Begin with nothing'", lab)
    return lab


@pytest.fixture(scope="module")
def lab_with_own(lab: Path, shell: Shell) -> Path:
    """The same lab with a process of its own, data and a goal, run and committed."""
    shell("python -m lab new-process describe_data", lab)
    (lab / "data" / "raw" / "birds.csv").write_text("width\n1\n", encoding="utf-8")
    (lab / "goals" / "goals.yaml").write_text(GOAL, encoding="utf-8")
    shell("dvc add --quiet data/raw/birds.csv", lab)
    said = shell("python -m lab run", lab).stdout
    assert "Ran describe_data." in said
    assert "the data are here" in said
    assert "Models" not in said
    assert "no table" not in said
    shell("git add --all && git commit --quiet --no-verify --message 'Describe the data'", lab)
    return lab


def test_nothing_of_the_example_is_left(lab: Path) -> None:
    assert (lab / "dvc.yaml").read_text(encoding="utf-8") == "stages: {}\n"
    assert [path.parent.name for path in lab.glob("lab/processes/*/*")] == []
    assert faults(lab) == []


@pytest.mark.parametrize("verb", ["run", "status", "log"])
def test_a_lab_without_a_process_says_what_adds_one(lab: Path, shell: Shell, verb: str) -> None:
    said = shell(f"python -m lab {verb}", lab)
    told = {
        "log": "No results commits in HEAD yet: runners make them. `python -m lab site` shows what people committed."
    }
    assert said.stdout == f"{told.get(verb, NO_STAGES)}\n"
    assert said.stderr == ""


@pytest.mark.nightly
def test_what_is_left_is_well_typed_and_passes_its_tests(lab: Path, shell: Shell, mypy_cache: Path) -> None:
    shutil.copytree(mypy_cache, lab / ".mypy_cache")  # mypy would believe of ROOT too that its processes are gone
    shell("mypy", lab)
    assert " passed" in shell(TEST, lab).stdout


@pytest.mark.nightly
def test_a_first_process_passes_every_hook(lab_with_own: Path, shell: Shell) -> None:
    shell(".venv/bin/pre-commit run --all-files", lab_with_own)


@pytest.mark.nightly
def test_a_first_process_passes_every_test(lab_with_own: Path, shell: Shell) -> None:
    shell(TEST, lab_with_own)


@pytest.mark.nightly
def test_its_results_are_published(lab_with_own: Path, tmp_path: Path, shell: Shell) -> None:
    folder = tmp_path / "sandbox"
    log: list[str] = []
    try:
        sandbox = up(folder, free_port(), free_port(), source=lab_with_own)
        clone = sandbox.clone
        shell("sed -i 's/n_largest: 3 /n_largest: 0 /' params.yaml && git commit --quiet --all --message None", clone)
        shell("git push --quiet && git tag run-example-1 && git push --quiet origin run-example-1", clone)
        assert follow_newest(sandbox, log.append) == 0, "\n".join(log)
        shell("git pull --quiet --rebase && dvc pull", clone)
        keys = shell("git log -1 --format='%(trailers:keyonly)'", clone).stdout.split()
        assert keys == ["Code-Commit", "Tag", "Run", "Execution", "Changed", "Ran", "MLflow", "Machine", "Goals"]
        changed = shell("git diff --name-only HEAD^", clone).stdout.split()
        assert changed == ["dvc.lock", "lab/results/artifacts/describe_data/summary.json"]
        assert '"largest": {}' in (clone / "artifacts/describe_data/summary.json").read_text(encoding="utf-8")
        told = shell("python -m lab log", clone).stdout
        assert "1 of 1 met" in told
        assert "selected model" not in told
        assert "metric" not in told
        summary = (folder_of(sandbox, recorded_runs(sandbox)[-1]) / "summary.md").read_text(encoding="utf-8")
        assert "`describe_data` | ran" in summary
        assert "★" not in summary
        assert "do not compare" not in summary
        assert "selected" not in summary
    finally:
        down(folder)
