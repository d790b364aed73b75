"""Copies of this repository for the tests: the project's code, with the example in the place of what the project asks.

A test of the code must not fail because somebody changed a parameter, a goal, the data or where they are kept. So a
copy takes the parameters, goals and DVC settings of labkit/testing/example, no data of the project's own, no results,
and of the pipeline the stages of the example with whatever they need.
"""

import ast
import shutil
import subprocess
from collections.abc import Set
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.representer import RoundTripRepresenter

from labkit.declared import declared_sections
from labkit.paths import REPORTS, TABLES, overlaps
from labkit.pipeline.dependencies import stage_inputs, stage_outputs

STAGES = ("prepare_data", "train_standard_classifiers", "train_dnn_pytorch", "select_best_model")
REPLACED = {
    "goals.yaml": "goals/goals.yaml",
    "dvc.config": ".dvc/config",
}  # file of the example -> whose place it takes


def has_example(root: Path) -> bool:
    """Whether the processes of the example are all in `root`: people remove them."""
    return all((root / "lab" / "processes" / name / "main.py").exists() for name in STAGES)


def copy_lab(root: Path, target: Path) -> Path:
    """Copy what Git tracks or would track in `root`, as it is now, with the example in it; return `target`."""
    pipeline = read_yaml(root / "dvc.yaml")
    for key in pipeline.keys() - {"stages", "vars"}:  # plots of what other stages write, say
        del pipeline[key]
    for name in pipeline["stages"].keys() - needed_stages(pipeline["stages"]):
        del pipeline["stages"][name]
    kept = {
        dep for stage in pipeline["stages"].values() for dep in stage_inputs(stage) if dep.startswith("lab/processes/")
    }
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    listed = subprocess.run(command, cwd=root, capture_output=True, text=True, check=True).stdout.split("\0")
    for name in filter(None, listed):
        # Those deleted, but not yet committed so, are listed too.
        if (root / name).exists() and belongs_to_code(name) and not is_in_other_process(name, kept):
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(root / name, target / name)
    (target / "data" / "raw").mkdir(parents=True, exist_ok=True)
    for name, place in REPLACED.items():
        shutil.copy(root / "labkit" / "testing" / "example" / name, target / place)
    write_yaml(target / "dvc.yaml", pipeline)
    write_yaml(target / "params.yaml", example_params(root, kept))
    return target


def example_params(root: Path, processes: set[str] | None = None) -> dict[str, Any]:
    """The parameters of the example, and those of the project that the example does not know.

    Without the sections of processes other than `processes`, which are paths of folders; None stands for all.
    """
    params: dict[str, Any] = read_yaml(root / "labkit" / "testing" / "example" / "params.yaml")
    optional = {key for file in root.glob("lab/processes/*/params.py") for key in optional_keys(file)}
    adapt(params, read_yaml(root / "params.yaml"), optional)
    folders = {f"lab/processes/{path.parent.name}" for path in root.glob("lab/processes/*/params.py")}
    declared = {folder: declared_sections(root / folder / "params.py") for folder in folders}
    wanted = folders if processes is None else processes
    left_out = {section for folder in folders - wanted for section in declared[folder]}
    left_out -= {section for folder in folders & wanted for section in declared[folder]}
    for section in left_out & params.keys():
        del params[section]
    return params


def optional_keys(params_file: Path) -> set[str]:
    """The fields of a params.py that have a default, so that params.yaml may go without them."""
    parsed = ast.parse(params_file.read_text(encoding="utf-8"), str(params_file))
    fields = [node for node in ast.walk(parsed) if isinstance(node, ast.AnnAssign)]
    return {ast.unparse(field.target) for field in fields if field.value is not None and _has_default(field.value)}


def _has_default(value: ast.expr) -> bool:
    """Whether a field's value is a default, or a Field(...) that has one."""
    if not (isinstance(value, ast.Call) and ast.unparse(value.func) == "Field"):
        return True
    return bool(value.args) or any(keyword.arg in ("default", "default_factory") for keyword in value.keywords)


def adapt(example: Any, own: Any, optional: Set[str] = frozenset()) -> None:
    """Give `example` the keys that only `own` has, with their comments, and take from it those that `own` lacks.

    Not those that are `optional`: how a project's own table is read says nothing of the example's.
    """
    for key in example.keys() - own.keys():
        del example[key]
    for key, value in own.items():
        if key not in example and key not in optional:
            example[key] = value
            example.ca.items[key] = own.ca.items.get(key)
        elif isinstance(value, dict) and isinstance(example.get(key), dict):
            adapt(example[key], value, optional)


def needed_stages(stages: dict[str, Any]) -> list[str]:
    """The names of the example's stages, and of those that make what they read."""
    made_by = {out: name for name, stage in stages.items() for out in stage_outputs(stage)}
    needed = [name for name in STAGES if name in stages]
    for name in needed:  # which grows meanwhile
        for dep in map(Path, stage_inputs(stages[name])):
            makers = [maker for out, maker in made_by.items() if overlaps(dep, [out])]
            needed += [maker for maker in dict.fromkeys(makers) if maker not in needed]
    return needed


def belongs_to_code(name: str) -> bool:
    """Whether a file is neither data of the project nor a record of them or of results."""
    is_data = name.startswith("data/raw/") and name != "data/raw/README.md"
    is_of_results = name == "dvc.lock" or name.startswith((f"{TABLES}/", f"{REPORTS}/"))
    return not (is_data or name.endswith(".dvc") or is_of_results)


def is_in_other_process(name: str, kept: set[str]) -> bool:
    """Whether a file is in the folder of a process that is not in `kept`."""
    parts = name.split("/")
    return parts[:2] == ["lab", "processes"] and len(parts) > 3 and "/".join(parts[:3]) not in kept


def read_yaml(path: Path) -> Any:
    """Read YAML with its comments and its look."""
    return _style().load(path)


def write_yaml(path: Path, content: dict[str, Any]) -> None:
    """Write YAML; what was read with its comments and its look keeps them."""
    style = _style()
    if path.name != "dvc.yaml":  # there it is a file without keys, which nobody gives a null
        style.Representer = _Representer
    style.dump(content, path)


class _Representer(RoundTripRepresenter):
    """Writes null as people do; a class of its own, since DVC uses ruamel's."""


_Representer.add_representer(type(None), lambda self, _: self.represent_scalar("tag:yaml.org,2002:null", "null"))


def _style() -> YAML:
    style = YAML()
    style.indent(mapping=2, sequence=4, offset=2)
    style.width = 1000
    return style
