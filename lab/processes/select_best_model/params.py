"""What select_best_model reads from params.yaml."""

from typing import Literal

from labkit.process.params import Strict


class Selection(Strict):
    """How the best of the trained models is found."""

    metric: Literal["accuracy", "balanced_accuracy", "f1", "log_loss", "pr_auc", "roc_auc"]


class Params(Strict):
    """The sections this process reads."""

    selection: Selection
