"""The tables that end `make run`: the models where dvc.yaml tells of them, and the goals in any case."""

import json
from pathlib import Path

import pytest
from rich.console import Console

from labkit.report.tables import print_summary

pytestmark = pytest.mark.unittest

META = """
stages:
  select:
    cmd: "true"
    outs: [table.csv, best.json]
    meta: {leaderboard: {models: table.csv, selected: best.json}}
"""


@pytest.fixture(autouse=True)
def lab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A lab with the results of two models and a goal, with the working folder in it."""
    monkeypatch.chdir(tmp_path)
    Path("goals").mkdir()
    goal = "- {goal: it is good, file: best.json, metric: test.accuracy, at_least: 0.5}\n"
    Path("goals/goals.yaml").write_text(goal, encoding="utf-8")
    Path("params.yaml").write_text("metric: accuracy\n", encoding="utf-8")
    Path("dvc.yaml").write_text(META, encoding="utf-8")
    Path("table.csv").write_text("model,accuracy,kind,rows\nnet,0.91239,[big],300\ntree,0.8,small,\n", encoding="utf-8")
    Path("best.json").write_text(json.dumps({"selected": "net", "test": {"accuracy": 0.75, "rows": 7}}))
    return tmp_path


def rows() -> list[list[str]]:
    """The words of each line that is shown."""
    with (console := Console(width=200)).capture() as shown:
        print_summary(console)
    return [line.split() for line in shown.get().splitlines() if line.strip(" ─")]


def test_the_models_are_shown_with_the_columns_that_they_have() -> None:
    shown = rows()
    assert shown[1] == ["model", "accuracy", "kind", "rows"]
    assert ["★", "net", "0.912", "[big]", "300"] in shown
    assert ["tree", "0.800", "small"] in shown
    assert ["★", "on", "its", "test", "rows", "0.750", "7"] in shown
    assert ["Goals"] in shown


def test_a_lab_without_models_shows_its_goals() -> None:
    Path("dvc.yaml").unlink()
    assert rows()[0] == ["Goals"]


def test_a_lab_without_goals_shows_no_table_of_them() -> None:
    Path("dvc.yaml").unlink()
    Path("goals/goals.yaml").write_text("# none yet\n", encoding="utf-8")
    assert rows() == []


def test_what_is_wrong_with_the_models_is_one_line_above_the_goals() -> None:
    Path("table.csv").write_text("name\nnet\n", encoding="utf-8")
    told, *others = rows()
    assert " ".join(told).startswith(
        "no table of the models: dvc.yaml: stages.select.meta.leaderboard.models: table.csv"
    )
    assert others[0] == ["Goals"]


def test_each_goal_has_its_verdict_and_an_ambition_that_is_reached_what_to_do_then() -> None:
    goals = [("a", 0.5, "false"), ("b", 0.9, "false"), ("c", 0.5, "true"), ("d", 0.9, "true")]
    form = "- {{goal: {}, file: best.json, metric: test.accuracy, at_least: {}, ambition: {}}}\n"
    Path("goals/goals.yaml").write_text("".join(form.format(*goal) for goal in goals), encoding="utf-8")
    shown = [line[:2] for line in rows()]
    assert shown[-5:-1] == [["met", "a"], ["missed", "b"], ["reached", "c"], ["ambition", "d"]]
    assert rows()[-1][:6] == ["Reached:", "c.", "Remove", "`ambition:", "true`", "from"]


def test_words_of_a_goal_that_look_like_markup_are_shown() -> None:
    goal = "- {goal: 'finds [bold] and [/bold] cases', file: best.json, metric: test.accuracy, at_least: 0.5}\n"
    Path("goals/goals.yaml").write_text(goal, encoding="utf-8")
    console = Console(width=200, record=True)
    print_summary(console)
    assert "finds [bold] and [/bold] cases" in console.export_text()
