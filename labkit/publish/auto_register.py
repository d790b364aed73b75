"""The runner registers each complete run as a version, where dvc.yaml asks for it; people promote."""

from collections.abc import Sequence

from labkit.process.errors import InputError
from labkit.publish.message import INCOMPLETE
from labkit.publish.results_commit import published
from labkit.registry.settings import registered_in
from labkit.registry.sync import show_in_mlflow
from labkit.registry.verbs import register
from labkit.report.outcomes import StageReport


def register_candidate(results: str, tag: str, stages: Sequence[StageReport]) -> None:
    """Register a results commit that the remote has; say why not where that fails: the results are published."""
    if any(stage.outcome in INCOMPLETE for stage in stages):
        return
    try:
        _, told = registered_in(results)
    except InputError:  # the lab registers no model
        return
    if not told.each_run:
        return
    try:
        show_in_mlflow(register(published(results) or results, f"The run of {tag}"))
    except (InputError, RuntimeError) as error:
        print(f"::warning::not registered: {' '.join(str(error).split())}; `python -m lab register` does it")
