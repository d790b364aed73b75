"""The first goals of a lab: from what its run reached, in the place of those of the template's example.

They are a floor for what comes next, not an ambition: as good as the first model but for chance, better than the
baseline, and no class lost.
"""

import math
import sys
from collections.abc import Iterator
from decimal import ROUND_CEILING, ROUND_FLOOR, Context
from pathlib import Path
from typing import Any, NamedTuple, TypeGuard

import typer

from labkit.goals import GOALS_FILE, Verdict, parse_goals, read_goals, verdicts
from labkit.pipeline.leaderboard import Leaderboard, Selected, models, read_leaderboard, selected
from labkit.pipeline.records import edited
from labkit.process.errors import InputError
from labkit.process.files import read_json, replacing
from labkit.process.flat import is_number
from labkit.process.tracking import md5_of
from labkit.report.intervals import ROWS, SHARE, wilson
from labkit.report.markdown import one_line

EXAMPLE = Path(__file__).parents[1] / "testing" / "example" / "goals.yaml"
COMMAND = "python -m lab first-goals"
# What the results may hold beside the leaderboard's keys: the baseline's metrics, and the 95% interval of the selecting
# metric on the test rows.
BASELINE, INTERVAL, LOWEST_RECALL = "baseline", "test_interval", "lowest_recall"
KEPT = 0.5  # of the lowest recall: a class that is known half as often is as good as lost
FOUND = 0.1  # the recall at which a lost class is found again

HEAD = """\
# What the selected model must reach on rows that it never saw: judged by `pytest goals`, shown by `make run`.
# Written by `{command}`, from the results of {model}: {file} with the md5
# {md5}, by which `git log -S` finds its commit in dvc.lock. Raise them as you learn
# what is needed. A goal with `ambition: true` is only reported while it is unmet; once met, the test asks for that line
# to be removed, and from then on the goal holds.
"""


class First(NamedTuple):
    """A goal to be written, and why."""

    goal: str
    metric: str
    bound: float
    is_least: bool
    why: str
    ambition: bool = False


def are_of_the_example(path: Path = GOALS_FILE) -> bool:
    """Whether the goals are those of the template, byte for byte."""
    return path.is_file() and EXAMPLE.is_file() and path.read_bytes() == EXAMPLE.read_bytes()


def do_not_fit() -> bool:
    """Whether the goals are the template's, and the results here are of other data: they miss one, and tell others."""
    try:
        return are_of_the_example() and any(map(_is_missed, verdicts())) and bool(goals_text())
    except InputError:
        return False


def write_first_goals(replace: bool = False) -> str:
    """Write the first goals; what they ask for, in words.

    Goals of the lab's own are replaced only if that is asked for, or answered in a terminal. Raises InputError where
    they are not to be replaced, or there are no results to take goals from.
    """
    text = goals_text()
    if not (replace or are_of_the_example() or not GOALS_FILE.exists() or not read_goals()):
        question = f"{GOALS_FILE} has goals of your own; replace them?"
        if not (sys.stdin.isatty() and typer.confirm(question)):
            raise InputError(f"{GOALS_FILE} has goals of your own, and stays; `{COMMAND} --replace` replaces them")
    with replacing(GOALS_FILE) as beside:
        beside.write_text(text, encoding="utf-8")
    return "; ".join(f"{goal.metric} {goal.threshold}{' (ambition)' * goal.ambition}" for goal in read_goals())


def goals_text() -> str:
    """The text of goals.yaml. Raises InputError where the results do not tell enough."""
    if (board := read_leaderboard()) is None:
        raise InputError(f"dvc.yaml names no leaderboard, so no model is selected; write {GOALS_FILE} by hand")
    if changed := [str(file) for file in (board.selected, board.models) if edited(file)]:
        raise InputError(f"{' and '.join(changed)} here is not what dvc.lock records; `dvc repro` brings that back")
    best = selected(board)
    goals = [*_goals(board, best)]
    if not goals:
        raise InputError(f"{board.selected} tells no {INTERVAL} and no {BASELINE}; write {GOALS_FILE} by hand")
    told = {"command": COMMAND, "model": one_line(best.model), "file": board.selected.as_posix()}
    text = HEAD.format(**told, md5=md5_of(board.selected)) + "".join(_written(goal, board.selected) for goal in goals)
    parse_goals(text.encode(), f"{board.selected}: a goal of it")  # names of files and metrics are anybody's
    return text


