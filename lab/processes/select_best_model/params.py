"""What select_best_model reads from params.yaml."""

from typing import Literal

from labkit.process.params import Strict


class Selection(Strict):
    """How the best of the trained models is found."""

    metric: Literal[
        "auto",
        "accuracy",
        "balanced_accuracy",
        "f1",
        "log_loss",
        "mae",
        "median_absolute_error",
        "pr_auc",
        "r2",
        "rmse",
        "roc_auc",
    ] = "auto"


class Params(Strict):
    """The sections this process reads."""

    selection: Selection
