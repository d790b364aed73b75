"""What a sweep tries: `training.lr=1e-4..1e-2` is a range, `training.batch_size=10,30,100` are values."""

import copy
from typing import Any

import yaml
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)

from labkit.process.errors import InputError
from labkit.process.flat import is_number
from labkit.process.params import PARAMS_FILE, read_yaml, validate, whole_schema

LOGARITHMIC = 100  # a range whose end is so many times its beginning is searched by orders of magnitude
FORMS = "give a range, as in {key}=LOW..HIGH, or values, as in {key}=A,B,C"

Space = dict[str, BaseDistribution]


def parse_space(words: list[str]) -> Space:
    """The distribution of each parameter, by its key in params.yaml.

    Raises InputError for a word that is none, an unknown key, an empty range, and what no process takes.
    """
    space: Space = {}
    content = read_yaml(PARAMS_FILE)
    for word in words:
        key, equals, told = word.partition("=")
        if not equals or not told:
            raise InputError(f"{word}: {FORMS.format(key=key or 'training.lr')}")
        if key in space:
            raise InputError(f"{key} is given twice; give it once")
        space[key] = _distribution(key, told)
        for value in _ends(space[key]):
            validate(whole_schema(), _with(content, key, value), f"{word}: {PARAMS_FILE}")
    return space


def _distribution(key: str, told: str) -> BaseDistribution:
    if ".." in told:
        low, high = (_value(end) for end in told.split("..", 1))
        if not (is_number(low) and is_number(high)) or low >= high:
            raise InputError(f"{key}={told} is not a range of numbers; write the lower end first, as in {key}=1..10")
        by_magnitude = low > 0 and high / low >= LOGARITHMIC
        whole = isinstance(low, int) and isinstance(high, int)
        return IntDistribution(low, high, by_magnitude) if whole else FloatDistribution(low, high, by_magnitude)
    if "," not in told:
        raise InputError(f"{key}={told} is one value; {FORMS.format(key=key)}")
    return CategoricalDistribution([_value(part) for part in told.split(",")])


def _value(text: str) -> Any:
    """Parse a value; `1e-4`, which YAML takes for a word, is a number."""
    try:
        return float(text) if "e" in text.lower() else yaml.safe_load(text)
    except (ValueError, yaml.YAMLError):
        return text


def _ends(distribution: BaseDistribution) -> list[Any]:
    if isinstance(distribution, CategoricalDistribution):
        return list(distribution.choices)
    return [distribution.low, distribution.high]  # type: ignore[attr-defined]


def _with(content: dict[str, Any], key: str, value: Any) -> dict[str, Any]:
    """The parameters with another value at a key. Raises InputError where params.yaml has no such key."""
    changed = inner = copy.deepcopy(content)
    *sections, name = key.split(".")
    for section in sections:
        inner = inner.get(section) or {}
    if name not in inner or isinstance(inner[name], dict):
        raise InputError(f"{PARAMS_FILE} has no parameter {key}; it has {', '.join(_keys(content))}")
    inner[name] = value
    return changed


def _keys(content: dict[str, Any], above: str = "") -> list[str]:
    found = [
        _keys(value, f"{above}{name}.") if isinstance(value, dict) else [f"{above}{name}"]
        for name, value in content.items()
    ]
    return [key for keys in found for key in keys]