def _goals(board: Leaderboard, best: Selected) -> Iterator[First]:
    reached = best.test.get(best.metric)
    if not _is_finite(reached):
        raise InputError(f"{board.selected} has no number test.{best.metric}; write {GOALS_FILE} by hand")
    higher = _higher_is_better(board, best.metric)
    content = read_json(board.selected)
    baseline = content[BASELINE].get(best.metric) if isinstance(content.get(BASELINE), dict) else None
    if interval := _interval(content, best):
        low, high = interval
        floor = _rounded(min(low, reached) if higher else max(high, reached), down=higher)
        if not _is_finite(baseline) or _meets(floor, baseline, higher):
            why = f"{reached:.4g} was reached, its 95% interval is {low:.4g} to {high:.4g}"
            yield First("it is as good as the first model", best.metric, floor, higher, why)
    if _is_finite(baseline):
        bound = _rounded(baseline, down=not higher)
        why = f"what knows no feature reaches {baseline:.4g}, {one_line(best.model)} {reached:.4g}"
        ambition = not _meets(reached, bound, higher)
        yield First("it is better than the baseline", best.metric, bound, higher, why, ambition)
    yield from _lost_classes(best.test.get(LOWEST_RECALL))


def _lost_classes(recall: Any) -> Iterator[First]:
    """Where there are classes: what is found of the one that is known least."""
    if _is_finite(recall):
        bound = _rounded(KEPT * recall, down=True) or FOUND
        why = f"of the class that is known least {recall:.0%} was found"
        yield First("no class is lost", LOWEST_RECALL, bound, True, why, ambition=recall < bound)


def _is_missed(verdict: Verdict) -> bool:
    return not verdict.met and not verdict.goal.ambition and Path(verdict.goal.file).exists()


def _meets(value: float, bound: float, is_least: bool) -> bool:
    return value >= bound if is_least else value <= bound


def _interval(content: Any, best: Selected) -> tuple[float, float] | None:
    """As the results tell it; Wilson's of a share of rows."""
    told = content.get(INTERVAL)
    if isinstance(told, list) and len(told) == 2 and all(map(_is_finite, told)):
        return told[0], told[1]
    if best.metric == SHARE and _is_finite(rows := best.test.get(ROWS)) and rows >= 1 >= best.test[SHARE] >= 0:
        return wilson(best.test[SHARE], rows)
    return None


def _higher_is_better(board: Leaderboard, metric: str) -> bool:
    """By the order of the models, which are best first. Raises InputError where all are alike."""
    try:
        first, *_, last = [float(row[metric]) for row in models(board) if row.get(metric)]
    except ValueError:  # fewer than two, or no numbers
        first = last = math.nan
    if not (first > last or first < last):
        raise InputError(f"{board.models} does not tell whether more {metric} is better; write {GOALS_FILE} by hand")
    return first > last


def _rounded(value: float, down: bool) -> float:
    """To three digits."""
    return float(Context(prec=3, rounding=ROUND_FLOOR if down else ROUND_CEILING).create_decimal(repr(value)))


def _written(goal: First, file: Path) -> str:
    ambition = "  ambition: true\n" if goal.ambition else ""
    bound = "at_least" if goal.is_least else "at_most"
    return (
        f"\n- goal: {goal.goal}\n  file: {file.as_posix()}\n  metric: test.{goal.metric}\n"
        f"  {bound}: {goal.bound:g}  # {goal.why}\n{ambition}"
    )


def _is_finite(value: Any) -> TypeGuard[float]:
    return is_number(value) and math.isfinite(value)
