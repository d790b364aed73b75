"""What the rules of both formats share: keys in camel case, names, and words for what is wrong.

The functions with rules return what is wrong, a line for each problem; nothing where all is well.
"""

from collections import Counter
from collections.abc import Iterable
from typing import Annotated, Any, TypeVar

from pydantic import ConfigDict, StringConstraints
from pydantic.alias_generators import to_camel

from labkit.process.errors import InputError
from labkit.process.params import Strict, validate
from labkit.process.strict_yaml import parse_yaml

NAME = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"
Text = Annotated[str, StringConstraints(min_length=1)]


class Described(Strict):
    """A mapping of YAML whose keys are in camel case; unknown keys are refused."""

    model_config = ConfigDict(alias_generator=to_camel)


Schema = TypeVar("Schema", bound=Described)


def parsed(schema: type[Schema], text: bytes, name: str) -> tuple[Schema | None, list[str]]:
    """A file's content by its schema, or None and what is wrong with it."""
    try:
        content: Any = parse_yaml(text, name)
        if not isinstance(content, dict):
            return None, [f"{name} is not a mapping"]
        return validate(schema, content, name), []
    except InputError as error:
        return None, str(error).splitlines()


def twice(what: str, names: Iterable[str]) -> list[str]:
    """The names that stand there more than once."""
    return [f"{what} {name!r} is there twice" for name, count in Counter(names).items() if count > 1]
