"""Remove a process: its folder, sections of params.yaml, stages, their records, what they wrote, and its goals.

    python -m lab remove-process NAME

What was committed stays with its commits. `dvc remove` does part of this, and writes the whole of dvc.yaml again.
"""

import os
import re
import shutil
import time
from collections.abc import Iterable, Iterator
from contextlib import chdir
from importlib.metadata import packages_distributions
from pathlib import Path
from typing import Any

import yaml

from labkit.declared import declared_sections
from labkit.git_cli import git_or_empty
from labkit.goals import GOALS_FILE, Goal, read_goals
from labkit.launch.locks import read_pipfile
from labkit.paths import HOME, PROCESSES, ROOT, TABLES, overlaps
from labkit.pipeline.dependencies import (
    code_of,
    comparing_stages,
    declared_stages,
    stage_inputs,
    stage_outputs,
    trained,
)
from labkit.pipeline.records import DVC_LOCK, read_records, write_records
from labkit.pipeline.tables import write_tables
from labkit.process.errors import InputError
from labkit.process.files import replacing
from labkit.process.params import read_yaml
from labkit.scaffold.add import DVC_YAML, PARAMS_YAML
from labkit.yaml_edit import without

GOALS = ROOT / GOALS_FILE


def remove_process(name: str) -> None:
    """Remove the process `name`.

    Raises InputError, before anything is removed, when there is none or another stage reads what it writes.
    """
    refuse_if_unknown(name)
    refuse_if_uncommitted(name)
    stages = {stage: parts.get("do", parts) for stage, parts in declared_stages(ROOT).items()}
    own = stages_of(name, stages)
    written = [out for stage in own for out in stage_outputs(stages[stage])]
    let_go = no_candidate_any_more(name, stages)
    read = {stage: {*stage_inputs(parts)} - let_go.get(stage, set()) for stage, parts in stages.items()}
    refuse_if_read(name, {stage: deps for stage, deps in read.items() if stage not in own}, written)
    goals = {number: goal for number, goal in enumerate(all_goals()) if overlaps(goal.file, written)}
    texts = texts_without(name, own, [*goals], let_go)
    refuse_if_broken(texts)
    unused = no_longer_used(name)
    for file, text in texts.items():
        with replacing(file) as beside:
            beside.write_text(text, encoding="utf-8")
    kept = set_aside(name)
    for place in [PROCESSES / name, *(ROOT / where / out for where in ("", TABLES) for out in written)]:
        remove_place(place)
    if own:
        with chdir(ROOT):
            write_tables()
    print(f"{name} is removed; {kept or 'what was committed of it stays with its commits'}")
    print(*side_effects(goals.values(), unused), sep="", end="")


def side_effects(goals: Iterable[Goal], unused: list[str]) -> Iterator[str]:
    """What was removed with a process, and what nothing uses any more, a line each."""
    if judged := "; ".join(goal.goal for goal in goals):
        yield f"{GOALS_FILE}: removed too, for they judged what it wrote: {judged}\n"
    if unused:
        yield f"no process uses {' and '.join(unused)} any more: yours to keep or to remove\n"


def set_aside(name: str) -> str:
    """Move a process that Git has nothing of out of the lab; where it is then."""
    folder = PROCESSES / name
    if git_or_empty("-C", str(ROOT), "ls-files", "--", str(folder)):
        return ""
    kept = HOME / ".lab" / "removed" / f"{name}-{time.strftime('%Y%m%d-%H%M%S')}"
    kept.parent.mkdir(parents=True, exist_ok=True)
    shutil.move(folder, kept)
    return f"it was never committed, and is kept in {os.path.relpath(kept, ROOT)}"


def no_longer_used(name: str) -> list[str]:
    """The modules of lib and the packages of the lab's Pipfile that this process alone uses."""
    others = sorted({path.parent.name for path in PROCESSES.glob("*/main.py")} - {name})
    code = code_of(ROOT, name).difference(*(code_of(ROOT, other) for other in others))
    wanted = [{*read_pipfile(PROCESSES / process).get("packages", {})} for process in [name, *others]]
    packages = wanted[0].difference(*wanted[1:], of_the_machinery()) & {*read_pipfile(ROOT).get("packages", {})}
    modules = sorted(file for file in code if file.startswith("lib/"))
    return [*modules, *([f"{', '.join(sorted(packages))} of the Pipfile"] if packages else [])]


def of_the_machinery() -> set[str]:
    """The packages that are imported outside of processes."""
    texts = [path.read_text(encoding="utf-8") for top in ("labkit", "runtimes") for path in (ROOT / top).rglob("*.py")]
    modules = {name for text in texts for name in re.findall(r"^\s*(?:from|import) (\w+)", text, re.MULTILINE)}
    known = packages_distributions()
    return {package.lower() for name in modules for package in known.get(name, ())}


