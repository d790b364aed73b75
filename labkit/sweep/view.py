"""A sweep in MLflow: one run, its trials nested in it, and what each trial ran nested in that."""

from datetime import datetime

from optuna.trial import FrozenTrial, TrialState

from labkit.sweep.trial import rounded
from labkit.tracking.tracker import configure, deliver

SECONDS = 15.0  # to wait for MLflow
SWEEP, TRIAL = "lab.sweep", "lab.trial"


def show_in_mlflow(name: str, trials: list[FrozenTrial]) -> str:
    """Show a sweep's ended trials in MLflow, each once; what it lacks then, in a line."""
    if pending := deliver(SECONDS):
        return pending[0].reason
    configure()
    from mlflow.exceptions import MlflowException

    try:
        _show(name, trials)
    except MlflowException as error:
        return str(error).splitlines()[0]
    return ""


def _show(name: str, trials: list[FrozenTrial]) -> None:
    from mlflow.entities import Metric, Param, Run
    from mlflow.utils.mlflow_tags import MLFLOW_PARENT_RUN_ID

    from labkit.tracking.uploader import connect

    client, experiment = connect()

    def found(wanted: str) -> list[Run]:
        return list(client.search_runs([experiment], wanted, max_results=1000))

    def one(called: str, began: int, tags: dict[str, str]) -> Run:
        wanted = " AND ".join(f"tags.`{key}` = '{value}'" for key, value in tags.items())
        return next(iter(found(wanted)), None) or client.create_run(experiment, began, tags, called)

    ended = [trial for trial in trials if trial.datetime_start and trial.datetime_complete]
    if not ended:
        return
    whole = one(name, _milliseconds(ended[0].datetime_start), {SWEEP: name, TRIAL: "all"})
    for trial in ended:
        tags = {SWEEP: name, TRIAL: str(trial.number), MLFLOW_PARENT_RUN_ID: whole.info.run_id}
        run = one(f"{name}-{trial.number}", _milliseconds(trial.datetime_start), tags)
        if run.info.status != "RUNNING":
            continue
        end = _milliseconds(trial.datetime_complete)
        for stage in found(f"tags.`lab.execution` = '{name}-{trial.number}'"):
            if MLFLOW_PARENT_RUN_ID not in stage.data.tags:
                client.set_tag(stage.info.run_id, MLFLOW_PARENT_RUN_ID, run.info.run_id)
        told = trial.user_attrs
        metrics = [Metric(told["metric"], told["value"], end, 0)] if trial.values else []
        client.log_batch(
            run.info.run_id, metrics, [Param(key, str(value)) for key, value in rounded(trial.params).items()]
        )
        client.set_terminated(run.info.run_id, "FINISHED" if trial.state == TrialState.COMPLETE else "FAILED", end)
    last = max(_milliseconds(trial.datetime_complete) for trial in ended)
    client.set_terminated(whole.info.run_id, "FINISHED", last)


def _milliseconds(time: datetime | None) -> int:
    return int(time.timestamp() * 1000) if time else 0
