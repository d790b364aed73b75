"""`make run`: check the parameters, make the environments, run `dvc repro`, show what came out."""

import os
import subprocess
import sys
from pathlib import Path

from rich.console import Console

from lab import environments
from lab.params import CommonParams, read_params
from lab.run_process import CHAIN_VARIABLE, chain_id
from lab.summary import print_summary


def run_pipeline() -> int:
    """Run the pipeline and return the exit code of `dvc repro`."""
    console = Console()
    read_params(CommonParams)
    with console.status("making the environments of the processes"):
        environments.make_all()
    environment = {**os.environ, CHAIN_VARIABLE: chain_id()}
    repro = subprocess.run([sys.executable, "-m", "dvc", "repro"], env=environment)
    if repro.returncode:
        return repro.returncode
    print_summary(console)
    console.print("Next: [bold]make ui[/] ...")
    return 0
