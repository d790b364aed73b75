"""What an engine calls for a plan (`python -m lab plan`), in a clone of the lab on whichever machine.

python -m labkit.distribute task STAGE --execution NAME --commit SHA     for each stage, after those that it needs
python -m labkit.distribute collect --execution NAME                     at last, where the commit is checked out
python -m labkit.distribute forget --execution NAME                      when its results are published
"""

import sys
from typing import Annotated

import typer

from labkit.distribute import exchange
from labkit.distribute.task import collect as collect_results
from labkit.distribute.task import run_task
from labkit.process.errors import InputError
from labkit.tracking.journal import EXECUTION_VARIABLE

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, help=__doc__)
Execution = Annotated[str, typer.Option(envvar=EXECUTION_VARIABLE, help="A name that no other execution has.")]


@app.command()
def task(stage: str, execution: Execution, commit: Annotated[str, typer.Option(help="The plan's.")] = "HEAD") -> None:
    """Run STAGE in a clone of its own and publish what came out; again, it does nothing."""
    run_task(stage, execution, commit)


@app.command()
def collect(execution: Execution) -> None:
    """Put what the stages of an execution have published into dvc.lock."""
    collect_results(execution)


@app.command()
def forget(execution: Execution) -> None:
    """Remove from origin what the stages of an execution have published."""
    exchange.forget(execution)


if __name__ == "__main__":
    try:
        app(prog_name="python -m labkit.distribute")
    except (InputError, RuntimeError) as error:
        sys.exit(f"error: {error}")
