"""Acceptance criteria: thresholds in a YAML file, judged against the metrics that the pipeline wrote."""

from collections.abc import Callable
from functools import reduce
from math import inf, isfinite, isinf, nan
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple, Self

from pydantic import Field, TypeAdapter, ValidationError, field_validator, model_validator

from labkit.process.credentials import shown
from labkit.process.errors import InputError
from labkit.process.files import read_json
from labkit.process.flat import flattened, is_number
from labkit.process.params import MOST_PROBLEMS, Strict
from labkit.process.strict_yaml import load_yaml, parse_yaml

GOALS_FILE = Path("goals/goals.yaml")


class Goal(Strict):
    """One threshold on one metric of one result file."""

    goal: str = Field(min_length=1)
    file: str
    metric: str
    at_least: float = -inf
    at_most: float = inf
    ambition: bool = False

    @model_validator(mode="after")
    def _one_threshold(self) -> Self:
        if isinf(self.at_least) == isinf(self.at_most):
            raise ValueError("give either at_least or at_most")
        return self

    @field_validator("file")
    @classmethod
    def _in_the_lab(cls, file: str) -> str:
        if PurePosixPath(file).is_absolute() or ".." in PurePosixPath(file).parts:
            raise ValueError("name a result of the pipeline, by its path from the root of the lab")
        return file

    @property
    def threshold(self) -> str:
        """The threshold as people write it."""
        return f"≤ {self.at_most}" if isinf(self.at_least) else f"≥ {self.at_least}"


class Verdict(NamedTuple):
    """A goal, the value that was reached, and whether that is enough; where that is not known, why."""

    goal: Goal
    value: float = nan
    met: bool | None = None
    unknown: str = ""

    @property
    def word(self) -> str:
        """The verdict in a word."""
        if self.met is None:
            return "not judged"
        words = ("ambition", "reached") if self.goal.ambition else ("missed", "met")
        return words[self.met]


def read_goals(path: Path = GOALS_FILE) -> list[Goal]:
    """Read and check the goals. Raises InputError naming each wrong key and its value, and as `load_yaml`."""
    return _checked(load_yaml(path), path)


def parse_goals(text: bytes, name: str) -> list[Goal]:
    """Check the goals of a file's text, which is called `name`. Raises InputError as `read_goals`."""
    return _checked(parse_yaml(text, name), name)


def _checked(content: Any, path: Path | str) -> list[Goal]:
    if content is None:  # nothing but comments: no goals yet
        return []
    try:
        return TypeAdapter(list[Goal]).validate_python(content)
    except ValidationError as error:
        problems = [f"{'.'.join(map(str, p['loc']))[:60]} is {shown(p['input'])}: {p['msg']}" for p in error.errors()]
        more = [f"and {len(problems) - MOST_PROBLEMS} more"] if len(problems) > MOST_PROBLEMS else []
        told = [f"{path}: goal {problem}" for problem in problems[:MOST_PROBLEMS]]
        raise InputError("\n".join(told + more)) from None


def judge(goal: Goal, results: Path = Path()) -> Verdict:
    """Judge one goal by the result files below `results`.

    Raises FileNotFoundError when the pipeline has not written them, InputError when they lack the metric.
    """
    metrics: Any = read_json(results / goal.file)
    try:
        value = reduce(lambda inner, key: inner[key], goal.metric.split("."), metrics)
    except (KeyError, TypeError, IndexError):
        value = None
    if isinstance(value, float) and not isfinite(value):
        raise InputError(f"{goal.file}: {goal.metric} is {value}, which meets no goal")
    if type(value) not in (int, float):
        found = flattened(metrics) if isinstance(metrics, dict) else {}
        known = ", ".join(sorted(name for name, number in found.items() if is_number(number)))
        raise InputError(f"{GOALS_FILE}: {goal.file} has no metric {goal.metric!r}; it has: {known}")
    return Verdict(goal, float(value), goal.at_least <= value <= goal.at_most)


def verdicts(
    not_made: Callable[[str], bool] = lambda file: False, results: Path = Path(), goals: list[Goal] | None = None
) -> list[Verdict]:
    """Judge every goal, of GOALS_FILE unless `goals` are given, by the files below `results`.

    Those whose files are not there, or of another run as `not_made` tells, are not judged. Raises InputError when the
    goals can't be read.
    """
    return [_judged(goal, not_made, results) for goal in (read_goals() if goals is None else goals)]


def _judged(goal: Goal, not_made: Callable[[str], bool], results: Path) -> Verdict:
    if not_made(goal.file):
        return Verdict(goal, unknown=f"{goal.file} was not made")
    try:
        return judge(goal, results)
    except FileNotFoundError:
        return Verdict(goal, unknown=f"{goal.file} is not here")
    except RecursionError:
        return Verdict(goal, unknown=f"{goal.file} is nested too deep")
    except (InputError, OSError, ValueError, OverflowError) as error:  # the last for an integer beyond all floats
        return Verdict(goal, unknown=str(error))


def tally(judged: list[Verdict]) -> str:
    """How many goals are met: `3 of 3 met, 1 ambition open`. An ambition is not a goal to be missed."""
    if all(one.met is None for one in judged):
        return "not judged"
    asked = [one for one in judged if not one.goal.ambition]
    said = [f"{sum(one.met is True for one in asked)} of {len(asked)} met"] if asked else []
    for met, word in ((True, "reached"), (False, "open")):
        if number := sum(one.goal.ambition and one.met is met for one in judged):
            said.append(f"{number} ambition{'s' * (number > 1)} {word}")
    if number := sum(one.met is None for one in judged):
        said.append(f"{number} not judged")
    return ", ".join(said)
