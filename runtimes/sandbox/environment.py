"""The environment of everything that runs in a sandbox: nothing of the person's who started it but how to install."""

import os
import shutil
import sys
from pathlib import Path

from labkit.paths import ROOT
from labkit.process.errors import InputError
from runtimes.sandbox.processes import marks
from runtimes.sandbox.state import Sandbox

TOOLS = ("git", "make", "bash", "act", "rclone")
INSTALLING = ("PIP_", "UV_")
NETWORK = ("HTTP_PROXY", "HTTPS_PROXY", "SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE")
CONFIG_FILES = {"PIP_CONFIG_FILE": "pip/pip.conf", "UV_CONFIG_FILE": "uv/uv.toml"}


def tool(name: str) -> str:
    """The path of a tool: of this interpreter's environment, or on PATH. Raises InputError when it is missing."""
    beside = Path(sys.executable).with_name(name)
    found = str(beside) if beside.exists() else shutil.which(name)
    if found is None:
        hint = "install it" if name in ("git", "make", "bash") else "run `make setup`"
        raise InputError(f"the sandbox needs {name}, which is not here: {hint}")
    return found


def part_environment(sandbox: Sandbox, part: str) -> dict[str, str]:
    """The environment of a part of the sandbox: a home of its own, this machine's tools and package caches."""
    home = sandbox.folder / "home"
    home.mkdir(exist_ok=True)
    config = Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config")
    # This repository's own environment is left out: a runner has what its workflow installs.
    path = [entry for entry in os.environ["PATH"].split(os.pathsep) if not Path(entry).is_relative_to(ROOT)]
    direct = f"{os.environ.get('no_proxy') or os.environ.get('NO_PROXY', '')},127.0.0.1".lstrip(",")
    return {
        **{variable: str(config / file) for variable, file in CONFIG_FILES.items() if (config / file).exists()},
        **{k: v for k, v in os.environ.items() if k.startswith(INSTALLING) or k.upper() in NETWORK},
        **marks(sandbox.folder, part),
        "PATH": os.pathsep.join(path),
        "HOME": str(home),
        "USER": "runner",
        "LANG": "C.UTF-8",
        # Downloaded packages and made environments are this machine's, as they are on a runner after its first run.
        "XDG_CACHE_HOME": os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache"),
        "DVC_SITE_CACHE_DIR": str(home / "dvc"),  # what DVC believes that remotes have
        "PYTHON": str(Path(sys.executable).resolve()),  # what `make setup` makes environments with
        "NO_PROXY": direct,
        "no_proxy": direct,
        "GIT_TERMINAL_PROMPT": "0",
    }
