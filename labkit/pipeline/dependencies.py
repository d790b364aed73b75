"""What the code of each process depends on, read from its imports and compared with dvc.yaml and its Pipfile.

A dependency that dvc.yaml does not name is a stage that DVC takes for up to date when it is not. Nothing is
imported here: the code is parsed. Tests are left out, as .dvcignore leaves them out of the stages.
"""

import ast
import re
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from labkit.declared import declared_sections
from labkit.launch.locks import packages_of, pipfile_line, providers
from labkit.paths import lies_in
from labkit.pipeline.stages import process_of
from labkit.process.credentials import shown
from labkit.process.errors import InputError
from labkit.process.strict_yaml import load_yaml
from labkit.process.trainers import MODEL_CODE, all_trainers, results_of

DVC_YAML = Path("dvc.yaml")
NO_STAGES = "There is no process in the pipeline yet: `python -m lab new-process NAME` adds one."

# What a process may use of the module that reads params.yaml.
FOR_PROCESSES = {f"labkit.process.params.{name}" for name in ("read_params", "look_ahead")}

# A process that imports it reads what every process has trained.
OF_TRAINERS = "labkit/process/trainers.py"

# What decides the bytes of every process's results, as a line of `params`: a file without keys is all of its values.
KERNELS = "labkit/launch/kernels.yaml:"


class Import(NamedTuple):
    """A module that a file names; `late` when inside of a function, so that the file can do without it."""

    module: str
    line: int
    late: bool


def faults(root: Path) -> list[str]:
    """List what is missing or superfluous in dvc.yaml, the Pipfiles and the code of `root`, a line each."""
    stages = declared_stages(root)
    found = [*library_faults(root)]
    found += [fault for trainer in all_trainers(root) for fault in model_code_faults(root, trainer)]
    for process in sorted(main.parent.name for main in root.glob("lab/processes/*/main.py")):
        found += [*code_faults(root, process), *pipfile_faults(root, process)]
        command = rf"python -m labkit\.launch {process}\b"
        ran_by = {name: stage.get("do", stage) for name, stage in stages.items() if re.search(command, str(stage))}
        if not ran_by:
            found.append(f"dvc.yaml: stages: add one with the line `cmd: python -m labkit.launch {process}`")
        for name, stage in ran_by.items():
            found += stage_faults(root, process, name, stage)
    return found


def stage_faults(root: Path, process: str, name: str, stage: dict[str, Any]) -> Iterator[str]:
    """List what is missing or superfluous in the stage's `deps` and `params`."""
    folder = f"lab/processes/{process}"
    needed = {*code_of(root, process), *trained(root, process)}
    named = {dep for dep in stage_inputs(stage) if dep.startswith(("lab/", "labkit/", "lib/")) or dep in needed}
    if process in all_trainers(root):
        for kind, result in zip(("metrics", "outs"), results_of(process), strict=True):
            if not lies_in(result, stage_outputs(stage)):
                yield f"dvc.yaml: stages.{name}.{kind}: add the line `- {result}`"
    sections = declared_sections(root / folder / "params.py") | {KERNELS}
    read = {_line(param) for param in stage.get("params") or []}
    for key, lacking, idle, why in (
        ("deps", needed - named, named - needed, f"nothing that {folder} imports"),
        ("params", sections - read, read - sections, f"no section that {folder}/params.py declares"),
    ):
        yield from (f"dvc.yaml: stages.{name}.{key}: add the line `- {item}`" for item in sorted(lacking))
        yield from (f"dvc.yaml: stages.{name}.{key}: remove the line `- {item}`: {why}" for item in sorted(idle))


def declared_stages(root: Path = Path()) -> dict[str, Any]:
    """The stages of dvc.yaml by their names, as they are written; what else is wrong there, DVC tells.

    Raises InputError when it is not YAML, or has something else where stages, inputs or outputs are listed.
    """
    path = root / DVC_YAML
    return stages_in(load_yaml(path) if path.exists() else None, path)


def stages_in(content: Any, path: Path) -> dict[str, Any]:
    """The stages in what was read of a dvc.yaml; `path` is the file to name. Raises InputError as `declared_stages`."""
    content = content or {}
    if not isinstance(content, dict) or not isinstance(stages := content.get("stages") or {}, dict):
        raise InputError(f"{path}: {shown(content)} has no `stages` with names; `git checkout {path}` restores it")
    for name, stage in stages.items():
        _check_stage(f"{path}: stages.{name!s:.60}", stage.get("do", stage) if isinstance(stage, dict) else stage)
    return stages


