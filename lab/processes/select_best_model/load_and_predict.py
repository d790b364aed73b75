"""Load models and let them predict, with the packages of the process that trained them: predictions.py starts it.

    python -m lab.processes.select_best_model.load_and_predict FOLDER

FOLDER holds request.json, and gets each model's predictions as <model>.<number of the file of rows>.npy, those of
shuffled rows, if they are asked for, as <model>.shuffled.npy, and in loaded.json what that took. Beyond the standard
library and NumPy it imports only what the models need, so that this is what loaded.json tells.
"""

import json
import re
import sys
import tomllib
from collections.abc import Iterator
from importlib import import_module
from importlib.metadata import packages_distributions, version
from pathlib import Path

import numpy as np
from numpy.typing import NDArray


def main(folder: Path) -> None:
    """Answer the request; a model that can't be loaded, or code that it may not use, is one line and exit code 1."""
    before = {*sys.modules}
    request = json.loads((folder / "request.json").read_text(encoding="utf-8"))
    rows = [np.load(file, allow_pickle=False) for file in request["rows"]]
    code = import_module(f"lab.processes.{request['process']}.model")
    for name, file in request["models"].items():
        try:
            predict = code.load_model(Path(file))
        except (FileNotFoundError, ValueError) as error:
            sys.exit(f"error: {' '.join(str(error).split())}")
        for number, part in enumerate(rows):
            np.save(folder / f"{name}.{number}.npy", np.asarray(predict(part)), allow_pickle=False)
        if asked := request["shuffle"]:
            found = [predict(part) for part in shuffled(rows[0], **asked)]
            np.save(folder / f"{name}.shuffled.npy", np.array(found), allow_pickle=False)
    own = [name for name in sys.modules if name.split(".")[0] in {"lab", "labkit"} and name not in before]
    if foreign := sorted(name for name in own if not code.__name__.startswith(name)):
        sys.exit(
            f"error: {code.__name__} needs {', '.join(foreign)}, which a packaged model does not have; "
            "move what it needs to a module of lib that imports nothing of the lab's own"
        )
    pipfile = Path(str(code.__file__)).with_name("Pipfile")
    loaded = {"packages": loaded_packages(pipfile), "modules": loaded_modules()}
    (folder / "loaded.json").write_text(json.dumps(loaded), encoding="utf-8")


def shuffled(
    X: NDArray[np.float32], groups: list[list[int]], rows: list[int], repeats: int
) -> Iterator[NDArray[np.float32]]:
    """For each group of features some rows of X, `repeats` times, with the group's values shuffled among them.

    X: (rows, features). The features of a group are shuffled alike: those that are made of one raw column. What is
    given is (repeats x rows, features), and changes when the next is asked for.
    """
    random = np.random.default_rng(0)
    taken = X[rows]
    given = np.tile(taken, (repeats, 1))
    for group in groups:
        order = np.concatenate([random.permutation(len(rows)) for _ in range(repeats)])
        given[:, group] = taken[:, group][order]
        yield given
        given[:, group] = np.tile(taken[:, group], (repeats, 1))


def loaded_packages(pipfile: Path) -> dict[str, str]:
    """Those packages of a Pipfile that were imported, with their versions; without a build's mark (torch's "+cpu")."""
    named = tomllib.loads(pipfile.read_text(encoding="utf-8"))["packages"]
    brought_by = packages_distributions()
    imported = {package for name in sys.modules for package in brought_by.get(name, ())}
    loaded = {plain(name) for name in named} & {plain(name) for name in imported}
    return {name: version(name).partition("+")[0] for name in sorted(loaded)}


def plain(name: str) -> str:
    """A package's name in the one spelling that packaging tools agree on."""
    return re.sub(r"[-_.]+", "-", name).lower()


def loaded_modules() -> list[str]:
    """The files of lib that were imported."""
    modules = [module for name, module in sys.modules.items() if name.split(".")[0] == "lib"]
    return sorted(str(module.__file__) for module in modules)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
