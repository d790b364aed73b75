"""MLflow follows the registry, when it can: whatever it does, what Git has decided stands."""

import sys

from labkit.process.errors import InputError
from labkit.registry.state import Registry
from labkit.tracking.tracker import configure


def show_in_mlflow(registry: Registry) -> None:
    """Make MLflow show the registry and print what that changed; where it can't now, say so and how to repeat it."""
    configure()
    from labkit.registry import mlflow_view  # it imports MLflow, which reads what was just set
    from labkit.tracking.uploader import explain

    try:
        print("\n".join(mlflow_view.sync(registry)) or "MLflow shows it already")
    except Exception as error:
        why = str(error) if isinstance(error, InputError) else explain(error)
        print(f"not in MLflow yet: {why}; Git has it, and the same command, run again, sends it", file=sys.stderr)
