"""Versions and promotions are tags of the remote; what must not move does not, and that is recorded."""

import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner

from labkit.cli import app
from labkit.git_cli import GitError, ask_server, git
from labkit.process.errors import InputError
from labkit.registry.conftest import NAME, Lab, write_results
from labkit.registry.history import print_history
from labkit.registry.state import Registry, read_registry
from labkit.registry.tags import fetch_tags, make_tag
from labkit.registry.verbs import RefusedError, promote, register, rollback

pytestmark = pytest.mark.integration

V1, V2, V3 = (f"refs/tags/{NAME}@v{number}.0.0" for number in (1, 2, 3))
FIRST, SECOND = (f"refs/tags/{NAME}#champion#{counter}" for counter in (1, 2))


def versions(*tags: str) -> Registry:
    """Register these commits in their order."""
    for tag in tags:
        registry = register(tag)
    return registry


def champions(registry: Registry) -> list[str]:
    """The champions, in the order of the counter."""
    return [str(step.version) for step in registry.steps if not step.refused]


def test_a_version_is_an_annotated_tag_of_the_remote_with_the_reason_the_verdict_and_the_person(lab: Lab) -> None:
    reason = "It learned faster\nPerson: of https://me:S3CRET@host"  # pragma: allowlist secret
    registry = register("better", reason)
    assert lab.tags(lab.origin) == lab.tags(lab.laptop) == [V1]
    assert lab.git(f"git rev-parse '{V1}^{{commit}}'", lab.origin) == git("rev-parse", "better")
    subject, trailers = lab.message(V1).split("\n\n")
    assert subject == f"Register {NAME} v1"
    assert trailers.splitlines() == [
        "Reason: It learned faster Person: of https://host",
        "Person: test@NAME.example <test@EMAIL.example>",
        "Before: none",
        "Goals: 1 of 1 met, 1 ambition open",
        f"Goals-Commit: {git('log', '-1', '--format=%H', '--', 'goals/goals.yaml')}",
    ]
    assert registry.faults == []


def test_versions_count_up_and_a_commit_is_one_version(lab: Lab) -> None:
    assert [str(one) for one in versions("first", "better", "first", "v2").versions.values()] == ["v1", "v2"]
    assert lab.tags(lab.origin) == [V1, V2]
    assert "Reason: Try first\n" in lab.message(V1)
    assert "Before: v1\n" in lab.message(V2)


@pytest.mark.parametrize(
    ("revision", "told"),
    [
        ("empty", r"^\w+ has no results of select in dvc.lock: run `dvc repro`, commit dvc.lock, and register that$"),
        ("nonsense", "^'nonsense' is not a commit here; try `git fetch --tags`$"),
        ("v7", f"^{NAME} has no 'v7'; its versions: none; `python -m lab register` makes one$"),
        ("--all", "^'--all' is not a commit here"),
    ],
)
def test_what_is_no_result_is_not_registered(lab: Lab, revision: str, told: str) -> None:
    with pytest.raises(InputError, match=told):
        register(revision)
    assert lab.tags(lab.origin) == lab.tags(lab.laptop) == []


def test_results_that_others_could_not_get_are_not_registered(lab: Lab) -> None:
    subprocess.run(["rm", "-r", "../share"], check=True)
    with pytest.raises(InputError, match=r"^the DVC remote lacks out/metrics.json, out/model, out/predictions.csv of "):
        register("first")
    assert lab.tags(lab.origin) == []


def test_results_of_other_code_than_their_commits_are_not_registered_nor_promoted(lab: Lab) -> None:
    lab.git("echo edited >> src/model/MLmodel && git commit -qam edited && git tag edited", lab.laptop)
    told = r"^dvc.lock of \w{10} is not of its own code, parameters and data: select \(reads src\); "
    with pytest.raises(InputError, match=told):
        register("edited")
    assert lab.tags(lab.origin) == []
    make_tag(V1, git("rev-parse", "edited"), "By hand", dict.fromkeys(["Reason", "Person", "Before", "Goals"], "none"))
    with pytest.raises(RefusedError, match=told.replace("^", f"^{NAME} v1 was not promoted: ")):
        promote("v1", "It learned")
    assert "Refused: dvc.lock of" in lab.message("refs/lab/refused/*")
    assert lab.tags(lab.origin)[-1] == V1


