"""What MLflow holds, as tests ask it. Importing MLflow takes a second: no test does before it runs."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run


def mlflow_client(store: Path | str | None = None) -> "MlflowClient":
    """Ask a database file or a server's URL, or what the environment names."""
    from mlflow import MlflowClient

    return MlflowClient(f"sqlite:///{store}" if isinstance(store, Path) else store)


def experiment_runs(experiment: str = "test", deleted: bool = False) -> "list[Run]":
    """The runs of the experiment, with the `deleted` ones if asked; none while there is no such experiment."""
    from mlflow.entities import ViewType

    client = mlflow_client()
    found = client.get_experiment_by_name(experiment)
    view = ViewType.ALL if deleted else ViewType.ACTIVE_ONLY
    return list(client.search_runs([found.experiment_id], run_view_type=view)) if found else []


def download(place: str) -> Path:
    """A copy of the artifact or folder at this URI."""
    from mlflow.artifacts import download_artifacts

    return Path(download_artifacts(place))


def load_model(folder: Path) -> Any:
    """A saved model, to ask for predictions."""
    from mlflow.pyfunc import load_model

    return load_model(str(folder))
