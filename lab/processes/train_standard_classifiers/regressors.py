"""The regressors of the same families, for a target that is a number."""

from collections.abc import Callable
from typing import Any

from sklearn.base import RegressorMixin
from sklearn.compose import TransformedTargetRegressor
from sklearn.ensemble import HistGradientBoostingRegressor, RandomForestRegressor
from sklearn.linear_model import Ridge
from sklearn.neighbors import KNeighborsRegressor
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVR
from sklearn.tree import DecisionTreeRegressor

from lab.processes.train_standard_classifiers.params import Classifiers
from labkit.process.errors import InputError


def create_regressors(params: Classifiers, rows: int) -> dict[str, RegressorMixin]:
    """The families that have a section and a regressor, by name, not yet fitted; naive Bayes has none.

    rows: of those that the families of QUADRATIC will be fitted on. Raises InputError when no family is left, the rows
    are too few, or classes are to weigh alike.
    """
    if params.class_weight is not None:
        raise InputError("params.yaml: classifiers.class_weight is balanced, but a number has no classes; remove it")
    if params.k_nearest_neighbours and (neighbours := params.k_nearest_neighbours.n_neighbors) > rows:
        raise InputError(
            f"params.yaml: classifiers.k_nearest_neighbours.n_neighbors is {neighbours}, "
            f"and there are {rows} training rows; lower it"
        )
    families: dict[str, Callable[[Any], RegressorMixin]] = {
        "logistic_regression": lambda own: Ridge(alpha=1 / own.C),
        "k_nearest_neighbours": lambda own: KNeighborsRegressor(n_neighbors=own.n_neighbors),
        # C and the tube, of 0.1, are of the target's size, so that is made the same for all.
        "support_vector_machine": lambda own: TransformedTargetRegressor(
            SVR(C=own.C, max_iter=1_000_000), transformer=StandardScaler(), check_inverse=False
        ),
        "decision_tree": lambda own: DecisionTreeRegressor(max_depth=own.max_depth, random_state=params.seed),
        "random_forest": lambda own: RandomForestRegressor(n_estimators=own.n_estimators, random_state=params.seed),
        "gradient_boosting": lambda own: HistGradientBoostingRegressor(
            max_iter=own.n_estimators,
            learning_rate=own.learning_rate,
            early_stopping=False,
            random_state=params.seed,
        ),
    }
    sections = {name: getattr(params, name) for name in families}
    created = {name: families[name](own) for name, own in sections.items() if own is not None}
    if not created:
        raise InputError(
            "params.yaml: classifiers: every family but naive_bayes is null, and that has no regressor; keep one"
        )
    return created
