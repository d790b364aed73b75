"""The message of a results commit: trailers that make `git log` a table of experiments."""

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import yaml

from labkit.goals import tally, verdicts
from labkit.process.errors import InputError
from labkit.process.files import read_json
from labkit.report.outcomes import StageReport
from labkit.report.tables import RESULTS

INCOMPLETE = ("failed", "not run")


def commit_message(tag: str, code: str, url: str, stages: list[StageReport], changed: str = "") -> str:
    """The message of the results commit, as Git wants it: a title, an empty line, the trailers.

    `tag` asked for the run at `url` of the commit `code`; `changed` is what was tried: parameters, old -> new.
    """
    incomplete = any(stage.outcome in INCOMPLETE for stage in stages)
    title = f"{'Incomplete results' if incomplete else 'Results'} of {tag}"
    lines = [f"{key}: {value}" for key, value in trailers(tag, code, url, stages, changed)]
    return "\n".join([title, "", *lines, ""])


def trailers(tag: str, code: str, url: str, stages: list[StageReport], changed: str = "") -> Iterator[tuple[str, str]]:
    """What came of a run, as far as it came."""
    yield "Code-Commit", code
    yield "Tag", tag
    yield "Run", url
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
    if not any(stage.outcome in INCOMPLETE for stage in stages):  # else the files may be those of another run
        with suppress(FileNotFoundError, KeyError):  # a lab may have no such stage
            metrics = read_json(RESULTS / "metrics.json")
            yield "Selected-Model", metrics["selected"]
            metric = yaml.safe_load(Path("params.yaml").read_text(encoding="utf-8"))["selection"]["metric"]
            yield "Metric", f"test {metric} {metrics['test'][metric]:.4g}"
        with suppress(FileNotFoundError, InputError):  # what is wrong with the goals, the summary tells
            if judged := verdicts():
                yield "Goals", tally(judged)
