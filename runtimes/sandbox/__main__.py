"""The platform on one machine: S3, MLflow, a Git origin, and a runner of experiments.yml and wide.yml."""

import sys
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape

from labkit.paths import ROOT
from labkit.process.errors import InputError
from runtimes.sandbox import start
from runtimes.sandbox.origin import uncommitted
from runtimes.sandbox.runs import rerun as run_again
from runtimes.sandbox.state import Sandbox, default_folder, existing, load
from runtimes.sandbox.watch import follow_newest

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, help=__doc__)

STARTED = """\
[bold]S3[/]       {s3}, keys in {config}
[bold]MLflow[/]   {mlflow}
[bold]origin[/]   {origin}
[bold]runner[/]   runs .github/workflows/experiments.yml or wide.yml for each tag; its log is {logs}/runner.log

Next, for example:
  [bold]cd {clone} && source .venv/bin/activate[/]
  change a parameter in params.yaml; [bold]python -m lab status[/] says what that would run
  [bold]git commit --all --message "Learn faster" && git push[/]
  [bold]git tag run-example-1 && git push origin run-example-1[/]
  [bold]python -m runtimes.sandbox watch[/]                      until the run ends
  [bold]git pull --rebase && dvc pull[/]                         its results
  [bold]python -m runtimes.sandbox rerun run-example-1[/]        as GitHub's "Re-run jobs"
  [bold]export MLFLOW_TRACKING_URI={mlflow}[/]    for what you run yourself

[bold]make sandbox-down[/] ends it. Its files stay, and `make sandbox` goes on with them."""

S3Port = Annotated[int | None, typer.Option(envvar="S3_PORT", min=1, max=65535)]
MLflowPort = Annotated[int | None, typer.Option(envvar="MLFLOW_PORT", min=1, max=65535)]


@app.command()
def up(s3_port: S3Port = None, mlflow_port: MLflowPort = None) -> None:
    """Start the sandbox in .lab/sandbox, or what of it does not answer."""
    console = Console(soft_wrap=True, highlight=False, emoji=False)
    folder = default_folder()
    is_new = load(folder) is None
    if is_new and (changes := uncommitted(ROOT)):
        console.print(
            f"[yellow]left out[/]: {len(changes)} uncommitted changes; the sandbox begins with the last commit"
        )
    with console.status("starting S3, MLflow, a Git origin and a runner"):
        sandbox = start.up(folder, s3_port, mlflow_port)
    console.print(describe(sandbox))


@app.command()
def down() -> None:
    """End what the sandbox has running. Its files stay."""
    folder = default_folder()
    ended = start.down(folder)
    print(f"ended: {', '.join(ended)}" if ended else "no sandbox was running")
    if folder.exists():
        print(f"Its files stay in {folder}: `make sandbox` goes on with them, `rm -rf {folder}` forgets them.")


@app.command()
def watch(tag: Annotated[str, typer.Argument()] = "") -> None:
    """Show the log of the run of TAG, or of the tag pushed last, until it ends; the exit code is the run's.

    For a tag that starts no run, it says why, with exit code 3.
    """
    sys.exit(follow_newest(existing(default_folder()), print, tag))


@app.command()
def rerun(tag: str) -> None:
    """Run the newest run of TAG again, as the next attempt; the exit code is the run's."""
    sys.exit(run_again(existing(default_folder()), tag, print))


def describe(sandbox: Sandbox) -> str:
    """What was started, and what to type next."""
    places = {
        "s3": sandbox.s3_url,
        "config": sandbox.clone / ".dvc" / "config.local",
        "mlflow": sandbox.mlflow_url,
        "origin": sandbox.origin,
        "logs": sandbox.logs,
        "clone": sandbox.clone,
    }
    return STARTED.format(**{name: escape(str(place)) for name, place in places.items()})


def main() -> None:
    """Run a verb; a mistake that can be mended is one line and exit code 1."""
    try:
        app(prog_name="python -m runtimes.sandbox")
    except (InputError, RuntimeError) as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    main()
