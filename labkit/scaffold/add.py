"""A new process: its code, test, parameters, Pipfile, lock and stage, small but working.

    python -m lab new-process NAME
    python -m lab new-process --model NAME      one that trains a model, for the process that compares them

What they write is in labkit/scaffold/process_template and model_template.
"""

import keyword
import re
import shutil
from pathlib import Path
from string import Template

import yaml

from labkit.launch.locks import lock_process, read_pipfile, versions
from labkit.paths import PROCESSES, ROOT, lies_in
from labkit.pipeline.dependencies import (
    code_of,
    comparing_stages,
    declared_stages,
    stage_inputs,
    stage_outputs,
    trained,
)
from labkit.process.errors import InputError
from labkit.process.files import replacing
from labkit.process.params import Strict, read_yaml
from labkit.yaml_edit import with_entry, with_item

DVC_YAML = ROOT / "dvc.yaml"
PARAMS_YAML = ROOT / "params.yaml"
TEMPLATE = Path(__file__).parent / "process_template"
MODEL_TEMPLATE = Path(__file__).parent / "model_template"
LONGEST_NAME = 60
PACKAGES = {
    TEMPLATE: ("pydantic", "pyyaml"),
    MODEL_TEMPLATE: ("joblib", "matplotlib", "numpy", "pydantic", "pyyaml", "scikit-learn"),
}
# By the template of a model.
NEEDED = ("lib/data_splits.py", "lib/task.py")
PREPARED = "data/processed"


def add_process(name: str, template: Path = TEMPLATE) -> None:
    """Write the process `name` and add its section to params.yaml and its stage to dvc.yaml: all of it, or nothing.

    One that trains a model is added to what the stages that compare models read. Raises InputError when the name is
    taken or no good, or the lab lacks what the template imports.
    """
    check_name(name)
    if template == MODEL_TEMPLATE:
        check_needed(ROOT)
    folder = PROCESSES / name
    before: dict[Path, str] = {}
    try:
        write_folder(folder, name, template)
        lock_process(folder)
        before = {path: path.read_text(encoding="utf-8") for path in (PARAMS_YAML, DVC_YAML)}  # edited meanwhile, maybe
        _write(PARAMS_YAML, before[PARAMS_YAML] + fill(template / "params.yaml.template", name=name))
        _write(DVC_YAML, with_candidates(with_entry(before[DVC_YAML], stage(name, template), "stages")))
    except BaseException as error:
        shutil.rmtree(folder, ignore_errors=True)
        for path, text in before.items():
            _write(path, text)
        if isinstance(error, RuntimeError):  # uv's
            raise InputError(f"{name} was not written: {error}") from None
        raise
    print(f"lab/processes/{name}, its section in params.yaml and its stage in dvc.yaml are there, and work:")
    print(f"    dvc repro {name}\n    PYTHONPATH=lab pytest lab/processes/{name}")


def check_name(name: str) -> None:
    """Raise InputError unless `name` can name a folder, a module, a section and a stage, all of them new."""
    if not re.fullmatch("[a-z][a-z0-9_]*", name) or keyword.iskeyword(name):
        raise InputError(f"{name!r} can't name a process; use lower-case letters, digits and _, such as clean_data")
    if yaml.safe_load(name) != name or hasattr(Strict, name) or len(name) > LONGEST_NAME:
        raise InputError(f"{name!r:.60} means something else to YAML or pydantic, or is too long; take another name")
    if name in {"main", "params", "lab"} or name.endswith("_test"):
        raise InputError(f"{name!r} is what another file of a process is called; take another name")
    taken = {path.stem: "lab/processes" for path in PROCESSES.iterdir()}
    taken |= dict.fromkeys(read_yaml(PARAMS_YAML), "params.yaml")
    taken |= dict.fromkeys(declared_stages(ROOT), "dvc.yaml")
    if name in taken:
        raise InputError(f"{name!r} is in {taken[name]} already; take another name")


def check_needed(root: Path) -> None:
    """Raise InputError where the lab lacks what a new model begins with: code, or a stage that prepares its data."""
    if lacking := [file for file in NEEDED if not (root / file).exists()]:
        raise InputError(f"{' and '.join(lacking)}: not here, and read by what a new model begins with; restore it")
    stages = [stage.get("do", stage) for stage in declared_stages(root).values()]
    if not any(lies_in(PREPARED, stage_outputs(stage)) for stage in stages):
        raise InputError(
            f"dvc.yaml: no stage writes {PREPARED}, which a new model reads; restore prepare_data, or write your own "
            "process, without --model: lab/docs/processes.md"
        )


def write_folder(folder: Path, name: str, of: Path) -> None:
    """Write the process's own files, from a template."""
    of_root = read_pipfile(ROOT)["packages"]
    packages = "\n".join(f'{package} = "{versions(of_root.get(package, "*")) or "*"}"' for package in PACKAGES[of])
    folder.mkdir()
    for template in sorted((of / "process").iterdir()):
        filled = fill(template, name=name, Section=name.title().replace("_", ""), packages=packages)
        (folder / template.stem.replace("NAME", name)).write_text(filled, encoding="utf-8")


def with_candidates(dvc_yaml: str) -> str:
    """The text of dvc.yaml, where the stages that compare models read all that is trained."""
    stages = declared_stages(ROOT)
    for name, process in comparing_stages(ROOT).items():
        for dep in sorted(trained(ROOT, process) - {*stage_inputs(stages[name])}):
            dvc_yaml = with_item(dvc_yaml, dep, "stages", name, "deps")
    return dvc_yaml


def stage(name: str, template: Path) -> str:
    """The process's part of dvc.yaml; its code is looked up in its imports."""
    code = "\n".join(f"      - {path}" for path in sorted(code_of(ROOT, name)))
    return fill(template / "dvc.yaml.template", name=name, code=code)


def fill(template: Path, **values: str) -> str:
    """The text of a template, each `$key` replaced."""
    return Template(template.read_text(encoding="utf-8")).substitute(values)


def _write(path: Path, text: str) -> None:
    with replacing(path) as beside:
        beside.write_text(text, encoding="utf-8")
