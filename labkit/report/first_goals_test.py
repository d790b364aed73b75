"""First goals: a floor below what was reached, and never in the place of a person's own."""

import os
import pty
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest

from labkit.goals import GOALS_FILE, Goal, read_goals, verdicts
from labkit.pipeline.records import write_records
from labkit.process.errors import InputError
from labkit.process.files import read_json, write_json
from labkit.process.tracking import md5_of
from labkit.report.first_goals import EXAMPLE, do_not_fit, write_first_goals
from labkit.report.intervals import wilson

pytestmark = pytest.mark.unittest

DVC_YAML = """
stages:
  select:
    cmd: select
    outs: [artifacts/best_model]
    meta: {leaderboard: {models: artifacts/best_model/models.csv, selected: artifacts/best_model/metrics.json}}
"""
RESULTS = Path("artifacts/best_model/metrics.json")  # where the example's goals look, too


@pytest.fixture(autouse=True)
def _lab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A lab with the template's goals, and no results yet, in the working folder."""
    monkeypatch.chdir(tmp_path)
    Path("dvc.yaml").write_text(DVC_YAML)
    GOALS_FILE.parent.mkdir()
    shutil.copy(EXAMPLE, GOALS_FILE)


def reach(metric: str, reached: Any, other: Any, **told: Any) -> None:
    """Leave results: a model that is selected for what it reached, and another."""
    content = {"selected": "net", "metric": metric, **told}
    write_json(RESULTS, content | {"test": {metric: reached, **told.get("test", {})}})
    RESULTS.with_name("models.csv").write_text(f"model,{metric}\nnet,{reached}\nother,{other}\n")


def bounds() -> list[tuple[str, float, bool]]:
    """Of each goal the metric, the bound, and whether it is an ambition."""

    def bound(goal: Goal) -> float:
        return goal.at_least if "≥" in goal.threshold else goal.at_most

    return [(goal.metric, bound(goal), goal.ambition) for goal in read_goals()]


def test_of_a_number_it_is_the_worse_end_of_the_interval_and_the_baseline() -> None:
    reach("rmse", 50.04, 60.0, baseline={"rmse": 70.07}, test_interval=[44.0, 55.01])
    assert do_not_fit()
    assert write_first_goals() == "test.rmse ≤ 55.1; test.rmse ≤ 70.0"
    assert bounds() == [("test.rmse", 55.1, False), ("test.rmse", 70.0, False)]
    text = GOALS_FILE.read_text(encoding="utf-8")
    assert "50.04 was reached, its 95% interval is 44 to 55.01" in text
    assert "what knows no feature reaches 70.07, net 50.04" in text
    assert f"from the results of net: {RESULTS} with the md5\n# {md5_of(RESULTS)}" in text
    assert all(verdict.met for verdict in verdicts())
    assert not do_not_fit()


def test_of_classes_none_may_be_lost() -> None:
    test = {"lowest_recall": 0.81}
    reach("roc_auc", 0.9, 0.7, baseline={"roc_auc": 0.5}, test_interval=[0.823, 0.95], test=test)
    write_first_goals()
    assert bounds() == [
        ("test.roc_auc", 0.823, False),
        ("test.roc_auc", 0.5, False),
        ("test.lowest_recall", 0.405, False),
    ]
    assert all(verdict.met for verdict in verdicts())


def test_what_is_not_reached_yet_is_an_ambition() -> None:
    test = {"lowest_recall": 0.0}
    reach("log_loss", 0.7, 0.9, baseline={"log_loss": 0.69}, test_interval=[0.6, 0.8], test=test)
    assert write_first_goals() == "test.log_loss ≤ 0.69 (ambition); test.lowest_recall ≥ 0.1 (ambition)"
    assert bounds() == [("test.log_loss", 0.69, True), ("test.lowest_recall", 0.1, True)]
    assert not any(verdict.met for verdict in verdicts())


def test_results_that_were_edited_give_no_goals() -> None:
    reach("rmse", 50.04, 60.0, baseline={"rmse": 70.07}, test_interval=[44.0, 55.01])
    out = {"path": "artifacts/best_model", "md5": md5_of(RESULTS.parent)}
    Path("dvc.lock").write_text(write_records({"select": {"cmd": "select", "outs": [out]}}))
    write_first_goals()
    reach("rmse", 0.04, 60.0, baseline={"rmse": 70.07}, test_interval=[44.0, 55.01])
    with pytest.raises(InputError, match=f"^{RESULTS} and .*models.csv here is not what dvc.lock records; `dvc repro`"):
        write_first_goals(replace=True)


