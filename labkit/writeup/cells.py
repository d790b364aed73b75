"""Figures of a report, each read from the source that it is bound to."""

from collections.abc import Mapping
from typing import Any

from labkit.figures.notation import Formula, Source, bound
from labkit.figures.rounding import rewritten
from labkit.figures.values import ENDS, Evaluating
from labkit.process.credentials import without_credentials
from labkit.process.errors import InputError
from labkit.process.flat import leaves
from labkit.report.markdown import code

METRIC, CHANGE, COUNT, INTERVAL = "0.0000", "+0.0000", "+0", "0.000"  # how numbers look
LARGE = 10  # from here on, two digits fewer say as much
NOTHING = "-"  # where there is no number
LONGEST = 60  # letters of a value


def number(evaluate: Evaluating, formula: Formula, look: str = METRIC) -> str:
    """A number with its source: a count as it is, else with the digits of `look`."""
    try:
        value = evaluate(formula)
        value = len(value) if isinstance(value, list) else value
        shorter = look[:-2] if abs(value) >= LARGE else look
        shown = str(value) if isinstance(value, int) else rewritten(shorter, value)
    except (InputError, ValueError, TypeError):  # it is not here, or no number
        return NOTHING
    return bound(shown, formula)


def figure(evaluate: Evaluating, source: Source, look: str = METRIC) -> str:
    """A number of one source, with that."""
    return number(evaluate, Formula((source,)), look)


def interval(evaluate: Evaluating, *terms: Source, look: str = INTERVAL) -> str:
    """The ends of the interval of a share, or of a difference."""
    low, high = (number(evaluate, Formula(terms, end), look) for end in ENDS)
    return f"[{low}, {high}]"


def word(value: Any, source: Source) -> str:
    """A value as it is, with its source; without one where not all of it may be shown."""
    text = str(value)
    told = without_credentials(text)
    if told != text or len(text) > LONGEST or isinstance(value, dict):
        return code(told[:LONGEST])
    return bound(code(text), Formula((source,)))


def key_of(content: Mapping[str, Any], part: str, name: str) -> tuple[str, ...]:
    """The key of a value that DVC calls by the dotted name of its `part`, and its own."""
    keys = (key for key, _ in leaves(content))
    return next((key for key in keys if ".".join(key[:-1]) == part and key[-1] == name), (*part.split("."), name))
