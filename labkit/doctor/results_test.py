"""The checks of the results, in a project of one stage that reads a folder of raw data."""

import os
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from labkit.doctor.results import check_lock_file, check_raw_data, check_tracked
from labkit.paths import ROOT
from labkit.testing.fixtures import Shell

pytestmark = pytest.mark.integration

DVC_YAML = """
stages:
  copy:
    cmd: cat raw/a.csv raw/b/c.csv > all.csv
    deps: [raw, code.py]
    outs: [all.csv]
"""

Without = Callable[..., None]


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory, shell: Shell) -> Path:
    folder = tmp_path_factory.mktemp("finished") / "project"
    (folder / "raw" / "b").mkdir(parents=True)
    for name in ("raw/a.csv", "raw/b/c.csv", "code.py"):
        (folder / name).write_text(name, encoding="utf-8")
    (folder / "dvc.yaml").write_text(DVC_YAML, encoding="utf-8")
    shell("git init --quiet && dvc init --quiet && dvc remote add --quiet -d share ../share", folder)
    shell("dvc add --quiet raw/a.csv raw/b && dvc repro --quiet && dvc push --quiet", folder)
    shell("git add --all && git commit --quiet --no-verify -m results", folder)
    return folder


@pytest.fixture
def project(finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy with its remote, in which this process stands."""
    shutil.copytree(finished.parent / "share", tmp_path / "share")
    folder = shutil.copytree(finished, tmp_path / "project", symlinks=True)
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture
def without(project: Path) -> Without:
    """Lose files or folders of the project."""

    def lose(*names: str) -> None:
        for name in names:
            path = project / name
            shutil.rmtree(path) if path.is_dir() else path.unlink()

    return lose


def test_what_git_does_not_track_is_a_problem_once_the_pipeline_that_reads_it_is_committed(
    project: Path, shell: Shell
) -> None:
    assert check_tracked().state == "ok"
    shell("git rm --quiet --cached raw/b.dvc code.py && touch params.yaml", project)
    assert check_tracked().state == "warning"
    shell("rm params.yaml && git commit --quiet --no-verify -m less", project)
    found = check_tracked()
    assert (found.state, found.fix) == ("problem", "`git add code.py raw/b.dvc`, and commit")


def test_copies_of_other_results_are_a_warning(project: Path, shell: Shell) -> None:
    shell("mkdir -p lab/results && cp all.csv lab/results && git add lab", project)
    assert check_tracked().state == "ok"
    shell("echo other > lab/results/all.csv", project)
    check = check_tracked()
    assert (check.state, check.found) == ("warning", "not the results of dvc.lock: lab/results/all.csv")
    assert check.fix == "`python -m lab tables && git add lab/results`, and commit"


def test_a_current_lock_needs_no_data(without: Without) -> None:
    current = ("dvc.lock", "ok", "the 1 stages are those of this code, data and params", "")
    assert check_lock_file() == current
    without(".dvc/cache", "raw/a.csv", "all.csv")
    assert check_lock_file() == current


def test_changed_code_is_a_warning_that_names_the_stage(project: Path) -> None:
    (project / "code.py").write_text("changed", encoding="utf-8")
    check = check_lock_file()
    assert (check.state, check.fix) == ("warning", "`dvc repro`")
    assert check.found.startswith("stale: copy; ")


def test_a_record_that_a_server_may_have_squashed_is_a_warning_with_its_remedy(project: Path, shell: Shell) -> None:
    lock = project / "dvc.lock"
    now = lock.read_text(encoding="utf-8")
    code, data = (re.sub(rf"({path}\n.*\n? *md5: )\w+", r"\g<1>0", now) for path in ("code.py", "raw"))
    both = re.sub(r"(raw\n.*\n? *md5: )\w+", r"\g<1>0", code)
    assert len({now, code, data, both}) == 4
    commit = "git commit --quiet --no-verify --all -m"
    for name, record in (("code", code), ("data", data)):
        shell(f"git switch --quiet --create {name} HEAD{'' if name == 'code' else '~1'}", project)
        lock.write_text(record, encoding="utf-8")
        shell(f"{commit} {name}", project)
    shell("git switch --quiet --detach HEAD~1", project)
    lock.write_text(both, encoding="utf-8")
    shell(f"GIT_COMMITTER_EMAIL=noreply@github.com {commit} squashed", project)

    check = check_lock_file()

    assert check.state == "warning"
    assert "copy: " in check.found
    assert "was squashed by a server, and no commit in this clone has its record" in check.found
    assert check.fix == "`dvc repro --force --single-item copy`"


def test_a_shallow_clone_is_a_warning_since_it_cannot_tell(
    project: Path, tmp_path: Path, shell: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    shell(f"git clone --quiet --depth 1 file://{project} cut", tmp_path)
    monkeypatch.chdir(tmp_path / "cut")
    check = check_lock_file()
    assert (check.state, check.fix) == ("warning", "`git fetch --unshallow`")
    refused = shell("python -m lab mend --check", tmp_path / "cut", check=False, PYTHONPATH=str(ROOT))
    assert refused.returncode == 1
    assert "this clone is shallow" in refused.stderr


def test_on_a_runner_changed_code_is_what_the_run_is_for(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (project / "code.py").write_text("changed", encoding="utf-8")
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    assert check_lock_file() == ("dvc.lock", "ok", "runs made its records, as far as the history tells", "")


def test_raw_data_are_looked_for_in_the_cache_and_then_in_the_remote(project: Path, without: Without) -> None:
    assert check_raw_data() == ("raw data", "ok", "all that .dvc files name is in the cache (2)", "")
    without(".dvc/cache")
    found = "all that .dvc files name is in the cache or the remote; `dvc pull` brings raw/a.csv, raw/b"
    assert check_raw_data() == ("raw data", "ok", found, "")


def test_data_that_are_nowhere_are_a_problem(project: Path, without: Without) -> None:
    without(".dvc/cache")
    of_c = next(
        file for file in (project.parent / "share").rglob("*") if file.is_file() and file.read_bytes() == b"raw/b/c.csv"
    )
    of_c.unlink()  # one file of a folder
    found = "neither in the cache nor in the remote: raw/b"
    assert check_raw_data() == ("raw data", "problem", found, "`dvc push` where the data are")


def test_data_with_no_remote_to_get_them_from_are_a_problem(project: Path, without: Without, shell: Shell) -> None:
    without(".dvc/cache")
    shell("dvc remote remove share", project)
    check = check_raw_data()
    assert (check.state, check.found) == ("problem", "not in the cache, and there is no remote: raw/a.csv, raw/b")
    assert check.fix == "set a remote (`python -m lab setup`), then `dvc push` where the data are"


def test_a_remote_that_is_away_leaves_it_open(
    project: Path, without: Without, shell: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    without(".dvc/cache")
    shell(
        "dvc remote modify share url s3://bucket/dvc && dvc remote modify share endpointurl http://127.0.0.1:9", project
    )
    before = os.environ.get("AWS_MAX_ATTEMPTS", "1")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", before)  # what the check sets there ends with the test
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "key")
    check = check_raw_data()
    assert check.state == "warning"
    assert "the remote can't be asked (EndpointConnectionError): raw/a.csv, raw/b" in check.found


def test_a_project_without_raw_data_is_well(tmp_path: Path, shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    shell("git init --quiet && dvc init --quiet", tmp_path)
    monkeypatch.chdir(tmp_path)
    assert check_raw_data() == ("raw data", "ok", "no .dvc file names any", "")
