"""The message of a results commit: trailers that make `git log` a table of experiments."""

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from labkit.goals import Verdict, tally, verdicts
from labkit.pipeline.leaderboard import Leaderboard, read_leaderboard, selected
from labkit.process.errors import InputError
from labkit.report.outcomes import StageReport, machines

INCOMPLETE = ("failed", "not run")


def commit_message(tag: str, code: str, url: str, execution: str, stages: list[StageReport], changed: str = "") -> str:
    """The message of the results commit, as Git wants it: a title, an empty line, the trailers.

    `tag` asked for the run at `url` of the commit `code`, whose stages ran in `execution`; `changed` is what was tried:
    parameters, old -> new.
    """
    incomplete = any(stage.outcome in INCOMPLETE for stage in stages)
    title = f"{'Incomplete results' if incomplete else 'Results'} of {tag}"
    lines = [f"{key}: {value}" for key, value in trailers(tag, code, url, execution, stages, changed)]
    return "\n".join([title, "", *lines, ""])


def trailers(
    tag: str, code: str, url: str, execution: str, stages: list[StageReport], changed: str = ""
) -> Iterator[tuple[str, str]]:
    """What came of a run, as far as it came."""
    yield "Code-Commit", code
    yield "Tag", tag
    yield "Run", url
    yield "Execution", execution
    if changed:
        yield "Changed", changed
    for stage in stages:
        took = f" ({stage.seconds:.0f} s)" if stage.seconds is not None else ""
        yield (
            {"ran": "Ran", "from cache": "From-Cache", "failed": "Failed"}.get(stage.outcome, "Not-Run"),
            (f"{stage.stage}{took}"),
        )
        if stage.url:
            yield "MLflow", stage.url
    for machine in machines(stages):
        yield "Machine", machine
    if not any(stage.outcome in INCOMPLETE for stage in stages):  # else the files may be those of another run
        board, judged = None, []
        with suppress(InputError):  # the page tells what is wrong
            board = read_leaderboard()
        with suppress(InputError):
            judged = verdicts()
        yield from claims(board, judged)


def claims(board: Leaderboard | None, judged: list[Verdict], results: Path = Path()) -> Iterator[tuple[str, str]]:
    """What is said of the results below a folder: the selected model, its metric, the goals."""
    with suppress(InputError):
        if board:
            best = selected(board, results)
            yield "Selected-Model", best.model
            if isinstance(value := best.test.get(best.metric), int | float):
                yield "Metric", f"test {best.metric} {value:.4g}"
    if judged:
        yield "Goals", tally(judged)
