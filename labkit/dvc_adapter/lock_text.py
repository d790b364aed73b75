"""The text of a dvc.lock, read and written as DVC does."""

from typing import Any

from dvc.utils.serialize import YAMLFileCorruptedError, dumps_yaml, parse_yaml


def parse_lock(text: str) -> dict[str, Any]:
    """The stages of a dvc.lock's text; none in an empty text. Raises ValueError when it is no dvc.lock."""
    try:
        return dict((parse_yaml(text, "dvc.lock") or {}).get("stages", {}))
    except (YAMLFileCorruptedError, LookupError, AttributeError, TypeError, ValueError, RecursionError) as error:
        raise ValueError(f"no dvc.lock: {error}") from None


def lock_text(stages: dict[str, Any]) -> str:
    """The text of a dvc.lock, the same bytes as DVC's own."""
    return str(dumps_yaml({"schema": "2.0", "stages": stages}))
