"""What was asked, by whom, on which branch, and what of a message is believed."""

from pathlib import Path

import pytest

from labkit.git_cli import git
from labkit.pipeline.records import write_records
from labkit.site.conftest import BRANCH, HOSTILE
from labkit.site.entries import Entry, branches_of, nearest_before, read_entries
from labkit.testing.fixtures import Shell

PARENTS = {"a": [], "b": ["a"], "c": ["b"], "side": ["a"], "merge": ["side", "c"], "top": ["merge"]}


@pytest.mark.unittest
def test_before_is_the_nearest_that_recorded_results_along_the_first_parent_that_has_one() -> None:
    assert nearest_before(PARENTS, {"a": 0, "c": 0, "top": 0}) == {
        **{"a": "", "b": "a", "c": "a"},
        **{"side": "a", "merge": "a", "top": "a"},
    }
    assert nearest_before(PARENTS, {"c": 0, "top": 0})["top"] == "c"


@pytest.mark.unittest
def test_a_commit_is_of_the_first_branch_that_has_it() -> None:
    assert branches_of(PARENTS, {"main": "c", "try": "top"}) == {
        **dict.fromkeys("abc", "main"),
        **dict.fromkeys(("side", "merge", "top"), "try"),
    }


@pytest.fixture(name="entries")
def by_tag(lab: Path) -> dict[str, Entry]:
    """The entries of the lab by their tags."""
    return {tag: one for one in read_entries() for tag in one.tags if "@" not in tag and "#" not in tag}


@pytest.mark.integration
def test_a_runners_commit_has_the_question_of_its_code_if_it_is_what_it_says(entries: dict[str, Entry]) -> None:
    told = {tag: (one.subject, one.record) for tag, one in entries.items()}
    assert told == {
        "lied": ("Results of run-2", "unproven"),
        "hostile": (f"What of {HOSTILE}?", ""),
        "run-1": ("Is 0.05 better?", "agrees"),
        "worse": ("Does it learn faster?", ""),
        "first": ("Does a forest do?", ""),
    }
    assert entries["run-1"].told["Tag"] == "run-1"


@pytest.mark.integration
def test_each_has_its_branch_its_words_without_trailers_and_the_one_before(entries: dict[str, Entry]) -> None:
    assert {tag: one.branch for tag, one in entries.items() if one.branch != "main"} == {"hostile": BRANCH}
    assert entries["first"].body == "It is the plainest model."
    before = {
        tag: one.before and git("describe", "--tags", "--exclude=cancer*", one.before) for tag, one in entries.items()
    }
    assert before == {"first": "", "worse": "first", "hostile": "first", "run-1": "worse", "lied": "run-1"}


@pytest.mark.integration
def test_what_no_branch_of_this_clone_has_is_the_remotes(lab: Path, tmp_path: Path, shell: Shell) -> None:
    clone = tmp_path / "clone"
    shell(f"git clone --quiet {lab} clone && git -C clone checkout --quiet --detach first", tmp_path)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(clone)
        assert {one.branch for one in read_entries()} == {"main", f"origin/{BRANCH}"}
        shell("git commit --quiet --allow-empty -m on && git rm -q dvc.lock && git commit -q -m none", clone)
        shell("git checkout -q main -- dvc.lock && git commit -q -m aside", clone)
        assert {one.subject for one in read_entries() if one.branch == "no branch"} == {"aside"}


@pytest.mark.integration
def test_a_record_that_a_merge_made_by_lines_is_forged(
    tmp_path: Path, shell: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    def recorded(branch: str, lr: str, code: str, *merged: str) -> None:
        record = {"cmd": "train", "deps": [{"path": "a", "md5": code}], "params": {"params.yaml": {"lr": lr}}}
        Path("dvc.lock").write_text(write_records({"train": record}), encoding="utf-8")
        tree = shell("git add dvc.lock && git write-tree", tmp_path).stdout.strip()
        parents = "".join(f" -p {one}" for one in merged)
        made = shell(f"git commit-tree {tree}{parents} -m '{branch}: {lr} {code}'", tmp_path).stdout.strip()
        shell(f"git update-ref refs/heads/{branch} {made}", tmp_path)

    monkeypatch.chdir(tmp_path)
    shell("git init --quiet --initial-branch main", tmp_path)
    assert read_entries() == []
    recorded("main", "1", "1")
    recorded("lr", "2", "1", "main")
    recorded("code", "1", "2", "main")
    recorded("main", "2", "2", "lr", "code")
    assert {one.subject: (one.record, one.forged) for one in read_entries()} == {
        "main: 1 1": ("", []),
        "lr: 2 1": ("", []),
        "code: 1 2": ("", []),
        "main: 2 2": ("forged", ["train"]),
    }