def stages_of(name: str, stages: dict[str, Any]) -> set[str]:
    """The stages that read the process's folder: those that run it."""
    folder = f"lab/processes/{name}"
    return {stage for stage, parts in stages.items() if folder in [dep.rstrip("/") for dep in stage_inputs(parts)]}


def no_candidate_any_more(name: str, stages: dict[str, Any]) -> dict[str, set[str]]:
    """What stages that compare models read of this process alone; nothing where it is the last that trains any."""
    found: dict[str, set[str]] = {}
    for stage, process in comparing_stages(ROOT).items():
        if process != name and (left := trained(ROOT, process, left_out=name)):
            alone = trained(ROOT, process) - left - code_of(ROOT, process)
            found[stage] = alone & {*stage_inputs(stages[stage])}
    return {stage: deps for stage, deps in found.items() if deps}


def refuse_if_unknown(name: str) -> None:
    """Raise InputError when there is no such process."""
    if name not in (known := sorted(main.parent.name for main in PROCESSES.glob("*/main.py"))):
        raise InputError(f"no process {name!r} in lab/processes; there are: {', '.join(known) or 'none'}")


def refuse_if_uncommitted(name: str) -> None:
    """Raise InputError when Git has the process, but not all that is in its folder: that would be lost."""
    folder = f"lab/processes/{name}"
    if git_or_empty("-C", str(ROOT), "ls-files", "--", folder) and (
        changed := git_or_empty("-C", str(ROOT), "status", "--porcelain", "--untracked-files=all", "--", folder)
    ):
        files = ", ".join(line[3:] for line in changed.splitlines())
        raise InputError(f"{files}: not committed, and would be lost; commit or remove that first")


def refuse_if_broken(texts: dict[Path, str]) -> None:
    """Raise InputError when a text would not be YAML any more."""
    for file, text in texts.items():
        try:
            yaml.safe_load(text)
        except yaml.YAMLError as error:
            what = " ".join(str(error).split())
            raise InputError(
                f"{file.name} would not be YAML any more ({what}); take out by hand what uses it"
            ) from None


def refuse_if_read(name: str, others: dict[str, set[str]], written: list[Path]) -> None:
    """Raise InputError when one of the other stages, each with what it reads, reads what the process writes."""
    readers = {
        stage: read[0]
        for stage, deps in others.items()
        if (read := sorted(dep for dep in deps if overlaps(dep, written)))
    }
    if readers:
        told = " and ".join(f"stages.{stage} reads {dep}" for stage, dep in readers.items())
        raise InputError(
            f"dvc.yaml: {told}, which {name} writes; first remove that process (the last of the pipeline first), "
            "or take that line out of its deps, and what reads it out of its code"
        )


def texts_without(name: str, stages: set[str], goals: list[int], let_go: dict[str, set[str]]) -> dict[Path, str]:
    """The text of each file that tells of the process, without it. Raises InputError as `without`."""
    declared = declared_stages(ROOT)
    deps = [
        ("stages", stage, "deps", number)
        for stage, gone in let_go.items()
        for number, dep in reversed([*enumerate(stage_inputs(declared[stage]))])
        if dep in gone
    ]
    texts = {
        DVC_YAML: without_all(DVC_YAML, [*deps, *(("stages", stage) for stage in stages)]),
        PARAMS_YAML: without_all(PARAMS_YAML, [(section,) for section in own_sections(name)]),
    }
    if goals:
        texts[GOALS] = without_all(GOALS, [(number,) for number in sorted(goals, reverse=True)])
    if (lock := ROOT / DVC_LOCK).exists():
        records = read_records(lock.read_bytes())
        # Also of those that read less now: DVC would not run them again for that.
        gone = {*stages, *let_go}
        texts[lock] = write_records({stage: record for stage, record in records.items() if stage not in gone})
    return texts


def own_sections(name: str) -> set[str]:
    """The sections of params.yaml that no process but this one reads."""
    others = [declared_sections(path) for path in PROCESSES.glob("*/params.py") if path.parent.name != name]
    return declared_sections(PROCESSES / name / "params.py").difference(*others) & read_yaml(PARAMS_YAML).keys()


def all_goals() -> list[Goal]:
    """The lab's goals. Raises InputError when they can't be read."""
    return read_goals(GOALS) if GOALS.exists() else []


def without_all(file: Path, paths: Iterable[tuple[str | int, ...]]) -> str:
    """The text of a YAML file without some entries. Raises InputError, naming the file, as `without`."""
    text = file.read_text(encoding="utf-8")
    try:
        for path in paths:
            text = without(text, *path)
    except InputError as error:
        raise InputError(f"{file.name}: {error}") from None
    return text


def remove_place(place: Path) -> None:
    """Remove a file or folder of the lab, and the folder that it was in when nothing else is there."""
    if not place.resolve().is_relative_to(ROOT):  # what lies outside is not the lab's
        return
    if place.is_dir():
        shutil.rmtree(place)
    place.unlink(missing_ok=True)
    if place.parent.is_dir() and not any(place.parent.iterdir()):
        place.parent.rmdir()