def metas(stages: dict[str, Any], key: str) -> dict[str, Any]:
    """What stands at `key` in the `meta` of each stage that has it, by the stage's name."""
    found = {name: stage.get("meta") for name, stage in stages.items() if isinstance(stage, dict)}
    return {name: meta[key] for name, meta in found.items() if isinstance(meta, dict) and key in meta}


def _check_stage(place: str, stage: Any) -> None:
    """Raise InputError where a stage is not a mapping with lists of paths, each alone or as the key of its options."""
    if not isinstance(stage, dict):
        raise InputError(f"{place} is {shown(stage)}; write its `cmd`, `deps` and `outs` below it")
    for kind in ("deps", "params", "outs", "metrics", "plots"):
        for item in entries if isinstance(entries := stage.get(kind) or [], list) else [None]:
            names = [item] if isinstance(item, str) or kind == "deps" or not isinstance(item, dict) else [*item]
            if not names or not all(isinstance(name, str) and "\0" not in name for name in names):
                raise InputError(f"{place}.{kind} is {shown(entries)}; write one path a line, each after `- `")


def code_of(root: Path, process: str) -> set[str]:
    """The code that a stage depends on: the folder of its process, and what that imports of lib.

    Of labkit, a stage names the version (labkit/launch/kernels.yaml), so that a reworded comment trains nothing.
    """
    folder = f"lab/processes/{process}"
    files = reached(root, own_files(root, process))
    return {file for file in files if not file.startswith((f"{folder}/", "labkit/"))} | {folder}


def trained(root: Path, process: str, left_out: str = "") -> set[str]:
    """What a process that compares models reads of those that train them; nothing for any other process.

    That is their outputs, the code that loads these, and the locks of its packages. `left_out` is a trainer to skip.
    """
    found: set[str] = set()
    if OF_TRAINERS in reached(root, own_files(root, process)):
        for trainer in {*all_trainers(root)} - {left_out}:
            folder = f"lab/processes/{trainer}"
            found |= {*results_of(trainer), f"{folder}/Pipfile.lock", *reached(root, [f"{folder}/{MODEL_CODE}"])}
    return found


def comparing_stages(root: Path) -> dict[str, str]:
    """The stages that run a process which compares models, and that process."""
    found = {name: process_of(str(stage.get("cmd", ""))) for name, stage in declared_stages(root).items()}
    return {name: process for name, process in found.items() if process and trained(root, process)}


def _line(param: Any) -> str:
    """A parameter as its line in dvc.yaml."""
    whole_file = isinstance(param, dict) and [*param.values()] == [None]
    return f"{next(iter(param))}:" if whole_file else str(param)


def stage_inputs(stage: dict[str, Any]) -> list[str]:
    """The paths that a stage of dvc.yaml reads."""
    return [*map(str, stage.get("deps") or [])]


def stage_outputs(stage: dict[str, Any], kinds: Sequence[str] = ("outs", "metrics", "plots")) -> list[Path]:
    """The paths that a stage of dvc.yaml writes: each stands alone there, or as the key of its options."""
    entries = [entry for kind in kinds for entry in stage.get(kind) or []]
    return [Path(*entry) if isinstance(entry, dict) else Path(entry) for entry in entries]


def code_faults(root: Path, process: str) -> Iterator[str]:
    """Where the process uses code that it must not, or reads params.yaml by itself."""
    own = f"lab.processes.{process}."
    for file in own_files(root, process):
        for module, line, _ in imports(root, file):
            top = module.split(".")[0]
            if file.endswith("/params.py"):
                if top not in {*sys.stdlib_module_names, "pydantic"} and not module.startswith("labkit.process."):
                    yield f"{file}:{line}: imports {module}; every process reads this file: keep to pydantic"
            elif module.startswith("labkit.process.params") and module not in FOR_PROCESSES:
                yield f"{file}:{line}: imports {module}; declare the sections that it needs in params.py"
            elif module.startswith("lab.processes.") and not module.startswith(own):
                yield f"{file}:{line}: imports {module}, of another process; move what both need to lib"
            elif top in {"goals", "lab", "labkit", "runtimes"} and not module.startswith(("labkit.process.", own)):
                yield f"{file}:{line}: imports {module}; a process imports lib, labkit.process and its own folder"
        for node in ast.walk(_parse(root / file)):
            if isinstance(node, ast.Constant) and Path(str(node.value)).name == "params.yaml":
                yield f"{file}:{node.lineno}: reads params.yaml by itself; use read_params"


