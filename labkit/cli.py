"""The lab's command line: `python -m lab --help`."""

import sys
from pathlib import Path
from typing import Annotated

MEND = "make the lab's environment again: `rm -rf .venv && make setup`"

try:
    import typer

    from labkit.process.errors import InputError
except ModuleNotFoundError as missing:
    sys.exit(f"error: {sys.executable} has no {missing.name}; {MEND}")

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, help=__doc__)


# The headings of `--help`, in this order.
EXPERIMENTS, MODELS, LAB = "Experiments", "Models", "The lab itself"
PROOF, RUNNERS = "Results that hold", "For runners and engines"

Jobs = Annotated[int | None, typer.Option(min=1, help="Stages at once; by default, what cores and memory allow.")]


@app.command(rich_help_panel=EXPERIMENTS)
def run(jobs: Jobs = None) -> None:
    """Run the pipeline (as `dvc repro`) and show the models, the one selected, and the goals it met."""
    from labkit.run import run_pipeline

    sys.exit(run_pipeline(jobs))


@app.command(rich_help_panel=EXPERIMENTS)
def sweep(
    space: Annotated[list[str], typer.Argument(help="KEY=LOW..HIGH or KEY=A,B,C, of params.yaml")],
    trials: Annotated[int, typer.Option(min=1, help="How many in all, earlier ones included.")] = 20,
    jobs: Annotated[int, typer.Option(min=1, help="Trials at once.")] = 1,
    model: Annotated[str | None, typer.Option(help="The model to improve; by default, the selected one.")] = None,
    apply: Annotated[bool, typer.Option("--apply", help="Write the best values into params.yaml.")] = False,
) -> None:
    """Search for better parameters: each trial is a DVC experiment, compared on the validation rows."""
    from labkit.sweep.run import sweep

    sys.exit(sweep(space, trials, jobs, model, apply))


@app.command(rich_help_panel=EXPERIMENTS)
def status() -> None:
    """Say which stages `dvc repro` would run, why, and how long they took last time. Runs nothing."""
    from labkit.pipeline.status import print_status

    print_status()


@app.command(rich_help_panel=EXPERIMENTS)
def ui(port: int = 5000) -> None:
    """Show the runs of this repository in MLflow."""
    from labkit.ui import show_runs

    show_runs(port)


@app.command(rich_help_panel=EXPERIMENTS)
def log(revision: Annotated[str, typer.Argument()] = "HEAD") -> None:
    """Show the results commits of REVISION as a table of experiments, newest first."""
    from labkit.publish.history import print_experiments

    print_experiments(revision)


@app.command(rich_help_panel=EXPERIMENTS)
def compare(
    a: Annotated[str, typer.Argument(help="A commit, branch, tag, tag of a run, or version: best-model@v3.")],
    b: Annotated[str, typer.Argument(help="Another.")] = "HEAD",
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    page: Annotated[Path | None, typer.Option(help="Write all of it, with the plots, to this HTML file.")] = None,
) -> None:
    """Show how B differs from A: code, parameters, data, metrics, and how sure that is on the same test rows."""
    from labkit.compare.run import compare

    compare(a, b, as_json, page)


