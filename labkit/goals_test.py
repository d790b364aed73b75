"""Goals: what is met, what is refused, and what a wrong goals file is told."""

from pathlib import Path

import pytest

from labkit.goals import Goal, Verdict, judge, read_goals, tally, verdicts
from labkit.process.errors import InputError
from labkit.process.files import write_json

pytestmark = pytest.mark.unittest


@pytest.mark.parametrize(
    ("limit", "met"),
    [({"at_least": 0.9}, True), ({"at_least": 0.91}, False), ({"at_most": 0.9}, True), ({"at_most": 0.89}, False)],
)
def test_a_threshold_includes_its_own_value(tmp_path: Path, limit: dict[str, float], met: bool) -> None:
    write_json(tmp_path / "metrics.json", {"test": {"accuracy": 0.9}})
    verdict = judge(Goal(goal="g", file="metrics.json", metric="test.accuracy", **limit), tmp_path)  # type: ignore[arg-type]
    assert (verdict.value, verdict.met) == (0.9, met)


def test_a_metric_that_is_not_there_is_named_with_those_that_are(tmp_path: Path) -> None:
    write_json(tmp_path / "metrics.json", {"selected": "x", "test": {"f1": 0.8, "accuracy": 0.9}})
    goal = Goal(goal="g", file="metrics.json", metric="test.acuracy", at_least=0.9)
    with pytest.raises(InputError, match=r"no metric 'test.acuracy'; it has: test.accuracy, test.f1$"):
        judge(goal, tmp_path)
    write_json(tmp_path / "metrics.json", [0.9])
    with pytest.raises(InputError, match=r"no metric 'test.acuracy'"):
        judge(goal, tmp_path)


@pytest.mark.parametrize("value", ["Infinity", "-Infinity", "NaN", "true", '"0.95"', "null", "[1]", "{}"])
@pytest.mark.parametrize("limit", [{"at_least": 0.5}, {"at_most": 1.5}])
def test_what_is_no_finite_number_meets_no_goal(tmp_path: Path, value: str, limit: dict[str, float]) -> None:
    (tmp_path / "metrics.json").write_text(f'{{"accuracy": {value}}}', encoding="utf-8")
    goal = Goal(goal="g", file="metrics.json", metric="accuracy", **limit)  # type: ignore[arg-type]
    with pytest.raises(InputError, match=r"metrics\.json.*accuracy"):
        judge(goal, tmp_path)


@pytest.mark.parametrize("value", ["1" + "0" * 400, "1" * 5000, "[" * 100_000])
def test_a_metrics_file_that_no_number_can_be_read_from_is_not_judged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, value: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("goals").mkdir()
    Path("goals/goals.yaml").write_text("- {goal: g, file: a.json, metric: m, at_least: 0.5}\n", encoding="utf-8")
    Path("a.json").write_text(f'{{"m": {value}}}', encoding="utf-8")
    assert verdicts()[0].met is None


def test_results_that_are_not_there_are_not_a_verdict(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        judge(Goal(goal="g", file="metrics.json", metric="test.accuracy", at_least=0.9), tmp_path)


@pytest.mark.parametrize(
    ("entry", "told"),
    [
        ("{goal: g, file: f, metric: m}", "give either at_least or at_most"),
        ("{goal: g, file: f, metric: m, at_least: 1.0, at_most: 2.0}", "give either at_least or at_most"),
        ("{goal: g, file: f, metric: m, at_least: high}", "0.at_least is 'high'"),
        ("{goal: g, file: f, metric: m, at_least: '0.5'}", "0.at_least is '0.5'"),
        ("{goal: g, file: f, metric: m, at_least: .nan}", "0.at_least is nan"),
        ("{goal: g, file: f, metric: m, at_least: 0.5, ambition: 'yes'}", "0.ambition is 'yes'"),
        ("{goal: '', file: f, metric: m, at_least: 0.5}", "0.goal is ''"),
        ("{goal: g, file: f, metric: m, at_lest: 0.5, at_most: 1.0}", "0.at_lest is 0.5"),
        ("{goal: g, file: /tmp/m.json, metric: m, at_least: 0.5}", "name a result of the pipeline, by its path from"),
        (
            "{goal: g, file: a/../../m.json, metric: m, at_least: 0.5}",
            "name a result of the pipeline, by its path from",
        ),
        ("{goal: [", "not YAML"),
        ("{goal: g, goal: h, file: f, metric: m, at_least: 1.0}", "goal is given twice; keep one"),
    ],
)
def test_a_wrong_goal_is_refused_with_the_reason(tmp_path: Path, entry: str, told: str) -> None:
    (tmp_path / "goals.yaml").write_text(f"- {entry}\n")
    with pytest.raises(InputError) as refused:
        read_goals(tmp_path / "goals.yaml")
    assert told in str(refused.value)
    assert "goals.yaml" in str(refused.value)
    assert len(str(refused.value).splitlines()) == 1


def test_of_many_wrong_goals_the_first_are_told(tmp_path: Path) -> None:
    for count, last in ((20, "goals.yaml: goal 19"), (25, "and 5 more")):
        (tmp_path / "goals.yaml").write_text("- wrong\n" * count)
        with pytest.raises(InputError) as refused:
            read_goals(tmp_path / "goals.yaml")
        assert last in str(refused.value).splitlines()[-1]


def test_a_threshold_is_read_as_in_params_yaml(tmp_path: Path) -> None:
    (tmp_path / "goals.yaml").write_text("- {goal: g, file: f, metric: m, at_most: 1e-1}\n")
    (goal,) = read_goals(tmp_path / "goals.yaml")
    assert (goal.at_most, goal.ambition) == (0.1, False)


def test_a_file_of_comments_holds_no_goals(tmp_path: Path) -> None:
    (tmp_path / "goals.yaml").write_text("# later\n")
    assert read_goals(tmp_path / "goals.yaml") == []


def judged(ambition: bool, met: bool | None) -> Verdict:
    return Verdict(Goal(goal="g", file="f", metric="m", at_least=1.0, ambition=ambition), 1.0, met)


def test_an_open_ambition_is_no_goal_missed() -> None:
    met, missed, unknown = (judged(False, word) for word in (True, False, None))
    reached, still_open = (judged(True, word) for word in (True, False))
    assert tally([met, met, still_open]) == "2 of 2 met, 1 ambition open"
    assert tally([met, missed, reached, still_open, still_open]) == "1 of 2 met, 1 ambition reached, 2 ambitions open"
    assert tally([met, unknown]) == "1 of 2 met, 1 not judged"
    assert tally([still_open]) == "1 ambition open"
    assert tally([unknown, judged(True, None)]) == "not judged"


def test_goals_that_can_not_be_judged_are_told_apart_with_the_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    goals = "".join(
        f"- {{goal: g, file: {file}, metric: {metric}, at_least: 0.5}}\n"
        for file, metric in (("a.json", "m"), ("a.json", "n"), ("b.json", "m"), ("c.json", "m"))
    )
    write_json("a.json", {"m": 0.9})
    write_json("c.json", {"m": 0.9})
    Path("goals").mkdir()
    Path("goals/goals.yaml").write_text(goals)
    good, no_metric, no_file, not_made = verdicts(lambda file: file == "c.json")
    assert good.met
    assert [one.met for one in (no_metric, no_file, not_made)] == [None] * 3
    assert "no metric 'n'; it has: m" in no_metric.unknown
    assert no_file.unknown == "b.json is not here"
    assert not_made.unknown == "c.json was not made"
