"""From a packaged model to the build context of an image that serves it.

No Docker is needed to write it. Its packages are those of the model and of the server, as the lab's lock has them.
"""

import re
import shutil
from pathlib import Path
from typing import Any

import yaml
from jinja2 import Environment, StrictUndefined
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from labkit.launch.environments import LOCK, TORCH_CPU_LINKS, requirements
from labkit.launch.locks import resolve
from labkit.paths import ROOT
from labkit.pipeline.dependencies import reached
from labkit.process.errors import InputError
from labkit.process.files import read_json, replacing
from runtimes.serving.model import Place

HERE = Path(__file__).parent
MAIN = "runtimes/serving/container.py"
CONTEXT, MARK = {"Dockerfile", "app", "install.sh", "requirements.txt"}, "made by `python -m lab image`"
# What the server imports beside the model's packages, and what a model names for MLflow's own loader alone.
SERVER, LOADER = ("fastapi", "pandas", "prometheus-client", "pyyaml", "starlette", "uvicorn"), "mlflow"


def build_context(model: Place, to: Path) -> Path:
    """Write the folder of the build context in the place of `to`; the same model is always the same bytes.

    Raises InputError where the model is none that MLflow packaged, or of other versions than the lab's lock has.
    """
    if to.exists() and not _is_context(to):
        raise InputError(f"{to} exists and is not a build context; name another folder with --to")
    flavor = _flavor(model.folder)
    of_model = (model.folder / "requirements.txt").read_text(encoding="utf-8")
    pinned = serving_requirements(of_model, str(flavor["loader_module"]).startswith(f"{LOADER}."))
    with replacing(to) as beside:
        app = beside / "app"
        shutil.copytree(model.folder, app / "model", ignore=shutil.ignore_patterns("__pycache__"))
        for file in sorted(reached(ROOT, [MAIN])):
            _copy(file, app)
        (beside / "requirements.txt").write_text(pinned, encoding="utf-8")
        shutil.copyfile(HERE / "install.sh", beside / "install.sh")
        template = Environment(undefined=StrictUndefined, keep_trailing_newline=True, trim_blocks=True).from_string(
            (HERE / "Dockerfile.jinja").read_text(encoding="utf-8")
        )
        links = TORCH_CPU_LINKS if "+cpu" in pinned else ""
        written = template.render(name=model.name, version=model.version, python=_python(flavor), find_links=links)
        (beside / "Dockerfile").write_text(written, encoding="utf-8")
    return to


def serving_requirements(of_model: str, by_mlflow: bool = False) -> str:
    """The packages that serve a model, by its requirements, with all that they need, at their versions and hashes.

    by_mlflow: a module of MLflow's loads it, as in models of older versions of the template.

    Raises InputError where the lab's lock has another version than the model was made with.
    """
    locked = read_json(ROOT / LOCK)["default"]
    wanted = {canonicalize_name(one.name): str(one.specifier) for one in map(Requirement, of_model.split())}
    other = [
        f"{name}{version} (the lock has {locked.get(name, {}).get('version', 'none')})"
        for name, version in wanted.items()
        if locked.get(name, {}).get("version") != version
    ]
    if other:
        raise InputError(
            f"the model was made with {', '.join(other)}: check out its commit, `make setup`, and try again"
        )
    if not by_mlflow:
        wanted.pop(canonicalize_name(LOADER), None)
    torch = locked["torch"]["version"] if "torch" in wanted else ""
    needed = resolve(dict.fromkeys(SERVER, "*") | wanted, locked, torch)
    return requirements(ROOT / LOCK, ("default",), {*needed})


def _is_context(place: Path) -> bool:
    """Whether a folder was written here, and nothing was added: it is taken away as a whole."""
    if not place.is_dir() or {one.name for one in place.iterdir()} != CONTEXT:
        return False
    return MARK in (place / "Dockerfile").read_text(encoding="utf-8", errors="replace").partition("\n")[0]


def _flavor(model: Path) -> dict[str, Any]:
    """How a model is loaded."""
    if not (model / "MLmodel").is_file():
        raise InputError(f"{model} holds no model; `make run` (or `dvc pull`) brings it, or name another")
    told = yaml.safe_load((model / "MLmodel").read_text(encoding="utf-8"))
    return dict(told["flavors"]["python_function"])


def _python(flavor: dict[str, Any]) -> str:
    """The minor version of Python that a model was made with."""
    found = re.match(r"\d+\.\d+", str(flavor["python_version"]))
    return found[0] if found else "3.11"


def _copy(file: str, app: Path) -> None:
    """Copy a module, with the `__init__.py` of each package that it is in."""
    for path in [*(parent / "__init__.py" for parent in Path(file).parents), Path(file)]:
        if (ROOT / path).is_file():
            (app / path).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(ROOT / path, app / path)
