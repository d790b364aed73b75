"""Run a module with the packages of a process, for another process (labkit/process/trainers.py).

python -m labkit.launch.elsewhere PROCESS MODULE ARGUMENTS...
"""

import re
import subprocess
import sys

from labkit.launch.environments import process_python
from labkit.launch.locks import pipfile_line
from labkit.paths import PROCESSES, ROOT
from labkit.process.errors import InputError


def main() -> None:
    """Run it, and end as it ends; what its environment lacks is told with the line that adds it."""
    process, module, *arguments = sys.argv[1:]
    try:
        python = process_python(process)
    except (InputError, RuntimeError, OSError) as error:
        sys.exit(f"error: {process}: {error}")
    done = subprocess.run([python, "-m", module, *arguments], stderr=subprocess.PIPE, text=True)
    sys.stderr.write(done.stderr)
    if done.returncode and (
        missing := re.search(r"^ModuleNotFoundError: No module named '([\w.]+)", done.stderr, re.M)
    ):
        sys.exit(f"error: {lacking(process, missing[1])}")
    sys.exit(done.returncode)


def lacking(process: str, module: str) -> str:
    """What to do about a package that a process's environment lacks."""
    top = module.partition(".")[0]
    if (ROOT / top).is_dir():
        return f"{module} is not a module of this lab, and what loads the models of {process} imports it"
    line = pipfile_line(ROOT, top)
    pipfile = (PROCESSES / process / "Pipfile").relative_to(ROOT)
    return f"{pipfile}: add the line `{line}`, then `make lock`: the models of {process} need {top}"


if __name__ == "__main__":
    main()
