"""What stages warn of: a stage of dvc.yaml names in its `meta`, which DVC leaves to people, the file that tells it.

    meta:
      warnings: artifacts/data/report.json    JSON, whose `warnings` is a list of texts

`make run` and the page of a run show them.
"""

from collections.abc import Sequence
from pathlib import Path

from labkit.paths import lies_in
from labkit.pipeline.dependencies import DVC_YAML, declared_stages, metas, stage_outputs
from labkit.process.errors import InputError
from labkit.process.files import read_json


def read_warnings(missing: Sequence[str] = ()) -> list[str]:
    """The warnings of the files that are here, but for those that lie in `missing`.

    Raises InputError for a file that its stage does not write, or that holds no list of texts.
    """
    found: list[str] = []
    stages = declared_stages()
    for name, told in metas(stages, "warnings").items():
        place, file = f"{DVC_YAML}: stages.{name}.meta.warnings", str(told)
        if not lies_in(file, stage_outputs(stages[name])):
            raise InputError(f"{place} is {file!r}, which {name} does not write; name one of its outs")
        if Path(file).exists() and not lies_in(file, missing):
            found += _texts(file, place)
    return found


def _texts(file: str, place: str) -> list[str]:
    try:
        content = read_json(file)
    except ValueError as error:
        raise InputError(f"{place}: {file} is not JSON: {error}") from None
    texts = content.get("warnings") if isinstance(content, dict) else None
    if not isinstance(texts, list):
        raise InputError(f"{place}: {file} has no list `warnings`; write one, of texts")
    return [str(text) for text in texts]
