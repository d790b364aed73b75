"""Seven families of classifiers that need no GPU, each made from its section of params.yaml."""

import warnings
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from joblib import parallel_config
from numpy.typing import NDArray
from sklearn.base import ClassifierMixin
from sklearn.calibration import CalibratedClassifierCV
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.svm import SVC
from sklearn.tree import DecisionTreeClassifier
from sklearn.utils.validation import has_fit_parameter

from lab.processes.train_standard_classifiers.params import Classifiers
from labkit.process.errors import InputError

# To fit the one and to ask the other costs the square of the rows; the rest stays close to linear.
QUADRATIC = frozenset({"support_vector_machine", "k_nearest_neighbours"})
FOLDS = 5  # of the support vector machine's calibration


class Rows(NamedTuple):
    """X: (rows, features) float32, scaled; y: (rows,) class indices or numbers; weights: (rows,), if they differ."""

    X: NDArray[np.float32]
    y: NDArray[Any]
    weights: NDArray[np.float64] | None = None


def create_classifiers(params: Classifiers, y: NDArray[np.int64]) -> dict[str, ClassifierMixin]:
    """The families that have a section, by name, not yet fitted; all give probabilities for two or more classes.

    y: (rows,) class indices of the rows that the families of QUADRATIC will be fitted on.
    Raises InputError when these rows are too few for the parameters.
    """
    if params.k_nearest_neighbours and (neighbours := params.k_nearest_neighbours.n_neighbors) > len(y):
        raise InputError(
            f"params.yaml: classifiers.k_nearest_neighbours.n_neighbors is {neighbours}, "
            f"and there are {len(y)} training rows; lower it"
        )
    smallest = int(np.bincount(y).min())
    if params.support_vector_machine and smallest < 2:
        raise InputError(
            "data/processed: a class has fewer than 2 training rows, too few to calibrate a support vector machine; "
            "add rows, or lower split.validation and split.test in params.yaml"
        )
    # The limits of iterations are far beyond what a solution takes where there is one.
    families: dict[str, Callable[[Any], ClassifierMixin]] = {
        "logistic_regression": lambda own: LogisticRegression(C=own.C, max_iter=10_000),
        "naive_bayes": lambda own: GaussianNB(var_smoothing=own.var_smoothing),
        "k_nearest_neighbours": lambda own: KNeighborsClassifier(n_neighbors=own.n_neighbors),
        # Of itself it gives no probabilities; this is how scikit-learn 1.9 wants them made.
        "support_vector_machine": lambda own: CalibratedClassifierCV(
            SVC(C=own.C, max_iter=1_000_000), ensemble=False, cv=min(FOLDS, smallest)
        ),
        "decision_tree": lambda own: DecisionTreeClassifier(max_depth=own.max_depth, random_state=params.seed),
        "random_forest": lambda own: RandomForestClassifier(n_estimators=own.n_estimators, random_state=params.seed),
        # By histograms: half the time of GradientBoostingClassifier at 341 rows, a sixtieth at 120,000.
        "gradient_boosting": lambda own: HistGradientBoostingClassifier(
            max_iter=own.n_estimators,
            learning_rate=own.learning_rate,
            early_stopping=False,  # all the rounds that were asked for, and all rows to learn from
            random_state=params.seed,
        ),
    }
    sections = {name: getattr(params, name) for name in families}
    return {name: families[name](own) for name, own in sections.items() if own is not None}


def fit(name: str, model: Any, training: Rows) -> None:
    """Fit the family `name`, on all cores, to the same model on any number of them.

    Neighbours know no weights.
    Raises InputError when it does not converge.
    """
    weighted = training.weights is not None and has_fit_parameter(model, "sample_weight")
    weights = {"sample_weight": training.weights} if weighted else {}
    try:
        # Only while fitting: a forest that predicts in parallel adds its trees up in another order each time.
        with warnings.catch_warnings(), parallel_config("threading", n_jobs=-1):
            warnings.simplefilter("error", ConvergenceWarning)
            model.fit(training.X, training.y, **weights)
    except ConvergenceWarning as warning:
        settings = model.get_params()
        C = settings.get("C", settings.get("estimator__C", settings.get("regressor__C")))
        raise InputError(f"params.yaml: classifiers.{name}.C is {C}, where no solution is found; lower it") from warning


def stratified_subsample(y: NDArray[np.int64], rows: int, seed: int) -> NDArray[np.int64]:
    """Sorted indices of `rows` rows drawn at random, or of all where there are fewer.

    y: (rows,) class indices. Each class keeps its share, and FOLDS rows even if that is more than its share;
    scikit-learn's own stratified splits may leave a rare class out.
    """
    shuffled = np.random.default_rng(seed).permutation(len(y))
    by_class = shuffled[np.argsort(y[shuffled], kind="stable")]
    counts = np.bincount(y)
    rank = np.concatenate([np.arange(count) for count in counts])
    priority = np.where(rank < FOLDS, rank - FOLDS, rank / counts.repeat(counts))
    return np.sort(by_class[np.argsort(priority, kind="stable")[:rows]])
