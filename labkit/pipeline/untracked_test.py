"""A commit that leaves out what its pipeline reads is refused, with what to add."""

from pathlib import Path

import pytest

from labkit.pipeline.untracked import named, remedy, untracked_files
from labkit.testing.fixtures import Shell

DVC_YAML = """\
stages:
  train:
    cmd: train
    deps: [data/raw, data/other.csv, lab/processes/train, lib/net.py]
    outs: [results/model]
"""
FILES = (
    "data/raw/birds.csv",
    "data/raw/old.csv",
    "data/other.csv",
    "lab/processes/train/main.py",
    "lab/processes/train/main_test.py",
    "lab/processes/other/main.py",
    "lib/net.py",
    "lib/notes.md",
    "results/model",
)


@pytest.fixture
def lab(tmp_path: Path, shell: Shell) -> Path:
    for name in FILES:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(name, encoding="utf-8")
    (tmp_path / "dvc.yaml").write_text(DVC_YAML, encoding="utf-8")
    shell("git init --quiet && dvc init --quiet && dvc add --quiet data/raw/old.csv data/other.csv", tmp_path)
    (tmp_path / "results/.gitignore").write_text("/model\n", encoding="utf-8")
    return tmp_path


@pytest.mark.integration
def test_what_a_stage_reads_is_told_until_git_tracks_it(lab: Path, shell: Shell) -> None:
    expected = ["lab/processes/train/", "lib/net.py", "results/.gitignore"]
    expected += ["data/.gitignore", "data/other.csv.dvc"]
    expected += ["data/raw/.gitignore", "data/raw/birds.csv", "data/raw/old.csv.dvc"]
    assert sorted(untracked_files(lab)) == sorted(expected)
    shell(remedy(untracked_files(lab)).strip("`"), lab)
    assert untracked_files(lab) == []
    assert "data/raw/birds.csv.dvc" in shell("git ls-files", lab).stdout.split()
    assert not {"data/raw/birds.csv", "lib/notes.md", "results/model"} & {*shell("git ls-files", lab).stdout.split()}


@pytest.mark.unittest
def test_what_is_outside_of_the_repository_and_no_pipeline_at_all_are_nothing_to_track(tmp_path: Path) -> None:
    assert untracked_files(tmp_path) == []
    (tmp_path / "dvc.yaml").write_text("stages:\n  a:\n    cmd: a\n    deps: [/etc/hosts, ../b]\n", encoding="utf-8")
    assert untracked_files(tmp_path) == []


@pytest.mark.unittest
def test_what_the_stages_of_a_foreach_name_counts_too() -> None:
    assert named({"each": {"foreach": [1, 2], "do": {"cmd": "a", "deps": ["lib/net.py"]}}}) == {
        "lib/net.py",
        "lib/.gitignore",
        "lib/net.py.dvc",
    }


@pytest.mark.unittest
def test_the_remedy_has_data_added_to_dvc_and_quotes_names() -> None:
    assert remedy(["data/raw/a b.csv", "lib/net.py"]) == (
        "`dvc add 'data/raw/a b.csv' && git add data/raw/.gitignore 'data/raw/a b.csv.dvc' lib/net.py`"
    )
