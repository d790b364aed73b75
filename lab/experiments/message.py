"""The message of a results commit: trailers that make `git log` a table of experiments."""

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import yaml

from lab.experiments.report import StageReport
from lab.summary import RESULTS
from lib.errors import InputError
from lib.files import read_json
from lib.goals import tally, verdicts

INCOMPLETE = ("failed", "not run")


class Execution(NamedTuple):
    """A run of the pipeline: its name, where to see it, the tag that asked for it, and the commit that ran."""

    name: str
    url: str
    tag: str
    code: str


def message(execution: Execution, stages: list[StageReport], changed: str = "") -> str:
    """The message of the results commit, as Git wants it: a title, an empty line, the trailers.

    `changed` is what was tried: the parameters that are others than before.
    """
    incomplete = any(stage.outcome in INCOMPLETE for stage in stages)
    title = f"{'Incomplete results' if incomplete else 'Results'} of {execution.tag}"
    lines = [f"{key}: {value}" for key, value in trailers(execution, stages, changed)]
    return "\n".join([title, "", *lines, ""])


def trailers(execution: Execution, stages: list[StageReport], changed: str = "") -> Iterator[tuple[str, str]]:
    """What came of a run, as far as it came."""
    yield "Code-Commit", execution.code
    yield "Tag", execution.tag
    yield "Run", execution.url
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
