"""What an engine calls for a plan (`python -m lab plan`), in a clone of the lab on whichever machine.

python -m labkit.distribute task STAGE --execution NAME --commit SHA     for each stage, after those that it needs
python -m labkit.distribute finish --execution TAG --commit SHA          at last: collects, publishes, forgets

To publish by other means:

python -m labkit.distribute collect --execution NAME                     where the commit is checked out
python -m labkit.distribute forget --execution NAME                      when its results are published
python -m labkit.distribute levels                                       the stages by levels, for GitHub's matrices
"""

import sys
from typing import Annotated

import typer

from labkit.distribute import exchange
from labkit.distribute.levels import print_levels
from labkit.distribute.task import collect as collect_results
from labkit.distribute.task import finish as finish_execution
from labkit.distribute.task import run_task
from labkit.pipeline.signals import end_requests_handled
from labkit.process.errors import InputError
from labkit.tracking.journal import EXECUTION_VARIABLE

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, help=__doc__)
Execution = Annotated[str, typer.Option(envvar=EXECUTION_VARIABLE, help="A name that no other execution has.")]
Partial = Annotated[bool, typer.Option("--partial", help="Take what is published, though stages are missing.")]
Commit = Annotated[str, typer.Option(help="The commit of the plan.")]


@app.command()
def task(stage: str, execution: Execution, commit: Commit = "HEAD") -> None:
    """Run STAGE in a clone of its own and publish its results, unless they are published."""
    run_task(stage, execution, commit)


@app.command()
def finish(execution: Execution, commit: Commit = "HEAD") -> None:
    """Collect in a clone of its own, publish as `python -m lab publish` does, for the tag of that name, and forget.

    Where a stage has not finished, the others are published, nothing is forgotten, and the exit code is 1.
    """
    finish_execution(execution, commit)


@app.command()
def collect(execution: Execution, partial: Partial = False) -> None:
    """Put what the stages of an execution have published into dvc.lock."""
    collect_results(execution, partial)


@app.command()
def forget(execution: Execution) -> None:
    """Remove from origin what the stages of an execution have published."""
    exchange.forget(execution)


@app.command()
def levels(most: Annotated[int, typer.Option(help="How many levels the workflow has jobs for.")]) -> None:
    """Print the stages as JSON, level by level: those of a level need only those of the levels before it."""
    print_levels(most)


if __name__ == "__main__":
    try:
        # An engine that ends a task sends no Ctrl-C, and the task's clone, with its keys, must not stay.
        with end_requests_handled(lambda number, _: sys.exit(128 + number)):
            app(prog_name="python -m labkit.distribute")
    except (InputError, RuntimeError) as error:
        sys.exit(f"error: {error}")