def test_a_remote_of_dvc_that_fails_is_told(lab: Lab) -> None:
    lab.git("dvc remote modify -q --local share url s3://nowhere/x", lab.laptop)
    lab.git("dvc remote modify -q --local share endpointurl http://127.0.0.1:9", lab.laptop)
    with pytest.raises(InputError, match=r"^DVC's remote can't be asked: \w+: .*`python -m lab doctor` tells more$"):
        register("first")
    assert lab.tags(lab.origin) == []


def test_a_lab_that_names_no_model_is_told_what_is_missing(lab: Lab) -> None:
    lab.git("sed -i /registry/d dvc.yaml && sed -i /meta/d dvc.yaml && git commit -qam unnamed", lab.laptop)
    with pytest.raises(InputError, match=r"names no model to register; add `meta: registry:` with the keys name, mod"):
        register()


def test_a_promotion_is_a_tag_that_says_why_and_gto_reads_them_all(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    versions("first", "better")
    monkeypatch.setenv("GIT_COMMITTER_DATE", "2001-01-01T00:00:00")  # GTO orders by time, of a second
    assert champions(promote("v1", "The first")) == ["v1"]
    monkeypatch.delenv("GIT_COMMITTER_DATE")
    assert champions(promote("v2", "Better:\non every row")) == ["v1", "v2"]
    message = lab.message(SECOND)
    assert message.startswith(f"Promote {NAME} v2 to champion\n\nReason: Better: on every row\nPerson: test@NAME")
    assert "\nAction: promote\nVersion: v2\nBefore: v1\nGoals: 1 of 1 met, 1 ambition open\nGoals-Commit: " in message
    assert re.search(
        r"^Compared: with v1: of 40 test rows 3 right by the candidate alone, 0 by .*; p = 0.25 ", message, re.M
    )
    assert "Forced" not in message
    with pytest.raises(RefusedError):
        versions("worse") and promote("v3", "Try")
    shown = lab.git("gto show cancer && gto history cancer", lab.laptop)
    assert re.search(r"cancer\W+v2\.0\.0\W+champion\W", shown)
    assert sorted(re.findall(r"(?:registration|assignment)\W+(v\d)\.0\.0", shown)) == ["v1", "v1", "v2", "v2", "v3"]


def test_goals_refuse_by_the_results_of_that_commit_and_can_not_be_forced(lab: Lab) -> None:
    versions("better", "bad")
    with pytest.raises(RefusedError, match=rf"^{NAME} v2 was not promoted: goal 'it knows both': test.accuracy is "):
        promote("v2", "Try", force=True)
    refusal = f"refs/lab/refused/{NAME}#champion#1.1"
    assert lab.tags(lab.origin) == lab.tags(lab.laptop) == [refusal, V1, V2]
    assert "\nGoals: 0 of 1 met, 1 ambition open; goal 'it knows both': " in lab.message(refusal)
    assert "\nRefused: goal 'it knows both': test.accuracy is 0.25, wanted ≥ 0.6" in lab.message(refusal)
    with pytest.raises(RefusedError):
        promote("v2", "Try again")
    assert f"refs/lab/refused/{NAME}#champion#1.2" in lab.tags(lab.origin)
    assert champions(promote("v1", "Good")) == ["v1"]  # a refusal takes no counter


def test_goals_that_are_not_committed_judge_nothing(lab: Lab) -> None:
    versions("bad")
    (lab.laptop / "goals" / "goals.yaml").write_text("")
    with pytest.raises(InputError, match=r"^goals/goals.yaml has changes that are not committed; commit them"):
        promote("v1", "Try")
    assert lab.tags(lab.origin) == [V1]


def test_goals_that_this_clone_alone_has_judge_nothing(lab: Lab) -> None:
    versions("bad")
    lab.git("sed -i s/0.6/0.1/ goals/goals.yaml && git commit --quiet -am 'Lower them'", lab.laptop)
    with pytest.raises(InputError, match=r"^goals/goals\.yaml is as of \w{10}, which no branch of origin has"):
        promote("v1", "Try")
    lab.git("git push --quiet origin HEAD:main", lab.laptop)
    assert champions(promote("v1", "Lowered for all to see")) == ["v1"]


def test_goals_that_git_is_told_not_to_look_at_judge_nothing(lab: Lab) -> None:
    versions("bad")
    git("update-index", "--assume-unchanged", "goals/goals.yaml")
    (lab.laptop / "goals" / "goals.yaml").write_text("")
    with pytest.raises(RefusedError, match="goal 'it knows both'"):
        promote("v1", "Try")


def test_results_that_git_tracks_beside_dvc_lock_are_not_believed(lab: Lab) -> None:
    made_up = '{"test": {"accuracy": 1.0}}'
    lab.git(f"git checkout -q bad && dvc pull -q && echo '{made_up}' > out/metrics.json", lab.laptop)
    lab.git("git add --force out/metrics.json && git commit --quiet -m liar", lab.laptop)
    told = r"^out/metrics.json of \w{10} has other bytes than dvc.lock there records of out/metrics.json: Git tracks it"
    with pytest.raises(InputError, match=told):
        register("HEAD")
    assert lab.tags(lab.origin) == []


def test_a_goal_that_can_not_be_judged_does_not_hold(lab: Lab) -> None:
    lab.git("sed -i s/test.accuracy/test.recall/ goals/goals.yaml && git commit --quiet -am goals", lab.laptop)
    lab.git("git push --quiet origin HEAD:main", lab.laptop)
    versions("better")
    with pytest.raises(RefusedError, match=r"can't be judged: .*no metric 'test.recall'"):
        promote("v1", "Try")


def test_a_candidate_that_is_worse_beyond_noise_is_refused_unless_it_is_forced(lab: Lab) -> None:
    versions("better", "worse")
    promote("v1", "Good")
    with pytest.raises(RefusedError, match=r"it is worse than v1 beyond noise: of 40 test rows 0 .* 13 .*0.0002"):
        promote("v2", "Cheaper")
    assert f"refs/lab/refused/{NAME}#champion#2.1" in lab.tags(lab.origin)
    registry = promote("v2", "Cheaper", force=True)
    assert champions(registry) == ["v1", "v2"]
    assert "\nForced: it is worse than v1 beyond noise: " in lab.message(SECOND)
    assert "Reason: Cheaper\n" in lab.message(SECOND)


def test_the_commands_do_what_they_are_asked_alone(
    lab: Lab, empty_database: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def run(*words: str) -> int:
        return CliRunner().invoke(app, words).exit_code

    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{shutil.copy(empty_database, lab.laptop)}")
    assert [run("register", revision, "--reason", "Tried") for revision in ("better", "worse")] == [0, 0]
    assert "Reason: Tried\n" in lab.message(V1)
    assert run("promote", "v1", "--reason", "Good") == 0
    assert run("promote", "v2", "--reason", "Cheaper") == 1
    assert run("promote", "v2", "--reason", "Cheaper", "--force") == 0
    assert run("rollback", "--reason", "It fails") == 0
    assert champions(read_registry(NAME)) == ["v1", "v2", "v1"]


def test_a_difference_within_noise_is_no_reason_to_refuse(lab: Lab) -> None:
    versions("better", "first")
    promote("v1", "Good")
    assert champions(promote("v2", "Smaller")) == ["v1", "v2"]


def test_other_test_rows_can_not_be_compared(lab: Lab) -> None:
    versions("better", "split")
    promote("v1", "Good")
    with pytest.raises(RefusedError, match=r"can't be compared with v1: the test rows differ: .* 60 of the candidate"):
        promote("v2", "New split")
    assert champions(promote("v2", "New split", force=True)) == ["v1", "v2"]
    assert "\nForced: it can't be compared with v1: the test rows differ: " in lab.message(SECOND)


@pytest.mark.parametrize("reason", ["", " \n"])
def test_a_reason_is_needed(lab: Lab, reason: str) -> None:
    versions("better")
    with pytest.raises(InputError, match=r"^--reason is empty"):
        promote("v1", reason)
    assert lab.tags(lab.origin) == [V1]


def test_a_rollback_assigns_the_version_before_again_and_the_next_one_goes_further_back(lab: Lab) -> None:
    versions("first", "better", "worse")
    with pytest.raises(InputError, match=f"^{NAME} has no earlier champion to return to; `python -m lab promote` one"):
        rollback("It fails")
    promote("v1", "a")
    with pytest.raises(InputError, match="has no earlier champion to return to"):
        rollback("It fails")
    promote("v2", "b")
    promote("v3", "c", force=True)
    assert champions(rollback("It fails")) == ["v1", "v2", "v3", "v2"]
    message = lab.message(f"refs/tags/{NAME}#champion#4")
    assert "\nAction: rollback\nVersion: v2\nBefore: v3\nGoals: not judged for a rollback\n" in message
    assert champions(rollback("So does that"))[-1] == "v1"
    assert champions(rollback("It was not that", "v3"))[-1] == "v3"
    with pytest.raises(InputError, match="v3 is the champion; name another"):
        rollback("Again", "v3")


def test_of_two_who_promote_at_once_the_second_is_refused_and_keeps_nothing(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    versions("first", "better")
    monkeypatch.chdir(lab.other)
    fetch_tags(NAME)
    in_between(lab, monkeypatch, lambda: promote("v2", "Mine"))
    with pytest.raises(
        InputError, match=rf"^somebody else was quicker: `origin` has {SECOND[:-1]}1 already; nothing was"
    ):
        promote("v1", "Theirs")
    assert lab.tags(lab.other) == [V1, V2]
    assert "Version: v2" in lab.message(FIRST)
    assert champions(read_registry(NAME)) == ["v2"]


def test_of_two_who_register_at_once_the_second_is_refused_and_keeps_nothing(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(lab.other)
    in_between(lab, monkeypatch, lambda: register("better"))
    with pytest.raises(InputError, match=f"^somebody else was quicker: `origin` has {V1} already"):
        register("first")
    assert lab.tags(lab.other) == []
    assert register("first").versions.keys() == {1, 2}


def in_between(lab: Lab, monkeypatch: pytest.MonkeyPatch, act: Callable[[], object]) -> None:
    """Let the laptop `act` after this clone has looked at the remote and before it pushes."""
    done: list[bool] = []

    def ask(*arguments: str) -> str:
        if arguments[0] == "push" and not done:
            done.append(True)
            with monkeypatch.context() as patch:
                patch.chdir(lab.laptop)
                act()
        return ask_server(*arguments)

    monkeypatch.setattr("labkit.registry.tags.ask_server", ask)


def test_what_the_remote_does_not_take_is_nowhere(lab: Lab) -> None:
    hook = lab.origin / "hooks" / "pre-receive"
    hook.write_text("#!/bin/sh\necho tags are protected >&2; exit 1\n")
    hook.chmod(0o755)
    with pytest.raises(GitError, match=r"(?s)tags are protected.*nothing was changed here"):
        register("first")
    assert lab.tags(lab.laptop) == lab.tags(lab.origin) == []


def test_without_a_remote_this_clone_decides(lab: Lab) -> None:
    lab.git("git remote remove origin", lab.laptop)
    versions("first", "better")
    promote("v2", "Good")
    assert lab.tags(lab.laptop) == [FIRST, V1, V2]


def test_a_remote_that_is_away_registers_nothing_and_the_history_is_what_this_clone_knows(
    lab: Lab, capsys: pytest.CaptureFixture[str]
) -> None:
    versions("first")
    lab.git("git remote set-url origin ../gone", lab.laptop)
    with pytest.raises(GitError, match="git ls-remote failed"):
        register("better")
    assert lab.tags(lab.laptop) == [V1]
    print_history()
    shown = capsys.readouterr()
    assert "warning: `origin` can't be asked, so this is what this clone knows: git ls-remote failed" in shown.err
    assert "v1" in shown.out


def test_the_history_shows_what_was_registered_promoted_forced_refused_and_taken_back(
    lab: Lab, capsys: pytest.CaptureFixture[str]
) -> None:
    print_history()
    assert f"{NAME} has no version yet: `python -m lab register` makes one." in capsys.readouterr().out
    versions("better", "worse")
    promote("v1", "Good")
    with pytest.raises(RefusedError):
        promote("v2", "Cheaper")
    promote("v2", "Cheaper [bold]", force=True)
    rollback("Too bad")
    capsys.readouterr()
    print_history()
    shown = [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]
    assert any("commit goals when registered reason" in line for line in shown)
    assert any(line.startswith("★ v1 ") for line in shown)
    steps = [line for line in shown if re.match(r"(\d )?(promote|refused|rollback)", line)]
    starts = ["1 promote v1 none", "refused v2 v1", "2 promote, forced v2 v1", "3 rollback v1 v2"]
    assert [step.startswith(start) for step, start in zip(steps, starts, strict=True)] == [True] * 4, steps
    assert steps[2].endswith("Cheaper [bold]")


def test_a_model_that_is_deprecated_moves_no_more(lab: Lab) -> None:
    versions("first")
    lab.git(f"gto deprecate {NAME} 2>&1; git push -q origin --tags", lab.laptop)
    for act in (lambda: register("better"), lambda: promote("v1", "Good")):
        with pytest.raises(InputError, match=f"^{NAME} is deprecated by refs/tags/{NAME}@deprecated;"):
            act()


def test_the_same_results_under_another_commit_are_another_version(lab: Lab) -> None:
    lab.git("git commit --quiet --allow-empty -m again", lab.laptop)
    assert versions("split", "HEAD").versions.keys() == {1, 2}
    write_results(lab.laptop, 1)
