"""Which tags count, and in which order: real tags in real repositories, made by other hands than the commands'."""

from collections.abc import Callable

import pytest

from labkit.git_cli import git
from labkit.process.errors import InputError
from labkit.registry.conftest import NAME, Lab
from labkit.registry.state import Registry, read_registry
from labkit.registry.verbs import promote, register

pytestmark = pytest.mark.integration

VERSION = "Reason: r\nPerson: p\nBefore: none\nGoals: g"
ASSIGNED = f"{VERSION}\nAction: promote\nVersion: v1\nCompared: c"


def by_hand(tag: str, commit: str, message: str | None, clock: str = "2026-01-01T00:00:00") -> None:
    """Make a tag and push it; without a message a lightweight one."""
    annotated = [] if message is None else ["--annotate", "--message", f"By hand\n\n{message}"]
    git("tag", *annotated, tag, commit, GIT_COMMITTER_DATE=clock)
    git("push", "--quiet", "origin", f"refs/tags/{tag}")


def faults(registry: Registry) -> dict[str, str]:
    """Why each tag that is not counted is not."""
    return {fault.ref.removeprefix("refs/tags/"): fault.reason for fault in registry.faults}


def champion() -> str:
    return str(read_registry(NAME).champion)


def test_the_counter_decides_whatever_the_clocks_say(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    for commit, year in (("first", 2031), ("better", 2001)):
        monkeypatch.setenv("GIT_COMMITTER_DATE", f"{year}-01-01T00:00:00")
        register(commit)
    for version, year in (("v1", 2030), ("v2", 2002), ("v1", 2010)):
        monkeypatch.setenv("GIT_COMMITTER_DATE", f"{year}-01-01T00:00:00")
        registry = promote(version, "Try")
    assert [(step.counter, str(step.version), step.tag.date[:4]) for step in registry.steps] == [
        (1, "v1", "2030"),
        (2, "v2", "2002"),
        (3, "v1", "2010"),
    ]
    assert [(str(one), one.tag.date[:4]) for one in registry.versions.values()] == [("v1", "2031"), ("v2", "2001")]
    for counter in range(4, 11):
        by_hand(f"{NAME}#champion#{counter}", "first", ASSIGNED)
    assert [step.counter for step in read_registry(NAME).steps] == [*range(1, 11)]  # 10 is after 9, not after 1


def test_what_is_malformed_is_told_and_not_counted(lab: Lab, capsys: pytest.CaptureFixture[str]) -> None:
    register("first")
    register("better")
    promote("v1", "Good")
    blob = git("rev-parse", "first:dvc.yaml")
    for tag, commit, message in (
        (f"{NAME}@v3.0.0", "worse", None),
        (f"{NAME}@v4.0.0", "worse", "Reason: r"),
        (f"{NAME}@v5.0.0", "empty", VERSION),
        (f"{NAME}@v6", "worse", VERSION),
        (f"{NAME}@v7.0.0", blob, VERSION),
        (f"{NAME}@v8.0.0", "worse", f"{VERSION}\nPerson: another"),
        (f"{NAME}#champion#2", "better", None),
        (f"{NAME}#champion#3", "better", ASSIGNED.replace("v1", "v9")),
        (f"{NAME}#champion#4", "better", ASSIGNED),
        (f"{NAME}#champion#05", "first", ASSIGNED),
        (f"{NAME}#champion", "first", ASSIGNED),
        (f"{NAME}#champion#6", "first", ASSIGNED.replace("\nCompared: c", "").replace("\nGoals: g", "")),
        (f"{NAME}#staging#1", "first", "Another stage is GTO's to read"),
    ):
        by_hand(tag, commit, message)
    registry = read_registry(NAME)
    assert registry.versions.keys() == {1, 2}
    assert [str(step.version) for step in registry.steps] == ["v1"]
    told = faults(registry)
    mend = "tags are made by `python -m lab register`, `promote` and `rollback`"
    light = f"it is a lightweight tag, which names no person and no reason; {mend}"
    wanted = (
        f"its name is not one of the registry's: {NAME}@v3.0.0 is a version, {NAME}#champion#7 an assignment; {mend}"
    )
    other = f"it is on {git('rev-parse', 'better')[:10]}, but v1 is {git('rev-parse', 'first')[:10]}"
    assert told == {
        f"{NAME}@v3.0.0": light,
        f"{NAME}@v4.0.0": f"its message lacks the trailers Person, Before, Goals; {mend}",
        f"{NAME}@v5.0.0": told[f"{NAME}@v5.0.0"],
        f"{NAME}@v6": wanted,
        f"{NAME}@v7.0.0": f"a tag of a blob; {mend}",
        f"{NAME}@v8.0.0": f"its message lacks the trailer Person; {mend}",
        f"{NAME}#champion#2": light,
        f"{NAME}#champion#3": "its trailer Version is 'v9', which is not a version that counts",
        f"{NAME}#champion#4": other,
        f"{NAME}#champion#05": wanted,
        f"{NAME}#champion": wanted,
        f"{NAME}#champion#6": f"its message lacks the trailers Goals, Compared; {mend}",
    }
    assert "its commit is not a result: " in told[f"{NAME}@v5.0.0"]
    assert "has no results of select in dvc.lock" in told[f"{NAME}@v5.0.0"]
    registry = promote("v2", "On top of them")
    assert f"warning: refs/tags/{NAME}#champion#2 is not counted: it is a lightweight tag" in capsys.readouterr().err
    assert [step.counter for step in registry.steps] == [1, 5]  # the names that are taken are passed over
    assert str(registry.champion) == "v2"
    assert registry.next_version() == f"refs/tags/{NAME}@v6.0.0"


@pytest.mark.parametrize("text", ["\x1b[31mred", "caf\udce9", "a\x1eb\x1fc", "%00", "Reason: two\nReason: three"])
def test_a_hostile_message_is_read_as_text(lab: Lab, text: str) -> None:
    message = f"tag {NAME}@v1.0.0\ntagger x <y@z> 0 +0000\n\n{text}\n\n{VERSION}\n"
    made = git("mktag", given=f"object {git('rev-parse', 'first')}\ntype commit\n{message}")
    git("update-ref", f"refs/tags/{NAME}@v1.0.0", made)
    git("push", "--quiet", "origin", f"refs/tags/{NAME}@v1.0.0")
    (version,) = read_registry(NAME).versions.values()
    assert version.tag.subject.isprintable()
    assert version.tag.subject.encode()
    assert version.tag.trailers == {"Reason": "r", "Person": "p", "Before": "none", "Goals": "g"}


def test_a_promotion_is_not_played_again_under_a_later_counter(lab: Lab) -> None:
    register("first")
    register("better")
    promote("v1", "a")
    promote("v2", "b")
    git("push", "--quiet", "origin", f"refs/tags/{NAME}#champion#1:refs/tags/{NAME}#champion#3")
    assert champion() == "v2"
    told = faults(read_registry(NAME))[f"{NAME}#champion#3"]
    assert told.startswith(f"a copy of the tag {NAME}#champion#1; tags are made by")


def test_a_tag_that_is_gone_is_missed_by_the_next_and_by_who_had_it(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    for commit, version in (("first", "v1"), ("better", "v2"), ("split", "v3")):
        register(commit)
        promote(version, "Try", force=True)
    git("push", "--quiet", "origin", f":refs/tags/{NAME}#champion#2")
    registry = read_registry(NAME)
    assert [str(fault) for fault in registry.faults] == [
        f"refs/tags/{NAME}#champion#2 is not counted: `origin` does not have it; tags are made by "
        "`python -m lab register`, `promote` and `rollback`",
        f"refs/tags/{NAME}#champion#3 counts, but it names v2 as the champion before, not v1: "
        "a tag between them is gone",
    ]
    assert str(registry.champion) == "v3"
    monkeypatch.chdir(lab.other)
    assert [fault.counted for fault in read_registry(NAME).faults] == [True]


def test_what_only_this_clone_has_does_not_count(lab: Lab) -> None:
    register("first")
    git("tag", "--annotate", "--message", f"x\n\n{VERSION}", f"{NAME}@v2.0.0", "better")
    registry = read_registry(NAME)
    assert registry.versions.keys() == {1}
    assert faults(registry)[f"{NAME}@v2.0.0"].startswith("`origin` does not have it; tags are made by")


def test_a_tag_that_is_another_here_is_told_and_that_of_the_remote_counts(lab: Lab) -> None:
    register("first")
    git("tag", "--force", "--annotate", "--message", f"x\n\n{VERSION}", f"{NAME}@v1.0.0", "better")
    with pytest.raises(InputError, match=rf"^refs/tags/{NAME}@v1.0.0 here differs from that of `origin`, which cou"):
        read_registry(NAME)
    git("update-ref", "-d", f"refs/tags/{NAME}@v1.0.0")
    assert read_registry(NAME).versions[1].tag.commit == git("rev-parse", "first")


@pytest.mark.parametrize("make", [lambda tag, commit: by_hand(tag, commit, "x"), None], ids=["by hand", "by GTO"])
def test_a_cancelled_version_and_a_cancelled_assignment_count(
    lab: Lab, make: Callable[[str, str], None] | None
) -> None:
    register("first")
    register("better")
    promote("v1", "a")
    promote("v2", "b")
    if make:
        make(f"{NAME}@v2.0.0!#3", "better")
    else:
        lab.git(f"gto deprecate {NAME} v2.0.0 2>&1 && git push -q origin --tags", lab.laptop)
    assert champion() == "None"
    with pytest.raises(InputError, match=f"^{NAME} v2 was withdrawn; name another$"):
        promote("v2", "Again")
    promote("v1", "c")
    assert champion() == "v1"
    if make:
        make(f"{NAME}#champion!#3", "first")
        assert champion() == "None"  # of two with one counter, the end counts
        promote("v1", "d")
        assert champion() == "v1"


def test_no_number_uses_up_all_that_follow(lab: Lab) -> None:
    register("first")
    register("better")
    most = "9" * 18
    by_hand(f"{NAME}#champion#{most}", "first", ASSIGNED)
    by_hand(f"{NAME}#champion!#{most}", "first", "x")
    by_hand(f"{NAME}@v{most}.0.0", "worse", VERSION)
    registry = promote("v2", "Better")
    assert (str(registry.champion), [step.counter for step in registry.steps]) == ("v2", [1])
    assert faults(registry)[f"{NAME}#champion#{most}"].startswith("its number is more than 1000 above 1, the last one")
    assert registry.next_version() == f"refs/tags/{NAME}@v3.0.0"


def test_a_promotion_that_does_not_have_the_last_word_is_no_success(
    lab: Lab, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    register("first")
    register("better")
    monkeypatch.setattr(Registry, "next_counter", lambda _: 5000)
    with pytest.raises(InputError, match=r"#champion#5000 was made, but the champion is none; .* more than 1000"):
        promote("v2", "Better")
    monkeypatch.setattr(Registry, "next_version", lambda _: f"refs/tags/{NAME}@v5000.0.0")
    with pytest.raises(InputError, match=r"v5000.0.0 was made, but \w+ is not a version; .* is more than 1000 above 2"):
        register("worse")
    assert " is the champion" not in capsys.readouterr().out


def test_a_tag_below_a_name_blocks_nothing(lab: Lab) -> None:
    register("first")
    for name in (f"{NAME}@v8/x", f"{NAME}@v2.0.0/x", f"{NAME}#champion#1/x"):
        git("push", "--quiet", "origin", f"first:refs/tags/{name}")
    assert register("better").versions.keys() == {1, 3}
    assert [step.counter for step in promote("v3", "Better").steps] == [2]


def test_a_command_that_is_told_runs_nothing_of_a_tags_name(lab: Lab) -> None:
    name = f"{NAME}@v1';touch${{IFS}}PWNED;'"
    git("push", "--quiet", "origin", f"first:refs/tags/{name}")
    git("update-ref", f"refs/tags/{name}", "better")
    with pytest.raises(InputError) as told:
        read_registry(NAME)
    lab.git(str(told.value).split("`")[3], lab.laptop)
    assert not (lab.laptop / "PWNED").exists()
    assert name not in git("tag")
