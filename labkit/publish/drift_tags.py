"""MLflow's run of the stage that prepares the data tells how these differ from those of a commit.

Tags of the run alone: a result must not depend on what came before it.
"""

from labkit.pipeline.dependencies import declared_stages, metas
from labkit.pipeline.drift import drift_since
from labkit.pipeline.stages import process_of
from labkit.process.credentials import without_credentials
from labkit.tracking.journal import runs_of_execution
from labkit.tracking.tracker import configure

TAG = "lab.data"


def tag_drift(execution: str, commit: str) -> str:
    """Tag the runs of an execution that prepared data, where these are not as in a commit; why not, if that failed."""
    lines = drift_since(commit)
    stages = declared_stages()
    processes = {process_of(str(stages[name].get("cmd", ""))) for name in metas(stages, "data")}
    runs = [run.run_id for run in runs_of_execution(execution) if run.run_id and run.stage in processes]
    if not (lines and runs):
        return ""
    configure()
    from mlflow import MlflowClient  # it reads what was just set, and takes its time

    try:
        for run in runs:
            for number, line in enumerate(lines, 1):
                MlflowClient().set_tag(run, f"{TAG}.{number}", without_credentials(line))
    except Exception as error:  # of whatever kind MLflow raises; nothing may stop for it
        return f"how the data differ: {type(error).__name__}"
    return ""
