"""The end of a process: its folder, its sections of params.yaml, its stages, their records, and what they wrote.

    python -m lab remove-process NAME

What was committed stays with its commits. `dvc remove` does part of this, and writes the whole of dvc.yaml anew.
"""

import shutil
from functools import reduce
from pathlib import Path
from typing import Any

from labkit.paths import PROCESSES, ROOT
from labkit.pipeline.dependencies import declared_sections, stage_inputs, stage_outputs
from labkit.pipeline.records import DVC_LOCK, read_records, write_records
from labkit.process.errors import InputError
from labkit.process.files import replacing
from labkit.process.params import read_yaml
from labkit.scaffold.add import DVC_YAML, PARAMS_YAML


def remove_process(name: str) -> None:
    """Remove the process `name`.

    Raises InputError, before anything is removed, when there is none or another stage reads what it writes.
    """
    if name not in (known := sorted(main.parent.name for main in PROCESSES.glob("*/main.py"))):
        raise InputError(f"no process {name!r} in lab/processes; there are: {', '.join(known)}")
    stages: dict[str, Any] = read_yaml(DVC_YAML)["stages"]
    own = {stage for stage, parts in stages.items() if f"lab/processes/{name}" in stage_inputs(parts)}
    written = [out for stage in own for out in stage_outputs(stages[stage])]
    for stage in stages.keys() - own:
        if read := [dep for dep in map(Path, stage_inputs(stages[stage])) if is_one_of(dep, written)]:
            raise InputError(
                f"dvc.yaml: stages.{stage} reads {read[0]}, which {name} writes; first take that line out of its deps, "
                "and what reads it out of its code"
            )
    texts = {
        DVC_YAML: without_blocks(DVC_YAML, [f"  {stage}:" for stage in own]),
        PARAMS_YAML: without_blocks(PARAMS_YAML, [f"{section}:" for section in own_sections(name)]),
    }
    if (lock := ROOT / DVC_LOCK).exists():
        records = read_records(lock.read_text(encoding="utf-8"))
        texts[lock] = write_records({stage: record for stage, record in records.items() if stage not in own})
    for file, text in texts.items():
        with replacing(file) as beside:
            beside.write_text(text, encoding="utf-8")
    for place in [PROCESSES / name, *(ROOT / out for out in written)]:
        remove(place)
    print(f"{name} is removed; what was committed of it stays with its commits")


def is_one_of(dep: Path, written: list[Path]) -> bool:
    """Whether a path is, lies in or holds one of those written."""
    return any(dep.is_relative_to(out) or out.is_relative_to(dep) for out in written)


def own_sections(name: str) -> set[str]:
    """The sections of params.yaml that no process but this one reads."""
    others = [declared_sections(path) for path in PROCESSES.glob("*/params.py") if path.parent.name != name]
    return declared_sections(PROCESSES / name / "params.py").difference(*others) & read_yaml(PARAMS_YAML).keys()


def without_blocks(file: Path, heads: list[str]) -> str:
    """The text of a YAML file without some keys. Raises InputError as `without_block`, naming the file."""
    try:
        return reduce(without_block, heads, file.read_text(encoding="utf-8"))
    except InputError as error:
        raise InputError(f"{file.name}: {error}") from None


def remove(place: Path) -> None:
    """Remove a file or folder, and the folder that it was in when nothing else is there."""
    if place.is_dir():
        shutil.rmtree(place)
    place.unlink(missing_ok=True)
    if place.parent.is_dir() and not any(place.parent.iterdir()):
        place.parent.rmdir()


def without_block(text: str, head: str) -> str:
    """The text of a YAML file without the key on the line `head`, what is indented below it, and the gap above it.

    Raises InputError when there is no such line.
    """
    lines = text.splitlines()
    found = [number for number, line in enumerate(lines) if line.split(" #")[0].rstrip() == head]
    if not found:
        raise InputError(f"no line `{head}` to remove what is below it; write it so, or remove the process by hand")
    start = end = found[0]
    indented = head[: len(head) - len(head.lstrip())] + " "
    while end + 1 < len(lines) and (not lines[end + 1].strip() or lines[end + 1].startswith(indented)):
        end += 1
    while not lines[end].strip():  # the gap below stays
        end -= 1
    gap = start > 0 and not lines[start - 1].strip()
    return "\n".join([*lines[: start - gap], *lines[end + 1 :]]) + "\n"
