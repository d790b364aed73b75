import io

import joblib
import numpy as np
import pytest

from lab.processes.train_standard_classifiers.classifiers import Rows, fit
from lab.processes.train_standard_classifiers.params import FAMILIES, Classifiers
from lab.processes.train_standard_classifiers.regressors import create_regressors
from labkit.process.errors import InputError

pytestmark = pytest.mark.unittest

REGRESSORS = [name for name in FAMILIES if name != "naive_bayes"]
SECTIONS = {
    "logistic_regression": {"C": 1.0},
    "naive_bayes": {"var_smoothing": 1e-9},
    "k_nearest_neighbours": {"n_neighbors": 3},
    "support_vector_machine": {"C": 10.0},
    "decision_tree": {"max_depth": None},
    "random_forest": {"n_estimators": 10},
    "gradient_boosting": {"n_estimators": 50, "learning_rate": 0.1},
}


def params(**changed: object) -> Classifiers:
    return Classifiers.model_validate({"seed": 1, "max_rows_quadratic": 100, **SECTIONS, **changed})


def slope(rows: int, seed: int, unit: float = 1.0) -> Rows:
    """Rows whose target follows their first feature."""
    random = np.random.default_rng(seed)
    X = random.normal(size=(rows, 2)).astype(np.float32)
    return Rows(X, (unit * (100 + 5 * X[:, 0] + random.normal(scale=0.2, size=rows))).astype(np.float32))


def test_every_family_but_naive_bayes_has_a_regressor() -> None:
    assert list(create_regressors(params(), 100)) == REGRESSORS
    assert list(create_regressors(params(decision_tree=None), 100)) == [n for n in REGRESSORS if n != "decision_tree"]


@pytest.mark.parametrize("unit", [1e-3, *(pytest.param(unit, marks=pytest.mark.nightly) for unit in (1.0, 1e3))])
@pytest.mark.parametrize("name", REGRESSORS)
def test_a_number_of_any_size_is_found_and_the_same_bytes_each_time(name: str, unit: float) -> None:
    unseen, written = slope(100, 1, unit), []
    for _ in range(2):
        model = create_regressors(params(), 200)[name]
        fit(name, model, slope(200, 0, unit))
        buffer = io.BytesIO()
        joblib.dump(model, buffer)
        written.append(buffer.getvalue())
        errors = model.predict(unseen.X) - unseen.y
        assert 1 - (errors**2).mean() / unseen.y.var() > 0.9

    assert written[0] == written[1]


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        (dict.fromkeys(REGRESSORS), "every family but naive_bayes is null"),
        ({"class_weight": "balanced"}, "class_weight is balanced, but a number has no classes"),
        ({"k_nearest_neighbours": {"n_neighbors": 300}}, "n_neighbors is 300, and there are 200 training rows"),
    ],
)
def test_what_does_not_go_with_a_number_is_refused(changed: dict[str, object], told: str) -> None:
    with pytest.raises(InputError, match=told):
        create_regressors(params(**changed), 200)
