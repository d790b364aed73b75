"""Results reach the branch that the tag came from, whatever it went through, and nothing is lost, guessed or forged.

Each hazard is first shown on what the first version of this template did (`naive`).
"""

from pathlib import Path

import pytest
from markdown_it import MarkdownIt
from tenacity import wait_none

from labkit.git_cli import GitError, git
from labkit.pipeline.records import Records, read_records
from labkit.publish.branches import TRIES, branch_of, fetch, push_results
from labkit.publish.conftest import Place
from labkit.publish.results import as_markdown
from labkit.publish.results_commit import commit_results

pytestmark = pytest.mark.integration

NEW: Records = {"a": {"md5": "a1"}, "b": {"md5": "b0"}}
SIDE = "results/run-example-1-7.1"

MOVES_THE_BRANCH = """#!/bin/sh
unset GIT_QUARANTINE_PATH GIT_OBJECT_DIRECTORY GIT_ALTERNATE_OBJECT_DIRECTORIES
n=$(cat moves); [ "$n" = 0 ] && exit 0
echo $((n - 1)) > moves
tip=$(git commit-tree -p main -m "moved $n" main^{tree})
git update-ref refs/heads/main "$tip"
echo moved >&2
exit 1
"""
HOSTILE = [  # all are names that Git takes for a tag
    "run-example-$(touch${IFS}forged)",
    "run-example-`touch${IFS}forged`",
    "run-example-';touch${IFS}forged;'",
    "run-example-``';`touch${IFS}forged`;'",
    "run-example-a|touch<forged>&_b_",
]
REFUSES_MAIN = """#!/bin/sh
while read old new ref; do [ "$ref" = refs/heads/main ] && echo "main is protected" >&2 && exit 1; done
exit 0
"""


def publish(message: str = "Results", side_branch: str = SIDE) -> str:
    """Commit what the run left and push it; what the page says of where."""
    results = commit_results(git("rev-parse", "HEAD"), message)
    assert results is not None
    return as_markdown(push_results(results, side_branch))


def hook(place: Place, text: str) -> None:
    """Make the remote judge each push."""
    file = place.origin / "hooks" / "pre-receive"
    file.write_text(text, encoding="utf-8")
    file.chmod(0o755)


def records(place: Place, branch: str) -> Records:
    return read_records(place.show(f"{branch}:dvc.lock"))


def test_the_results_are_one_commit_on_the_code_that_ran(place: Place) -> None:
    code = place.tagged()
    place.ran(NEW)
    assert publish("Results of run-example-1").startswith("Results are on main")
    assert place.show("-s --format='%P %s' main") == f"{code} Results of run-example-1"
    assert records(place, "main") == NEW


def test_a_tag_on_two_branches_goes_to_the_nearer_one(place: Place) -> None:
    place.on_laptop("git switch --quiet --create work; echo 1 > code.txt; git commit --quiet --all -m work")
    place.tagged()
    place.on_laptop("git switch --quiet main; git merge --quiet --no-ff -m merge work; git push --quiet origin main")
    place.ran(NEW)
    git("fetch", "--quiet")
    assert place.naive() != 0
    git("reset", "--quiet", "--soft", "run-example-1")
    assert publish().startswith("Results are on work")
    assert records(place, "work") == NEW
    assert records(place, "main") != NEW


def test_of_two_branches_as_near_as_each_other_neither_is_guessed(place: Place) -> None:
    place.on_laptop("git branch work; git push --quiet origin work")
    place.tagged()
    git("fetch", "--quiet")
    place.ran(NEW)
    assert place.naive() != 0
    git("reset", "--quiet", "--soft", "run-example-1")
    assert SIDE in publish()
    assert records(place, SIDE) == NEW
    assert records(place, "main") == records(place, "work") != NEW


def test_a_tag_on_no_branch_gets_a_branch_of_its_own(place: Place) -> None:
    place.on_laptop("echo 1 > code.txt; git commit --quiet --all -m lost; git tag run-example-1")
    place.on_laptop("git push --quiet origin run-example-1; git reset --quiet --hard origin/main")
    place.tagged("unused")
    git("checkout", "--quiet", "--detach", "run-example-1")
    place.ran(NEW)
    assert place.naive() != 0
    git("reset", "--quiet", "--soft", "run-example-1")
    assert SIDE in publish()
    assert records(place, SIDE) == NEW


