"""A record that a merge by lines made is found wherever it came from, and a run's own record is never blamed."""

from collections.abc import Callable
from pathlib import Path

import pytest

from labkit.pipeline.forged import forged_here, forged_records, is_of_lines, mend
from labkit.pipeline.records import read_records, write_records
from labkit.process.errors import InputError
from labkit.testing.fixtures import Shell

pytestmark = pytest.mark.integration

Git = Callable[[str], str]
BY_GITHUB = "GIT_COMMITTER_EMAIL=noreply@github.com"
LATER = "export GIT_COMMITTER_DATE='@4000000000 +0000';"


def lock(code: str, lr: str, out: str, other: str = "0") -> str:
    """A dvc.lock as DVC writes it: the lines of two runs merge without a conflict."""
    return write_records(
        {
            "train": {
                "cmd": "train",
                "deps": [{"path": "a.py", "md5": code}, {"path": "b.py", "md5": "b"}, {"path": "c.py", "md5": "c"}],
                "params": {"params.yaml": {"lr": lr}},
                "outs": [{"path": "model", "md5": out}],
            },
            "other": {"cmd": "other", "outs": [{"path": "x", "md5": other}]},
        }
    )


@pytest.fixture
def git(tmp_path: Path, shell: Shell, environment: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> Git:
    """Git in a repository with two branches: `code` reworded a comment, `lr` tried a parameter; each ran."""

    def run(command: str) -> str:
        return shell(command, tmp_path).stdout.strip()

    for name, value in environment.items():
        if name.startswith("GIT_"):
            monkeypatch.setenv(name, value)
    monkeypatch.chdir(tmp_path)
    run("git init --quiet --initial-branch main")
    for branch, text in (("main", lock("1", "1", "1")), ("code", lock("2", "1", "1")), ("lr", lock("1", "2", "2"))):
        run(f"git switch --quiet main; git switch --quiet --create {branch}" if branch != "main" else "true")
        (tmp_path / "dvc.lock").write_text(text, encoding="utf-8")
        run(f"git add . && GIT_AUTHOR_NAME=Ada git commit --quiet -m 'Run on {branch}'")
    run("git switch --quiet code")
    return run


def merged_by_a_server(git: Git, parents: str, environment: str = "") -> str:
    """What a merge button does, in a bare repository: the commit with these parents."""
    git("git clone --quiet --bare . server")
    tree = git("git -C server merge-tree --write-tree code lr")
    commit = git(f"{environment} git -C server commit-tree {tree} {parents} -m 'Merge pull request'")
    git(f"git -C server branch merged {commit} && git fetch --quiet server merged && git reset --quiet --hard {commit}")
    return commit


def test_runs_on_branches_are_never_blamed(git: Git) -> None:
    assert forged_records("main") == forged_records("code") == forged_records("lr") == []


def test_a_server_s_merge_by_lines_is_found_and_mended(git: Git) -> None:
    commit = merged_by_a_server(git, "-p code -p lr")
    ((stage, where, certain),) = forged_records()
    assert (stage, where, certain) == ("train", commit, True)

    assert [one.stage for one in mend()] == ["train"]

    assert forged_records() == []
    assert Path("dvc.lock").read_text(encoding="utf-8") == lock("2", "1", "1")  # the whole record of our own run
    assert git("git status --porcelain --untracked-files=no") == ""
    assert mend() == []
    Path("dvc.lock").write_text(lock("2", "2", "2"), encoding="utf-8")
    git("git commit --quiet --all -m 'Run both: the comment changed no output'")
    assert forged_records() == []  # now a run made that very record


def test_an_octopus_merge_is_found(git: Git) -> None:
    git("git switch --quiet --create notes main && echo 1 > notes && git add notes && git commit --quiet -m notes")
    git("git switch --quiet code && rm -rf .git/info/attributes && git merge --quiet --no-edit lr notes")
    assert [(one.stage, one.certain) for one in forged_records()] == [("train", True)]


def test_what_a_merge_took_whole_is_no_forgery(git: Git) -> None:
    git("git merge --quiet --no-commit -s ours lr")
    Path("dvc.lock").write_text(lock("1", "2", "2"), encoding="utf-8")
    git("git add . && git commit --quiet -m 'Take theirs'")
    assert forged_records() == []


def test_a_stage_that_one_side_changed_is_no_forgery(git: Git) -> None:
    git("git switch --quiet main")
    Path("dvc.lock").write_text(lock("1", "1", "1", other="1"), encoding="utf-8")
    git("git commit --quiet --all -m 'Run other' && git merge --quiet --no-edit lr")
    assert read_records(Path("dvc.lock").read_text(encoding="utf-8"))["train"]["outs"][0]["md5"] == "2"
    assert forged_records() == []


def test_a_forgery_of_long_ago_is_found_until_a_run_replaces_it(git: Git) -> None:
    commit = merged_by_a_server(git, "-p code -p lr")
    for number in range(3):
        Path("dvc.lock").write_text(lock("2", "2", "2", other=f"{number + 1}"), encoding="utf-8")
        git(f"git commit --quiet --all -m 'Run other {number}'")
    assert [(one.stage, one.commit) for one in forged_here()] == [("train", commit)]
    Path("dvc.lock").write_text(lock("2", "2", "3"), encoding="utf-8")
    assert forged_here() == []
    git("git commit --quiet --all -m 'Run train'")
    assert forged_records() == []


def test_a_squash_by_a_server_is_held_against_the_commits_that_are_known(git: Git) -> None:
    merged_by_a_server(git, "-p code", BY_GITHUB)
    assert [(one.stage, one.certain) for one in forged_records()] == [("train", False)]
    assert mend() == []  # nobody can tell

    git(f"git reset --quiet --hard main && git merge --quiet --squash lr && {BY_GITHUB} git commit --quiet -m squashed")
    assert forged_records() == []


@pytest.mark.parametrize(
    "copied",
    ["git rebase --quiet --apply lr", "git cherry-pick lr", "git format-patch -1 --stdout lr | git am --quiet"],
)
def test_a_copied_commit_by_lines_is_found_and_mended(git: Git, copied: str) -> None:
    git(f"git branch pushed; {LATER} {copied}")
    copy = git("git rev-parse HEAD")
    assert Path("dvc.lock").read_text(encoding="utf-8") == lock("2", "2", "2")
    assert forged_records() == [("train", copy, True)]
    assert forged_records("lr") == forged_records("pushed") == []  # what it was made of

    mend()
    assert forged_records() == []
    assert git("git diff HEAD~2 -- dvc.lock") == ""
    Path("dvc.lock").write_text(lock("2", "2", "2"), encoding="utf-8")
    git("git commit --quiet --all -m 'Run both: the comment changed no output'")
    assert forged_records() == []


def test_a_commit_that_the_driver_copied_is_no_forgery(git: Git) -> None:
    git("git cherry-pick --no-commit lr")
    Path("dvc.lock").write_text(lock("1", "2", "2"), encoding="utf-8")
    git(f"{LATER} git commit --quiet --all -C lr")
    assert forged_records() == []


def test_an_amended_commit_is_no_forgery(git: Git) -> None:
    git("git switch --quiet --create both main")
    Path("dvc.lock").write_text(lock("3", "3", "3"), encoding="utf-8")
    git("git commit --quiet --all -m Both && git branch pushed")
    Path("dvc.lock").write_text(lock("3", "1", "1"), encoding="utf-8")  # that parameter was no good
    git(f"{LATER} git commit --quiet --all --amend --no-edit")
    assert forged_records() == []


def test_a_record_with_fewer_files_than_the_only_one_known_is_no_forgery() -> None:
    record = read_records(lock("1", "1", "1"))["train"]
    assert not is_of_lines({**record, "deps": record["deps"][:2]}, [record])


def test_a_run_of_merged_code_is_no_forgery(git: Git) -> None:
    git("git merge --quiet --no-edit -s ours lr")
    Path("dvc.lock").write_text(lock("2", "2", "3"), encoding="utf-8")  # its output is none of the parents'
    git("git commit --quiet --all --amend --no-edit")
    assert forged_records() == []


def test_a_forgery_that_is_reverted_and_brought_back_is_found(git: Git) -> None:
    commit = merged_by_a_server(git, "-p code -p lr")
    git("git revert --no-edit -m 1 HEAD && git revert --no-edit HEAD")
    assert [(one.stage, one.commit) for one in forged_records()] == [("train", commit)]


def test_what_a_run_of_another_branch_made_is_no_forgery(git: Git) -> None:
    git("git switch --quiet --create both code")
    Path("dvc.lock").write_text(lock("2", "2", "2"), encoding="utf-8")
    git("git commit --quiet --all -m 'Run both: the comment changed no output' && git switch --quiet code")
    merged_by_a_server(git, "-p code -p lr")
    assert forged_records() == []


def test_copies_of_one_merge_do_not_clear_each_other(git: Git) -> None:
    merged_by_a_server(git, "-p code -p lr")
    git("git branch backup && git commit --quiet --amend -m 'Better words'")
    assert [one.commit for one in forged_records()] == [git("git rev-parse HEAD")]
    assert [one.commit for one in forged_records("backup")] == [git("git rev-parse backup")]


def test_the_same_merge_on_two_branches_clears_neither(git: Git) -> None:
    git("git switch --quiet --create release && git commit --quiet --allow-empty -m notes")
    git("git merge --quiet --no-edit lr && git switch --quiet code && git merge --quiet --no-edit lr")
    git("git switch --quiet release")
    Path("dvc.lock").write_text(lock("2", "2", "2", other="1"), encoding="utf-8")
    git("git commit --quiet --all -m 'Run other'")  # it has the record too
    assert [one.stage for one in forged_records()] == [one.stage for one in forged_records("code")] == ["train"]


def test_a_commit_that_says_mended_and_mends_nothing_clears_nothing(git: Git) -> None:
    commit = merged_by_a_server(git, "-p code -p lr")
    git(f"git commit --quiet --allow-empty -m Nothing -m 'Mended: train {commit}'")
    assert [(one.stage, one.commit) for one in forged_records()] == [("train", commit)]


def test_the_name_of_one_side_with_the_content_of_the_other_is_of_lines() -> None:
    def record(path: str, md5: str, out: str) -> dict[str, object]:
        return {"deps": [{"path": path, "md5": md5}], "outs": [{"path": "model", "md5": out}]}

    renamed, changed = record("z.py", "1", "1"), record("a.py", "7", "2")
    assert is_of_lines(record("z.py", "7", "2"), [renamed, changed])
    assert not is_of_lines(record("z.py", "7", "3"), [renamed, changed])


def test_a_merge_of_a_stage_that_one_side_renamed_is_found_and_mended(git: Git) -> None:
    git("git switch --quiet lr")
    renamed = lock("1", "2", "2").replace("train:", "fit:")
    Path("dvc.lock").write_text(renamed, encoding="utf-8")
    git("git commit --quiet --all -m Rename && git switch --quiet code")
    commit = merged_by_a_server(git, "-p code -p lr")
    assert forged_records() == [("fit", commit, True)]
    mend()
    assert forged_records() == []
    assert read_records(Path("dvc.lock").read_bytes())["fit"] == read_records(renamed)["fit"]


def test_a_dvc_lock_with_a_conflict_s_marks_in_the_history_blocks_nothing_and_hides_nothing(git: Git) -> None:
    commit = merged_by_a_server(git, "-p code -p lr")
    whole = Path("dvc.lock").read_text(encoding="utf-8")
    git("git switch --quiet --create notes main && git commit --quiet --allow-empty -m notes")
    git("git switch --quiet code && git merge --quiet --no-ff --no-commit -s ours notes")
    Path("dvc.lock").write_text(f"<<<<<<< HEAD\n{whole}", encoding="utf-8")
    git("git commit --quiet --all -m 'Merge notes'")
    with pytest.raises(InputError, match=r"dvc\.lock of \w+ can't be read"):
        forged_records()
    Path("dvc.lock").write_text(whole, encoding="utf-8")
    git("git commit --quiet --all -m 'Take the marks out'")
    assert [(one.stage, one.commit) for one in forged_records()] == [("train", commit)]
    assert [one.stage for one in mend()] == ["train"]


def test_a_lab_in_a_folder_of_its_repository_is_looked_at_too(git: Git, monkeypatch: pytest.MonkeyPatch) -> None:
    git("git switch --quiet main && mkdir inner && git mv dvc.lock inner/ && git commit --quiet -m Move")
    monkeypatch.chdir("inner")
    assert forged_records() == forged_here() == []


def test_without_a_repository_a_commit_or_a_lock_there_is_nothing_to_find(
    tmp_path: Path, shell: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    assert forged_records() == forged_here() == []
    shell("git init --quiet", tmp_path)
    assert forged_records() == []
    shell("git commit --quiet --allow-empty -m empty", tmp_path)
    assert forged_records() == forged_here() == []


def test_a_merge_under_way_is_left_alone(git: Git) -> None:
    merged_by_a_server(git, "-p code -p lr")
    git("git switch --quiet --create notes main && echo 1 > notes && git add notes && git commit --quiet -m notes")
    git("git switch --quiet code && git merge --quiet --no-commit --no-ff notes")
    with pytest.raises(InputError, match="a merge is under way"):
        mend()
    assert git("git status --porcelain -- dvc.lock") == ""


def test_nothing_uncommitted_is_lost(git: Git) -> None:
    merged_by_a_server(git, "-p code -p lr")
    Path("dvc.lock").write_text(lock("2", "2", "3"), encoding="utf-8")
    with pytest.raises(InputError, match=r"dvc\.lock has changes that are not committed"):
        mend()
