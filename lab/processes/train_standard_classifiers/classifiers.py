"""Seven families of classifiers that need no GPU, each made from its section of params.yaml."""

import warnings
from typing import NamedTuple

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

from lab.processes.train_standard_classifiers.params import Classifiers
from labkit.process.errors import InputError

# To fit the one and to ask the other costs the square of the rows; the rest stays close to linear.
QUADRATIC = frozenset({"support_vector_machine", "k_nearest_neighbours"})
FOLDS = 5  # of the support vector machine's calibration


class Rows(NamedTuple):
    """X: (rows, features) float32, scaled; y: (rows,) class indices."""

    X: NDArray[np.float32]
    y: NDArray[np.int64]


def create_classifiers(params: Classifiers, y: NDArray[np.int64]) -> dict[str, ClassifierMixin]:
    """The families by name, not yet fitted; all give probabilities for two or more classes.

    y: (rows,) class indices of the rows that the families of QUADRATIC will be fitted on.
    Raises InputError when these rows are too few for the parameters.
    """
    neighbours = params.k_nearest_neighbours.n_neighbors
    if neighbours > len(y):
        raise InputError(
            f"params.yaml: classifiers.k_nearest_neighbours.n_neighbors is {neighbours}, "
            f"and there are {len(y)} training rows; lower it"
        )
    smallest = int(np.bincount(y).min())
    if smallest < 2:
        raise InputError(
            "data/processed: a class has fewer than 2 training rows, too few to calibrate a support vector machine; "
            "add rows, or lower split.validation and split.test in params.yaml"
        )
    # The limits of iterations are far beyond what a solution takes where there is one.
    machine = SVC(C=params.support_vector_machine.C, max_iter=1_000_000)
    return {
        "logistic_regression": LogisticRegression(C=params.logistic_regression.C, max_iter=10_000),
        "naive_bayes": GaussianNB(var_smoothing=params.naive_bayes.var_smoothing),
        "k_nearest_neighbours": KNeighborsClassifier(n_neighbors=neighbours),
        # Of itself it gives no probabilities; this is how scikit-learn 1.9 wants them made.
        "support_vector_machine": CalibratedClassifierCV(machine, ensemble=False, cv=min(FOLDS, smallest)),
        "decision_tree": DecisionTreeClassifier(max_depth=params.decision_tree.max_depth, random_state=params.seed),
        "random_forest": RandomForestClassifier(
            n_estimators=params.random_forest.n_estimators, random_state=params.seed
        ),
        # By histograms: half the time of GradientBoostingClassifier at 341 rows, a sixtieth at 120,000.
        "gradient_boosting": HistGradientBoostingClassifier(
            max_iter=params.gradient_boosting.n_estimators,
            learning_rate=params.gradient_boosting.learning_rate,
            early_stopping=False,  # all the rounds that were asked for, and all rows to learn from
            random_state=params.seed,
        ),
    }


def fit(name: str, classifier: ClassifierMixin, training: Rows) -> None:
    """Fit the family `name`, on all cores, to the same model on any number of them.

    Raises InputError when it does not converge.
    """
    try:
        # Only while fitting: a forest that predicts in parallel adds its trees up in another order each time.
        with warnings.catch_warnings(), parallel_config("threading", n_jobs=-1):
            warnings.simplefilter("error", ConvergenceWarning)
            classifier.fit(training.X, training.y)
    except ConvergenceWarning as warning:
        settings = classifier.get_params()
        C = settings.get("C", settings.get("estimator__C"))
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