def test_a_shallow_checkout_of_a_tag_is_enough(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    place.tagged()
    shallow = place.runner.with_name("shallow")
    place.git(
        f"git clone --quiet --depth 1 --branch run-example-1 {place.origin.as_uri()} shallow 2>&1", shallow.parent
    )
    monkeypatch.chdir(shallow)
    place.ran(NEW, shallow)
    assert place._replace(runner=shallow).naive() != 0
    git("reset", "--quiet", "--soft", "run-example-1")
    assert publish().startswith("Results are on main")
    assert place.show("-s --format=%s main~1") == "code"


def test_a_branch_that_has_moved_gets_a_merge_that_keeps_the_runs_own_commit(place: Place) -> None:
    code = place.tagged()
    place.on_laptop("echo 1 > other.txt; git add .; git commit --quiet -m other; git push --quiet origin main")
    place.ran(NEW)
    assert place.naive() != 0
    git("reset", "--quiet", "--soft", code)
    assert publish().startswith("Results are on main")
    moved, own = place.show("-s --format=%P main").split()
    assert place.show(f"-s --format=%s {moved}") == "other"
    assert place.show(f"-s --format=%P {own}") == code
    assert records(place, "main") == records(place, own) == NEW
    assert place.show("main:other.txt") == "1"


def test_the_newer_of_two_runs_at_once_stays_and_the_older_is_kept(place: Place) -> None:
    older = place.tagged()
    place.on_laptop("echo 1 > code.txt; git commit --quiet --all -m newer; git push --quiet origin main")
    place.ran({"a": {"md5": "of newer code"}, "b": {"md5": "b0"}}, place.laptop)
    place.on_laptop("git commit --quiet --all -m 'results of newer'; git push --quiet origin main")
    place.ran({"a": {"md5": "of older code"}, "b": {"md5": "of older code"}})
    assert publish().startswith("Results are on main")
    assert records(place, "main") == {"a": {"md5": "of newer code"}, "b": {"md5": "of older code"}}
    own = place.show("-s --format=%P main").split()[1]
    assert records(place, own)["a"] == {"md5": "of older code"}
    assert place.show(f"-s --format=%P {own}") == older


def test_of_two_runs_of_the_same_code_the_last_to_end_stays(place: Place) -> None:
    place.tagged()
    place.ran({"a": {"md5": "first"}, "b": {"md5": "b0"}}, place.laptop)
    place.on_laptop("git commit --quiet --all -m first; git push --quiet origin main")
    place.ran({"a": {"md5": "second"}, "b": {"md5": "b0"}})
    publish()
    assert records(place, "main")["a"] == {"md5": "second"}


def test_by_lines_two_records_would_have_become_one_that_nobody_ran(place: Place) -> None:
    def record(code: str, rate: str) -> Records:
        deps = [{"path": path, "md5": md5} for path, md5 in [("code.txt", code), ("same.txt", "0"), ("too.txt", "0")]]
        return {"a": {"cmd": "train", "deps": deps, "params": {"params.yaml": {"rate": rate}}}}

    place.ran(record("old", "old"), place.laptop)
    place.on_laptop("git commit --quiet --all -m base")
    code = place.tagged()
    place.ran(record("refactored", "old"), place.laptop)
    place.on_laptop("echo 1 > code.txt; git commit --quiet --all -m refactored; git push --quiet origin main")
    place.ran(record("old", "new"))
    git("commit", "--quiet", "--all", "-m", "results")
    git("pull", "--quiet", "--rebase", "origin", "main")
    assert read_records(Path("dvc.lock").read_text()) == record("refactored", "new")  # nobody ran that
    git("checkout", "--quiet", "--detach", code)
    place.ran(record("old", "new"))
    publish()
    assert records(place, "main") == record("refactored", "old")


def test_nothing_new_is_a_success(place: Place) -> None:
    place.tagged()
    assert place.naive() != 0
    assert commit_results(git("rev-parse", "HEAD"), "Results") is None


def test_a_first_run_that_made_nothing_is_nothing_new(place: Place) -> None:
    place.on_laptop("git rm --quiet dvc.lock; git commit --quiet -m none")
    place.tagged()
    assert place.naive() != 0
    assert commit_results(git("rev-parse", "HEAD"), "Results") is None


def test_run_again_nothing_is_published_twice(place: Place) -> None:
    place.tagged()
    place.ran(NEW)
    publish("attempt 1")
    before = place.git("git for-each-ref", place.origin)
    place.on_laptop("git fetch --quiet; git push --quiet origin run-example-1^{commit}:refs/heads/nearer")
    assert publish("attempt 2").startswith("Nothing new")
    assert place.git("git for-each-ref refs/heads/main refs/tags", place.origin) == before


def test_an_incomplete_run_is_completed_by_the_next(place: Place) -> None:
    place.tagged()
    place.ran(NEW)
    publish("incomplete")
    place.ran({"a": {"md5": "a1"}, "b": {"md5": "b1"}})
    publish("complete")
    assert records(place, "main") == {"a": {"md5": "a1"}, "b": {"md5": "b1"}}


def test_a_protected_branch_is_left_alone(place: Place) -> None:
    place.tagged()
    hook(place, REFUSES_MAIN)
    place.ran(NEW)
    assert place.naive() != 0
    git("reset", "--quiet", "--soft", "run-example-1")
    assert f"Results are on {SIDE} (main refuses pushes)" in publish()
    assert records(place, SIDE) == NEW
    assert publish("again").startswith("Nothing new")


@pytest.mark.parametrize("tag", HOSTILE)
def test_the_command_that_the_page_shows_takes_the_results_whatever_the_tag_is_called(place: Place, tag: str) -> None:
    place.tagged()
    place.on_laptop("git push --quiet origin HEAD:refs/heads/as-near")
    place.ran(NEW)
    (page,) = (token for token in MarkdownIt().parse(f"- {publish(side_branch=f'results/{tag}')}") if token.children)
    *words, command = page.children or []
    assert "".join(word.content for word in words).startswith(
        f"Results are on results/{tag} (the tag is on no branch, or on"
    )
    assert command.type == "code_inline"
    place.on_laptop(command.content)
    assert read_records((place.laptop / "dvc.lock").read_text()) == NEW
    assert [*place.origin.parent.rglob("forged")] == []


@pytest.mark.parametrize(("moves", "branch"), [(3, "main"), (2 * TRIES, SIDE)])
def test_a_branch_that_moves_while_it_is_pushed_to(place: Place, moves: int, branch: str) -> None:
    place.tagged()
    hook(place, MOVES_THE_BRANCH)
    (place.origin / "moves").write_text(str(moves), encoding="utf-8")
    place.ran(NEW)
    if branch == SIDE:  # such a remote would refuse that one too
        hook(place, MOVES_THE_BRANCH.replace("n=", "grep -q refs/heads/results && exit 0; n=", 1))
    assert f"Results are on {branch}" in publish()
    assert records(place, branch) == NEW


def test_a_remote_that_is_away_changes_nothing_and_the_next_try_succeeds(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fetch.retry, "wait", wait_none())
    place.tagged()
    place.ran(NEW)
    place.origin.rename(place.origin.with_name("away"))
    with pytest.raises(GitError, match="git fetch failed"):
        publish()
    place.origin.with_name("away").rename(place.origin)
    publish()
    assert records(place, "main") == NEW


def test_a_push_that_arrived_though_its_answer_was_lost_is_not_repeated(place: Place) -> None:
    place.tagged()
    place.ran(NEW)
    results = commit_results(git("rev-parse", "HEAD"), "Results")
    assert results is not None
    git("push", "--quiet", "origin", f"{results}:refs/heads/main")
    assert results[:10] in as_markdown(push_results(results, SIDE))


def test_a_results_branch_is_no_branch_of_the_tag(place: Place) -> None:
    code = place.tagged()
    place.on_laptop(f"git push --quiet origin main:{SIDE}")
    git("fetch", "--quiet")
    assert branch_of(code) == "main"
