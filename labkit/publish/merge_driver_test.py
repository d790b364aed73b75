"""Git merges dvc.lock by stage where the driver is installed, not at all where it is not, and never by lines."""

import re
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from labkit.paths import ROOT
from labkit.pipeline.records import write_records
from labkit.testing.fixtures import Shell

PIPELINE = """
stages:
  train:
    cmd: cat code.txt params.yaml > model.txt
    deps: [code.txt, other.txt]
    params: [training.lr]
    outs: [model.txt]
"""
INSTALL = "python -m labkit.publish.merge_driver --install"


@pytest.fixture(scope="module")
def two_branches(new_lab: Callable[[], Path], shell: Shell) -> Path:
    """A refactoring on main, a changed parameter on `lr`, each with the results of its own run."""
    lab = new_lab()
    (lab / ".venv").symlink_to(sys.prefix)
    shutil.rmtree(lab / ".github")
    (lab / "dvc.yaml").write_text(PIPELINE, encoding="utf-8")
    (lab / "dvc.lock").unlink(missing_ok=True)
    commit = "git add --all && git commit --quiet --no-verify --message"
    other_lr = "sed -i.old 's/ lr: [0-9.]*/ lr: 0.01/' params.yaml && rm params.yaml.old"
    shell(f"echo 1 > code.txt; echo 1 > other.txt; dvc repro && {commit} base", lab)
    shell(f"git switch --quiet --create lr && {other_lr} && dvc repro && {commit} lr", lab)
    shell(f"git switch --quiet main && echo 2 > other.txt && dvc repro && {commit} refactoring", lab)
    return lab


@pytest.fixture
def lab(two_branches: Path, tmp_path: Path) -> Path:
    return shutil.copytree(two_branches, tmp_path / "lab", symlinks=True)


Git = Callable[[str], str]


def lock(lr: str) -> str:
    return write_records({"train": {"cmd": "train", "params": {"params.yaml": {"lr": lr}}}})


@pytest.fixture
def git(tmp_path: Path, shell: Shell) -> Git:
    """Git in a clone with the driver, on `other`; main has the record before, `lr` another. What Git says."""
    repository = tmp_path / "lab"

    def run(command: str) -> str:
        done = shell(command, repository, check=False)
        return done.stdout + done.stderr

    repository.mkdir()
    run("git init --quiet --initial-branch main")
    (repository / ".git/info").mkdir(exist_ok=True)
    (repository / ".git/info/exclude").write_text("labkit\n.venv\n", encoding="utf-8")
    (repository / "labkit").symlink_to(ROOT / "labkit")
    (repository / ".venv").symlink_to(sys.prefix)
    for branch in ("main", "lr", "other"):
        run(f"git switch --quiet main; git switch --quiet --create {branch}")
        (repository / "dvc.lock").write_text(lock(branch), encoding="utf-8")
        run(f"git add . && git commit --quiet -m {branch}")
    run(f".venv/bin/{INSTALL}")
    return run


@pytest.mark.integration
@pytest.mark.parametrize(
    "moves",
    [
        "git stash && git switch other && git stash pop",
        "git rebase --autostash other",
        "git checkout -m other",
        "git commit --all -m own && git merge other",
        "git commit --all -m own && git fetch . other && git branch -D other && git merge FETCH_HEAD",
        "git commit --all -m own && git rebase other",
        "git commit --all -m own && git rebase --force-rebase --exec 'git merge other' HEAD~1",
    ],
)
def test_the_person_s_own_record_is_kept_and_told(git: Git, tmp_path: Path, moves: str) -> None:
    own = tmp_path / "lab/dvc.lock"
    git("git switch main")
    own.write_text(lock("own"), encoding="utf-8")
    said = git(moves)
    assert own.read_text(encoding="utf-8") == lock("own"), said
    assert "both sides have a new record of train" in said or "--autostash" in moves  # there, Git hides what is said
    assert "other" in git("git log --format=%s")


@pytest.mark.integration
def test_two_records_that_are_in_no_commit_are_a_conflict(git: Git, tmp_path: Path) -> None:
    file = tmp_path / "lab/dvc.lock"
    git("git switch main")
    file.write_text(lock("stashed"), encoding="utf-8")
    git("git stash && git switch other")
    file.write_text(lock("staged"), encoding="utf-8")
    said = git("git add . && git stash pop")
    assert "neither is in a commit. Take one, `git checkout --ours dvc.lock`" in said
    assert git("git status --porcelain") == "UU dvc.lock\n"
    for side in ("staged", "stashed"):
        git(f"git checkout {'--ours' if side == 'staged' else '--theirs'} dvc.lock")
        assert file.read_text(encoding="utf-8") == lock(side)


@pytest.mark.integration
def test_an_empty_cherry_pick_or_revert_says_what_to_do(git: Git, tmp_path: Path) -> None:
    assert "ends with `git cherry-pick --skip`" in git("git cherry-pick lr")
    git("git cherry-pick --skip")
    (tmp_path / "lab/dvc.lock").write_text(lock("newer"), encoding="utf-8")
    assert "an empty revert has nothing to undo" in git("git commit --all -m newer && git revert --no-edit HEAD~1")
    assert git("git status") == "On branch other\nnothing to commit, working tree clean\n"
    git("git checkout lr -- dvc.lock")
    assert (tmp_path / "lab/dvc.lock").read_text(encoding="utf-8") == lock("lr")