def model_code_faults(root: Path, trainer: str) -> Iterator[str]:
    """Where the code that loads a model needs what is not packaged with it."""
    file = f"lab/processes/{trainer}/{MODEL_CODE}"
    for reached_file in sorted(reached(root, [file])):
        for module, line, _ in imports(root, reached_file):
            if module.split(".")[0] in {"lab", "labkit"}:
                yield (
                    f"{reached_file}:{line}: imports {module}, and {file} is packaged with the model: "
                    "keep to packages, and to modules of lib that import none of the lab's own"
                )


def library_faults(root: Path) -> Iterator[str]:
    """Where lib imports what builds on it, and where a package's own file holds code."""
    for path in code_in(root / "lib"):
        file = path.relative_to(root).as_posix()
        for module, line, _ in imports(root, file):
            top = module.split(".")[0]
            if top in {"goals", "lab", "labkit", "runtimes"} and not module.startswith("labkit.process."):
                yield f"{file}:{line}: imports {module}; lib imports nothing that builds on it"
    packages = ("lab", "lab/processes", "labkit", "labkit/process", "lib")
    for path in [*(root / package / "__init__.py" for package in packages), *root.glob("lib/*/**/__init__.py")]:
        if path.exists() and path.read_text(encoding="utf-8"):
            yield f"{path.relative_to(root)}: runs in every process, but no stage depends on it; leave it empty"


def pipfile_faults(root: Path, process: str) -> Iterator[str]:
    """Packages that the process imports and its Pipfile does not name."""
    own = own_files(root, process)
    named = packages_of(root / "lab/processes" / process)
    known = {*sys.stdlib_module_names, "lab", "labkit", "lib"}
    for file in [*own, *sorted(reached(root, own, late=False) - {*own})]:
        for module, line, late in imports(root, file):
            top = module.split(".")[0]
            # What a library module imports late is for those that have it: they import it themselves.
            if top in known or (late and file not in own):
                continue
            known.add(top)
            if not named.keys() & {*providers(top)}:
                wanted = pipfile_line(root, top)
                yield f"lab/processes/{process}/Pipfile: add the line `{wanted}`: {file}:{line} imports {top}"


def own_files(root: Path, process: str) -> list[str]:
    """The process's code, as paths from the root."""
    return [path.relative_to(root).as_posix() for path in code_in(root / "lab" / "processes" / process)]


def code_in(folder: Path) -> list[Path]:
    """The Python files of a folder that are not tests."""
    return sorted(path for path in folder.rglob("*.py") if not path.name.endswith("_test.py"))


def reached(root: Path, files: Sequence[str], late: bool = True) -> set[str]:
    """`files`, those of the repository that they import, and so on; with `late` false, those import nothing late."""
    found: set[str] = set()
    waiting = [*files]
    while waiting:
        file = waiting.pop()
        found.add(file)
        modules = [one.module for one in imports(root, file) if late or not one.late or file in files]
        waiting += [path for path in (_file_of(root, module) for module in modules) if path and path not in found]
    return found


def imports(root: Path, file: str) -> list[Import]:
    """The modules that a file names, in absolute terms; `from a import b` is `a.b`, be b a module or not."""
    return [*_imports(_parse(root / file), file.split("/")[:-1], late=False)]


def _imports(node: ast.AST, package: list[str], late: bool) -> Iterator[Import]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Import):
            yield from (Import(alias.name, child.lineno, late) for alias in child.names)
        elif isinstance(child, ast.ImportFrom):
            base = package[: len(package) - child.level + 1] if child.level else []
            module = ".".join([*base, *filter(None, [child.module])])
            yield from (Import(f"{module}.{alias.name}", child.lineno, late) for alias in child.names)
        elif not (isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test)):
            inside = isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
            yield from _imports(child, package, late or inside)


def _file_of(root: Path, module: str) -> str | None:
    """The file of a module of the repository, or of the module that holds the name."""
    parts = module.split(".")
    paths = ("/".join(parts[:length]) + ".py" for length in range(len(parts), 1, -1))
    return next((path for path in paths if (root / path).is_file()), None)


def _parse(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), str(path))
