"""The verbs of the runtimes, which join those of labkit: `python -m lab --help`."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from labkit.cli import MODELS, RUNNERS, app


@app.command(rich_help_panel=MODELS)
def krt(
    model: Annotated[str, typer.Argument(help="`champion` or a version, such as v2.")] = "champion",
    to: Annotated[Path, typer.Option(help="The folder to write to.")] = Path("dist"),
    image: Annotated[str, typer.Option(help="The image that the model's node runs in.")] = "",
    check: Annotated[Path | None, typer.Option(help="Only check this .krt or KAI product.")] = None,
) -> None:
    """Write a registered version of the model as a .krt for KRE v2, and as a KAI product."""
    from labkit.registry.models import find_model
    from runtimes.krt.build import build_krt
    from runtimes.krt.check import problems

    if check:
        found = problems(check)
        print("\n".join(found) or f"{check}: nothing is wrong")
        sys.exit(int(bool(found)))
    print("\n".join(map(str, build_krt(find_model(model), to, image))))


@app.command(rich_help_panel=MODELS)
def serve(
    model: Annotated[
        str | None, typer.Option(help="`champion`, a version, a folder, or a revision; by default, the last run's.")
    ] = None,
    host: Annotated[str, typer.Option(help="The address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="The port to listen on.", min=1, max=65535)] = 8080,
    sample: Annotated[Path | None, typer.Option(help="Keep the last 10,000 rows answered in this CSV file.")] = None,
) -> None:
    """Answer requests with the model: MLflow's protocol, and the open inference protocol V2. LAB_SERVE_KEY locks it."""
    from runtimes.serving.run import serve

    serve(model, host, port, sample)


@app.command(rich_help_panel=MODELS)
def image(
    model: Annotated[str | None, typer.Argument(help="As --model of serve.")] = None,
    to: Annotated[Path, typer.Option(help="The folder to write to.")] = Path("dist/image"),
) -> None:
    """Write what `docker build` needs for an image that serves the model."""
    from runtimes.image.build import build_context
    from runtimes.serving.model import locate

    print(f"docker build {build_context(locate(model), to)}")


@app.command(rich_help_panel=MODELS)
def predict(
    file: Annotated[Path, typer.Argument(help="CSV or Parquet, with the raw columns.")],
    to: Annotated[Path, typer.Option(help="CSV or Parquet, to be written.")] = Path("predictions.csv"),
    model: Annotated[str | None, typer.Option(help="As for serve.")] = None,
) -> None:
    """Write the rows of a file, of any size, with the model's answers beside them."""
    from runtimes.serving.model import find
    from runtimes.serving.predict import predict_file

    print(f"{predict_file(file, find(model), to)} rows: {to}")


@app.command(rich_help_panel=RUNNERS)
def kubeflow(
    image: Annotated[str, typer.Argument(help="An image with a clone of the lab in which `make setup` ran.")],
    clone: Annotated[str, typer.Option(help="Where the image has it.")] = "/lab",
    secret: Annotated[
        list[str] | None, typer.Option(help="A secret of Kubernetes and its keys, as NAME:VARIABLE,VARIABLE.")
    ] = None,
    retries: Annotated[int, typer.Option(min=0, help="How often a stage that failed is tried again.")] = 2,
    to: Annotated[Path, typer.Option(help="The file to write.")] = Path(".lab/pipeline.yaml"),
) -> None:
    """Write the commit's pipeline for Kubeflow Pipelines: a task for each stage, and one that publishes."""
    from runtimes.kubeflow.pipeline import write_pipeline

    write_pipeline(to, image, clone, secret or [], retries)
    print(f"{to}: upload it, or `kfp run create --package-file {to}`")


slurm = typer.Typer(no_args_is_help=True, help="Run the pipeline on a SLURM cluster, each stage as a job.")
app.add_typer(slurm, name="slurm", rich_help_panel=RUNNERS)
Tag = Annotated[str, typer.Argument(help="A tag of what is checked out; its results will be committed as this tag's.")]


@slurm.command()
def submit(tag: Tag) -> None:
    """Submit a job for each stage that has not run for TAG yet, and one that publishes the results of all."""
    from runtimes.slurm.cluster import submit

    for job, number in submit(tag).items():
        print(f"{number}  {job}")


@slurm.command()
def status(tag: Tag) -> None:
    """Show each job of TAG: SLURM's word for it while it waits or runs, and the last line that it has written."""
    from runtimes.slurm.cluster import last_lines, queue
    from runtimes.slurm.jobs import LOGS

    waiting, lines = queue(tag), last_lines(tag)
    for job in dict.fromkeys([*lines, *waiting]):
        number, state = waiting.get(job, ("", "ended"))
        print(f"{job}: {f'{state}, {number}' if number else state}: {lines.get(job, '')}")
    print(f"Their logs: {LOGS}" if lines or waiting else f"{tag} has no job in the queue, and no log in {LOGS}")
