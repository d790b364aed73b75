"""The tags of runs in MLflow, for those who name one of its runs or executions."""

from labkit.process.errors import InputError


def run_tags(wanted: str, name: str) -> list[dict[str, str]]:
    """The tags of the runs that fit a filter, and of those that these are nested in; `name` is what to call them.

    Raises InputError where there are none, or MLflow does not answer.
    """
    from labkit.tracking.tracker import configure

    configure()
    import mlflow  # which reads what was just set
    from mlflow.utils.mlflow_tags import MLFLOW_PARENT_RUN_ID

    from labkit.tracking.uploader import connect, explain

    try:
        store = connect()
        runs = mlflow.search_runs([store.experiment], wanted, output_format="list")
        parents = {run.data.tags[MLFLOW_PARENT_RUN_ID] for run in runs if MLFLOW_PARENT_RUN_ID in run.data.tags}
        runs += [store.client.get_run(parent) for parent in parents]
    except InputError:
        raise
    except Exception as error:  # of whatever kind MLflow raises
        raise InputError(f"{name}: {explain(error)}; a file, hash, commit or version needs no MLflow") from None
    if not runs:
        raise InputError(f"MLflow has no {name}")
    return [run.data.tags for run in runs]
