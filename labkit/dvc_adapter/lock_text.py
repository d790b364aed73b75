"""The text of a dvc.lock, read and written as DVC does."""

from typing import Any

from dvc.utils.serialize import YAMLFileCorruptedError, dumps_yaml, parse_yaml

from labkit.dvc_adapter.yaml_guard import refuse_harmful


def parse_lock(text: str | bytes) -> dict[str, Any]:
    """The stages of a dvc.lock's text; none in an empty text. Raises ValueError when it is not a dvc.lock."""
    try:
        text = text.decode() if isinstance(text, bytes) else text
        refuse_harmful(text, "dvc.lock")
        stages = dict((parse_yaml(text, "dvc.lock") or {}).get("stages", {}))
        if not all(isinstance(name, str) and is_record(record) for name, record in stages.items()):
            raise ValueError("no stages")
    except (YAMLFileCorruptedError, LookupError, AttributeError, TypeError, ValueError, RecursionError) as error:
        raise ValueError(f"no dvc.lock: {error}") from None
    return stages


def written_lock(stages: dict[str, Any]) -> str:
    """The text of a dvc.lock, the same bytes as DVC's own."""
    return str(dumps_yaml({"schema": "2.0", "stages": stages}))


def is_record(record: Any) -> bool:
    """Whether a stage's record has the parts that are read here; DVC checks the rest."""
    try:
        files = [file for kind in ("deps", "outs") for file in [*record.get(kind, [])]]
        params = record.get("params", {}).values()
        return all(isinstance(file["path"], str) for file in files) and all(isinstance(one, dict) for one in params)
    except (LookupError, AttributeError, TypeError):
        return False