@pytest.mark.integration
def test_a_worktree_uses_the_driver_of_its_clone(git: Git, tmp_path: Path) -> None:
    git("git worktree add ../worktree lr && ln -s $PWD/labkit ../worktree/labkit")
    said = git("cd ../worktree && PATH=/usr/bin:/bin git merge --no-edit other")
    assert "the one here is kept. `dvc repro` runs what the merged code and parameters change" in said
    assert "cherry-pick" not in said
    assert (tmp_path / "worktree/dvc.lock").read_text(encoding="utf-8") == lock("lr")


@pytest.mark.nightly
@pytest.mark.integration
def test_by_lines_git_forges_a_record_of_a_run_that_never_was(lab: Path, shell: Shell) -> None:
    (lab / ".git/info/attributes").write_text("dvc.lock merge\n", encoding="utf-8")
    shell("git merge --quiet --no-edit lr && dvc checkout", lab)
    assert "up to date" in shell("dvc status", lab).stdout  # though nobody ran the new code with the new parameter


@pytest.mark.integration
@pytest.mark.parametrize(
    "combine",
    ["merge --no-edit lr", *(pytest.param(way, marks=pytest.mark.nightly) for way in ("rebase lr", "cherry-pick lr"))],
)
def test_by_stage_the_record_is_the_one_of_a_run_and_dvc_tells_what_changed(
    lab: Path, shell: Shell, combine: str
) -> None:
    shell(INSTALL, lab)
    own = shell("git show main:dvc.lock", lab).stdout
    shell(f"git {combine}", lab)
    assert (lab / "dvc.lock").read_text(encoding="utf-8") == own
    assert "train:" in shell("dvc status", lab).stdout
    assert "Running stage 'train'" in shell("dvc repro", lab).stdout


@pytest.mark.integration
def test_where_it_is_not_installed_git_refuses(lab: Path, shell: Shell) -> None:
    done = shell("git merge --quiet --no-edit lr", lab, check=False)
    assert done.returncode == 1
    assert "CONFLICT (content): Merge conflict in dvc.lock" in done.stdout


@pytest.mark.integration
def test_installing_twice_keeps_what_was_there(lab: Path, shell: Shell) -> None:
    attributes = lab / ".git/info/attributes"
    attributes.write_text("*.md diff=markdown\n", encoding="utf-8")
    shell(f"{INSTALL} && {INSTALL}", lab)
    assert attributes.read_text(encoding="utf-8") == "*.md diff=markdown\ndvc.lock merge=dvc-lock\n"


@pytest.mark.integration
def test_a_lock_with_conflict_markers_stays_as_it_is(lab: Path, shell: Shell) -> None:
    (lab / "dvc.lock").write_text("<<<<<<< HEAD\n", encoding="utf-8")
    done = shell("python -m labkit.publish.merge_driver dvc.lock dvc.lock dvc.lock", lab, check=False)
    assert done.returncode == 1
    assert "dvc.lock can't be read" in done.stderr
    assert (lab / "dvc.lock").read_text(encoding="utf-8") == "<<<<<<< HEAD\n"


@pytest.mark.integration
def test_a_server_s_merge_by_lines_is_told_and_mended(lab: Path, shell: Shell) -> None:
    shell("git clone --quiet --bare . .git/server", lab)  # where no .gitattributes is read
    tree = shell("git -C .git/server merge-tree --write-tree main lr", lab).stdout.strip()
    commit_tree = f"git -C .git/server commit-tree {tree} -p main -p lr -m 'Merge pull request #1'"
    merge = shell(commit_tree, lab).stdout.strip()
    shell(f"git -C .git/server branch merged {merge} && git fetch --quiet .git/server merged", lab)
    shell(f"git reset --quiet --hard {merge} && dvc checkout", lab)
    assert "up to date" in shell("dvc status", lab).stdout  # though nobody ran the new code with the new parameter

    told = f"{merge[:10]} merged two records line by line into one that no run made"
    said = shell("python -m lab status", lab).stdout
    assert f"train: {told}, unless " in said
    assert ": `python -m lab mend`" in said
    doctor = shell("python -m lab doctor", lab, check=False)
    assert doctor.returncode == 1
    assert f"problem dvc.lock: train: {told}" in doctor.stdout
    assert shell("python -m lab mend --check", lab, check=False).returncode == 1
    on_github = shell("python -m lab mend --check", lab, check=False, GITHUB_ACTIONS="true")
    assert re.search(
        r"^::error title=\w+::.* merged two records .*; `python -m lab mend` and push$", on_github.stdout, re.M
    )

    shell("python -m lab mend", lab)
    assert "train:" in shell("dvc status", lab).stdout
    shell("dvc repro && git commit --quiet --no-verify --all -m 'Run both'", lab)
    shell("python -m lab mend --check", lab)
    assert "that no run made" not in shell("python -m lab status", lab).stdout