def test_without_an_interval_an_accuracy_has_wilsons_and_no_other_metric_one() -> None:
    reach("accuracy", 0.9, 0.7, test={"rows": 100})
    write_first_goals()
    assert bounds() == [("test.accuracy", 0.825, False)]
    assert 0.825 <= wilson(0.9, 100)[0] < 0.826
    reach("f1", 0.9, 0.7, test={"rows": 100}, baseline={"f1": 0.4})
    write_first_goals(replace=True)
    assert bounds() == [("test.f1", 0.4, False)]


@pytest.mark.parametrize("end", [0.0, -0.3, 1e-9, 1e9, 44.0])
def test_what_was_reached_always_meets_its_goals(end: float) -> None:
    reach("r2", end, end - 1, test_interval=[end + 1e-3, end + 1])  # a bootstrap may miss what was measured
    write_first_goals()
    assert [verdict.met for verdict in verdicts()] == [True]


def test_goals_of_ones_own_are_replaced_only_if_that_is_asked_for() -> None:
    reach("rmse", 50.0, 60.0, baseline={"rmse": 70.0})
    own = EXAMPLE.read_text(encoding="utf-8") + "# mine\n"
    GOALS_FILE.write_text(own, encoding="utf-8")
    assert not do_not_fit()
    with pytest.raises(InputError, match=r"^goals/goals\.yaml has goals of your own, and stays; `.* --replace`"):
        write_first_goals()
    assert GOALS_FILE.read_text(encoding="utf-8") == own
    write_first_goals(replace=True)
    assert bounds() == [("test.rmse", 70.0, False)]
    GOALS_FILE.write_text("# none yet\n", encoding="utf-8")
    write_first_goals()
    assert bounds() == [("test.rmse", 70.0, False)]


@pytest.mark.parametrize(("answer", "is_replaced"), [("y", True), ("n", False)])
def test_a_person_is_asked(answer: str, is_replaced: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    reach("rmse", 50.0, 60.0, baseline={"rmse": 70.0})
    GOALS_FILE.write_text(EXAMPLE.read_text(encoding="utf-8") + "# mine\n", encoding="utf-8")
    ours, theirs = pty.openpty()
    with os.fdopen(theirs, encoding="utf-8") as terminal:
        monkeypatch.setattr(sys, "stdin", terminal)
        os.write(ours, f"{answer}\n".encode())
        if is_replaced:
            write_first_goals()
        else:
            with pytest.raises(InputError, match="stays"):
                write_first_goals()
    os.close(ours)
    assert ("# mine" not in GOALS_FILE.read_text(encoding="utf-8")) == is_replaced


@pytest.mark.parametrize(
    ("prepare", "told"),
    [
        (lambda: None, "metrics.json is not here; `make run`"),
        (lambda: reach("rmse", "good", 2.0), "has no number test.rmse"),
        (lambda: reach("rmse", float("nan"), 2.0), "has no number test.rmse"),
        (lambda: reach("rmse", 2.0, 2.0), "does not tell whether more rmse is better"),
        (lambda: reach("rmse", 1.0, "none"), "does not tell whether more rmse is better"),
        (lambda: reach("rmse", 1.0, 2.0), "tells no test_interval and no baseline"),
        (lambda: reach("a: [", 1.0, 2.0, baseline={"a: [": 3.0}), "a goal of it is not YAML"),
        (lambda: Path("dvc.yaml").write_text("stages: {a: {cmd: a}}\n"), "dvc.yaml names no leaderboard"),
    ],
)
def test_without_results_to_take_them_from_none_are_written(prepare: Any, told: str) -> None:
    prepare()
    assert not do_not_fit()
    with pytest.raises(InputError, match=told):
        write_first_goals()
    assert GOALS_FILE.read_bytes() == EXAMPLE.read_bytes()


def test_a_models_name_cannot_add_a_line() -> None:
    reach("rmse", 1.0, 2.0, baseline={"rmse": 3.0})
    write_json(RESULTS, read_json(RESULTS) | {"selected": "a\n- goal: b"})
    write_first_goals()
    assert len(read_goals()) == 1