@app.command(rich_help_panel=EXPERIMENTS)
def lineage(
    what: Annotated[str, typer.Argument(help="A file, its md5, a commit, branch, tag, version, run or execution.")],
    back: Annotated[bool, typer.Option("--back", help="Show only what it was made of.")] = False,
    forward: Annotated[bool, typer.Option("--forward", help="Show only what was made of it.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    picture: Annotated[Path | None, typer.Option(help="Draw it to this file: .svg, or .mmd (Mermaid).")] = None,
) -> None:
    """Show what WHAT was made of, back to the raw data, and what was made of it, up to promotions."""
    from labkit.lineage.show import show_lineage

    show_lineage(what, back or not forward, forward or not back, as_json, picture)


@app.command(rich_help_panel=EXPERIMENTS)
def drift(
    before: Annotated[Path, typer.Argument(help="A report of data, such as artifacts/data/report.json.")],
    now: Annotated[Path, typer.Argument(help="Another report, or a table: CSV or Parquet.")],
    to: Annotated[Path | None, typer.Option(help="Write the numbers to this JSON file, for a goal to judge.")] = None,
) -> None:
    """Show how far each column's distribution has drifted from BEFORE to NOW."""
    from labkit.report.drifted import show_drift

    show_drift(before, now, to)


@app.command(rich_help_panel=EXPERIMENTS)
def site(
    to: Annotated[Path, typer.Option(help="The folder to write to.")] = Path("site"),
    show: Annotated[bool, typer.Option("--open", help="Open it in a browser, where there is one.")] = False,
) -> None:
    """Write the experiments of all branches as a static site, from Git and DVC alone; only what is new is made."""
    from labkit.site.build import build_site
    from labkit.ui import show_page

    first = build_site(to)
    if show:
        show_page(first)


@app.command(rich_help_panel=EXPERIMENTS, hidden=True)  # few labs are in a data space: lab/docs/data-spaces.md
def announce(
    connector: Annotated[str, typer.Argument(help="The URL of its self-description API, such as https://HOST:8449")],
    revision: Annotated[str, typer.Argument()] = "HEAD",
) -> None:
    """Announce the results of REVISION in a data space, by IDS_API_USER and IDS_API_PASSWORD of its connector."""
    from labkit.publish.announcing import announce

    print(announce(connector, revision))


@app.command(rich_help_panel=EXPERIMENTS)
def report(
    what: Annotated[list[str] | None, typer.Argument(metavar="[REVISION] | [FILES]", help="HEAD, or all.")] = None,
    to: Annotated[Path | None, typer.Option(help="The file to write; else it is named by the commit.")] = None,
    check: Annotated[bool, typer.Option("--check", help="Name the figures of FILES that are wrong.")] = False,
    update: Annotated[bool, typer.Option("--update", help="Write what the sources say into FILES.")] = False,
) -> None:
    """Write what the results of REVISION say to lab/docs/reports, each figure bound to its source.

    --check and --update take the figures of FILES, of all Markdown by default. Exit code 1 if one is wrong.
    """
    if check or update:
        from labkit.figures.check import check_figures, update_figures

        sys.exit((update_figures if update else check_figures)([*map(Path, what or [])]))
    if what and len(what) > 1:
        raise InputError(f"a report is of one revision, not of {len(what)}: {' '.join(what)}")
    from labkit.writeup.write import write_report

    print(write_report(what[0] if what else "HEAD", to))


@app.command(rich_help_panel=EXPERIMENTS)
def first_goals(
    replace: Annotated[bool, typer.Option(help="Replace goals of your own, without asking.")] = False,
) -> None:
    """Write goals/goals.yaml from what the last run reached, instead of the template's example."""
    from labkit.report.first_goals import write_first_goals

    print(f"Written: goals/goals.yaml: {write_first_goals(replace)}")


@app.command(rich_help_panel=LAB)
def new_process(
    name: str,
    model: Annotated[
        bool, typer.Option("--model", help="Make it train a model, as a candidate for selection.")
    ] = False,
) -> None:
    """Write a new process NAME with its test, parameters, Pipfile, lock and stage."""
    from labkit.scaffold.add import MODEL_TEMPLATE, TEMPLATE, add_process

    add_process(name, MODEL_TEMPLATE if model else TEMPLATE)


@app.command(rich_help_panel=LAB)
def remove_process(name: str) -> None:
    """Remove the process NAME: its folder, sections, stages, and what these wrote."""
    from labkit.scaffold.remove import remove_process as remove

    remove(name)


@app.command(rich_help_panel=LAB)
def setup(
    name: str | None = None,
    s3_endpoint: str | None = None,
    bucket: str | None = None,
    access_key_id: str | None = None,
    mlflow_url: str | None = None,
) -> None:
    """Connect the lab to an S3 server, MLflow and GitHub. In a terminal it asks for what is not given.

    The secret of the key is asked for, or, without a terminal, taken from AWS_SECRET_ACCESS_KEY.
    """
    from labkit.setup import Answers, set_up

    set_up(Answers(name, s3_endpoint, bucket, access_key_id, mlflow_url=mlflow_url))


@app.command(rich_help_panel=LAB)
def doctor() -> None:
    """Check this clone, its results and the services that it uses; say what is wrong and how to fix it."""
    from labkit.doctor.run import examine

    sys.exit(examine())


@app.command(rich_help_panel=LAB)
def upgrade(
    version: Annotated[str | None, typer.Argument()] = None,
    source: Annotated[
        str | None, typer.Option("--from", help="URL or path of the template; a URL is remembered.")
    ] = None,
    base: Annotated[str | None, typer.Option(help="Version that the lab came from, if it is not found.")] = None,
    check: Annotated[
        bool, typer.Option("--check", help="Only check: exit code 3 if there is a newer version.")
    ] = False,
) -> None:
    """Merge VERSION of the template, the newest by default, into this lab."""
    from labkit.upgrade import run

    sys.exit((run.check if check else run.upgrade)(version, source, base))


@app.command(rich_help_panel=MODELS)
def register(revision: Annotated[str, typer.Argument()] = "HEAD", reason: str = "") -> None:
    """Register the results of REVISION as the next version of the model; MLflow follows."""
    from labkit.registry import verbs
    from labkit.registry.sync import show_in_mlflow

    show_in_mlflow(verbs.register(revision, reason))


@app.command(rich_help_panel=MODELS)
def promote(
    version: str,
    reason: Annotated[str, typer.Option(help="Why, in a sentence. It is kept in Git.")],
    force: Annotated[bool, typer.Option("--force", help="Promote even if it is worse or can't be compared.")] = False,
) -> None:
    """Make VERSION the champion, if it meets the goals and is not worse than the champion beyond noise."""
    from labkit.registry import verbs
    from labkit.registry.sync import show_in_mlflow

    show_in_mlflow(verbs.promote(version, reason, force))


@app.command(rich_help_panel=MODELS)
def rollback(
    reason: Annotated[str, typer.Option(help="Why, in a sentence. It is kept in Git.")],
    version: Annotated[str, typer.Argument(help="A former champion; the one before, by default.")] = "",
) -> None:
    """Make the champion before, or VERSION, the champion again."""
    from labkit.registry import verbs
    from labkit.registry.sync import show_in_mlflow

    show_in_mlflow(verbs.rollback(reason, version))


@app.command(rich_help_panel=MODELS)
def history() -> None:
    """Show the model's versions, its champions with who promoted them and why, and what was refused."""
    from labkit.registry.history import print_history

    print_history()


@app.command(rich_help_panel=PROOF)
def verify(
    revision: Annotated[str, typer.Argument()] = "",
    receipt: Annotated[Path | None, typer.Option(help="Check somebody else's receipt; run nothing.")] = None,
    to: Annotated[Path, typer.Option(help="The folder to write the receipt to.")] = Path(".lab/receipts"),
) -> None:
    """Run REVISION, HEAD by default, again from its raw data, and compare every output with what was recorded.

    Exit code 0: all is reproduced; 1: something differs; 2: it could not be checked.
    """
    from labkit.proof.verify import verify_revision

    sys.exit(verify_revision(revision, receipt, to))


@app.command(rich_help_panel=PROOF)
def export(
    revision: Annotated[str, typer.Argument()] = "HEAD",
    to: Annotated[Path, typer.Option(help="The folder to write to.")] = Path("dist"),
) -> None:
    """Write REVISION's code, parameters and results as a Workflow Run RO-Crate, which other tools read."""
    from labkit.proof.export import export_crate

    print(export_crate(revision, to))


@app.command(rich_help_panel=PROOF)
def publish(
    tag: Annotated[str, typer.Argument(envvar="GITHUB_REF_NAME")] = "",
    rev: Annotated[str, typer.Option(help="Show the results of this revision in MLflow.")] = "",
    everything: Annotated[bool, typer.Option("--all", help="Show those of every commit of all branches.")] = False,
) -> None:
    """Show each result of HEAD, --rev or --all as one run in MLflow; what it lost is made again from Git and DVC.

    With TAG, which is checked out: publish its run's data, runs, and a results commit on the tag's branch.
    """
    if tag and not rev and not everything:
        from labkit.publish.results import publish_results

        publish_results(tag)
        return
    from labkit.publish.view import publish as show_in_mlflow

    sys.exit(show_in_mlflow(rev or "HEAD", everything))


@app.command(rich_help_panel=PROOF)
def track(seconds: float = 60.0) -> None:
    """Send MLflow the runs that it lacks, for SECONDS at most."""
    from labkit.tracking.tracker import deliver

    if pending := deliver(seconds):
        sys.exit("\n".join(f"not in MLflow: {journal.stem}: {reason}" for journal, reason in pending))


@app.command(rich_help_panel=PROOF)
def mend(
    check: Annotated[bool, typer.Option("--check", help="Change nothing; exit code 1 if any is found.")] = False,
) -> None:
    """Repair dvc.lock records that a line-by-line merge made, and commit."""
    from labkit.github import error_line, on_runner
    from labkit.pipeline import forged

    if check:
        forged.refuse_shallow()
    found = [one for one in forged.forged_records() if one.certain] if check else forged.mend()
    for one in found:
        print(error_line(one.stage, f"{one}; `python -m lab mend` and push") if on_runner() else f"{one.stage}: {one}")
    if found:
        print(
            "`python -m lab mend` and push: it takes whole records"
            if check
            else "now run `dvc repro`: it runs the stages whose records do not match"
        )
    sys.exit(int(check and bool(found)))


@app.command(rich_help_panel=RUNNERS)
def repro(jobs: Jobs = None) -> None:
    """Run the pipeline as `dvc repro --pull --keep-going` does, independent stages at the same time; show nothing."""
    from labkit.pipeline.parallel import reproduce_here

    sys.exit(reproduce_here(jobs))


@app.command(rich_help_panel=RUNNERS)
def plan() -> None:
    """Print the pipeline as JSON, for engines that use several machines. Refuses what others could not run."""
    from labkit.pipeline.plan import print_plan

    print_plan()


@app.command(rich_help_panel=RUNNERS)
def tables() -> None:
    """Copy metrics and plot tables to lab/results, to commit: there they can be read without a key."""
    from labkit.paths import TABLES
    from labkit.pipeline.tables import write_tables

    print(f"{len(write_tables())} files in {TABLES}: commit them with dvc.lock")


@app.command(rich_help_panel=RUNNERS)
def pull_request(
    base: Annotated[str, typer.Argument(help="Compare with this revision, from the merge base.")] = "",
    plots: Annotated[Path | None, typer.Option(help="Draw the plots beside those of BASE to this file.")] = None,
) -> None:
    """Print what this branch changes against BASE, origin/HEAD by default; on GitHub, comment on its pull request."""
    from labkit.report.comment import show_changes

    show_changes(base, plots)


def main() -> None:
    """Run a verb; an error that the user can fix is one line and exit code 1."""
    try:
        app(prog_name="python -m lab")
    except (InputError, RuntimeError) as error:
        from labkit.terminal import printable

        sys.exit(printable(f"error: {error}"))
    except (FileExistsError, IsADirectoryError, NotADirectoryError, PermissionError) as error:  # mostly of a --to
        sys.exit(f"error: {error.filename}: {error.strerror}")
    except ModuleNotFoundError as error:
        if (error.name or "lab").split(".")[0] in {"lab", "labkit", "lib", "runtimes"}:  # a mistake in the code
            raise
        sys.exit(f"error: {sys.executable} has no {error.name}; {MEND}")


if __name__ == "__main__":
    main()
