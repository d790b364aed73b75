"""The pipeline of the commit that is checked out, for Kubeflow: written by its own compiler, which gets a plan."""

import json
import os
import re
import subprocess
from collections.abc import Sequence
from pathlib import Path

from labkit.launch.environments import LOCK, python_of
from labkit.paths import ROOT, RUNTIMES
from labkit.pipeline.plan import plan_here
from labkit.process.errors import InputError
from labkit.process.files import replacing

HERE = RUNTIMES / "kubeflow"
# Names as Kubernetes has them, of a secret and of variables.
SECRET = re.compile(r"([a-z0-9][-.a-z0-9]*):([A-Za-z_]\w*(?:,[A-Za-z_]\w*)*)", re.ASCII)


def write_pipeline(target: Path, image: str, clone: str, secrets: Sequence[str], retries: int) -> None:
    """Write the YAML of the pipeline, whose tasks run in an image that has a clone of the lab.

    `secrets` are as `secret_of` reads them. Raises InputError for bad ones and as `plan_here`, and RuntimeError where
    the compiler can't be installed, or fails.
    """
    if not re.fullmatch(r"\S+", image):
        raise InputError(f"{image!r} is no image; give the name that Kubernetes is to pull, best with its @sha256")
    if target.suffix != ".yaml":
        raise InputError(f"--to is {target}; name a file that ends with .yaml")
    wanted: dict[str, list[str]] = {}
    for text in secrets:
        secret, variables = secret_of(text)
        wanted.setdefault(secret, []).extend(variables)
    target = target.absolute()
    os.chdir(ROOT)
    plan = plan_here().model_dump()
    given = {"plan": plan, "image": image, "clone": clone, "secrets": wanted, "retries": retries}
    python = python_of("kubeflow", HERE / LOCK)
    with replacing(target) as beside:
        _compile(python, json.dumps(given), beside)


def secret_of(text: str) -> tuple[str, list[str]]:
    """A secret of Kubernetes and the variables that are to have the values of its keys of the same names.

    Raises InputError where it is not written as NAME:VARIABLE,VARIABLE; the text may be a key, so it is not shown.
    """
    if not (found := SECRET.fullmatch(text)):
        raise InputError(
            "a Kubernetes secret and its keys are written NAME:KEY,KEY, never with a value; write for example "
            "lab-keys:AWS_ACCESS_KEY_ID,AWS_SECRET_ACCESS_KEY after --secret"
        )
    return found[1], found[2].split(",")


def _compile(python: Path, given: str, target: Path) -> None:
    command = [str(python), "-I", str(HERE / "compiler.py"), str(target)]
    done = subprocess.run(command, input=given, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"Kubeflow's compiler failed: {done.stderr.strip().splitlines()[-1]}")
