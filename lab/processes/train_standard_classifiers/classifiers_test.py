import io

import joblib
import numpy as np
import pytest

from lab.processes.train_standard_classifiers.classifiers import (
    FOLDS,
    Rows,
    create_classifiers,
    fit,
    stratified_subsample,
)
from lab.processes.train_standard_classifiers.main import rows_of
from lab.processes.train_standard_classifiers.params import FAMILIES, Classifiers
from labkit.process.errors import InputError

pytestmark = pytest.mark.unittest


def small_params(**changed: dict[str, float] | None) -> Classifiers:
    sections: dict[str, dict[str, float | None]] = {
        "logistic_regression": {"C": 1.0},
        "naive_bayes": {"var_smoothing": 1e-9},
        "k_nearest_neighbours": {"n_neighbors": 3},
        "support_vector_machine": {"C": 1.0},
        "decision_tree": {"max_depth": None},
        "random_forest": {"n_estimators": 5},
        "gradient_boosting": {"n_estimators": 5, "learning_rate": 0.1},
    }
    return Classifiers.model_validate({"seed": 1, "max_rows_quadratic": 100, **sections, **changed})


def separate_classes(classes: int, rows: int = 120, seed: int = 0) -> Rows:
    """Rows whose class is the place of their largest feature, by far."""
    random = np.random.default_rng(seed)
    y = np.arange(rows) % classes
    X = random.normal(size=(rows, 4))
    X[np.arange(rows), y] += 6
    return Rows(X.astype(np.float32), y)


def dumped(name: str, params: Classifiers, rows: Rows) -> bytes:
    classifier = create_classifiers(params, rows.y)[name]
    fit(name, classifier, rows)
    buffer = io.BytesIO()
    joblib.dump(classifier, buffer)
    return buffer.getvalue()


def test_every_section_makes_a_family() -> None:
    assert list(create_classifiers(small_params(), np.array([0, 1, 0, 1]))) == FAMILIES


@pytest.mark.parametrize("name", FAMILIES)
def test_a_family_that_is_null_is_left_out(name: str) -> None:
    assert list(create_classifiers(small_params(**{name: None}), np.array([0, 1, 0, 1]))) == [
        family for family in FAMILIES if family != name
    ]


def test_a_family_that_is_left_out_asks_nothing_of_the_rows() -> None:
    alone = small_params(**(dict.fromkeys(FAMILIES) | {"naive_bayes": {"var_smoothing": 1e-9}}))
    assert list(create_classifiers(alone, np.array([0, 1]))) == ["naive_bayes"]


@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.parametrize("name", FAMILIES)
def test_probabilities_sum_to_one_and_find_the_class_of_unseen_rows(name: str, classes: int) -> None:
    training, unseen = separate_classes(classes), separate_classes(classes, seed=1)
    classifier = create_classifiers(small_params(), training.y)[name]

    fit(name, classifier, training)
    probabilities = classifier.predict_proba(unseen.X)

    assert probabilities.shape == (len(unseen.y), classes)
    assert probabilities.sum(axis=1) == pytest.approx(1)
    assert (probabilities.argmax(axis=1) == unseen.y).mean() > 0.9


@pytest.mark.parametrize("name", FAMILIES)
def test_the_same_rows_give_the_same_bytes(name: str) -> None:
    rows = separate_classes(2)

    assert dumped(name, small_params(), rows) == dumped(name, small_params(), rows)


@pytest.mark.parametrize(
    ("name", "section"),
    [
        ("logistic_regression", {"C": 0.01}),
        ("naive_bayes", {"var_smoothing": 0.5}),
        ("k_nearest_neighbours", {"n_neighbors": 7}),
        ("support_vector_machine", {"C": 0.01}),
        ("decision_tree", {"max_depth": 1}),
        ("random_forest", {"n_estimators": 2}),
        ("gradient_boosting", {"n_estimators": 2, "learning_rate": 0.1}),
        ("gradient_boosting", {"n_estimators": 5, "learning_rate": 0.9}),
    ],
)
def test_every_parameter_changes_the_probabilities(name: str, section: dict[str, float]) -> None:
    random = np.random.default_rng(0)
    rows = Rows(random.normal(size=(200, 4)).astype(np.float32), random.integers(0, 2, 200))
    probabilities = []
    for params in (small_params(), small_params(**{name: section})):
        classifier = create_classifiers(params, rows.y)[name]
        fit(name, classifier, rows)
        probabilities.append(classifier.predict_proba(rows.X))

    assert not np.allclose(*probabilities)


@pytest.mark.parametrize("name", sorted({*FAMILIES} - {"k_nearest_neighbours"}))
def test_with_weights_a_rare_class_is_found_more_often(name: str) -> None:
    random = np.random.default_rng(0)
    y = (np.arange(400) % 10 == 0).astype(np.int64)
    X = (random.normal(size=(400, 3)) + 0.8 * y[:, None]).astype(np.float32)
    expected = []
    for weights in (None, np.where(y == 1, 5.0, 5 / 9)):
        classifier = create_classifiers(small_params(decision_tree={"max_depth": 3}), y)[name]
        fit(name, classifier, Rows(X, y, weights))
        expected.append(classifier.predict_proba(X[y == 1])[:, 1].mean())

    assert expected[1] > 1.2 * expected[0]


def test_no_solution_is_refused_with_the_parameter_to_change() -> None:
    random = np.random.default_rng(0)
    noise = Rows(random.normal(size=(60, 1)).astype(np.float32), random.integers(0, 2, 60))
    classifier = create_classifiers(small_params(support_vector_machine={"C": 1e6}), noise.y)["support_vector_machine"]

    with pytest.raises(InputError, match=r"classifiers\.support_vector_machine\.C is 1000000\.0, .*; lower it"):
        fit("support_vector_machine", classifier, noise)


def test_more_neighbours_than_rows_are_refused() -> None:
    params = small_params(k_nearest_neighbours={"n_neighbors": 5})

    with pytest.raises(InputError, match="n_neighbors is 5, and there are 4 training rows; lower it"):
        create_classifiers(params, np.array([0, 1, 0, 1]))


def test_a_class_of_one_row_is_refused() -> None:
    with pytest.raises(InputError, match="fewer than 2 training rows"):
        create_classifiers(small_params(), np.array([0, 0, 0, 1]))


def test_classes_of_two_rows_are_enough_for_every_family() -> None:
    rows = separate_classes(3, rows=6)
    for name, classifier in create_classifiers(small_params(), rows.y).items():
        fit(name, classifier, rows)
        assert classifier.predict_proba(rows.X).shape == (6, 3)


def test_the_subsample_keeps_each_class_its_share() -> None:
    y = np.random.default_rng(0).permutation(np.repeat([0, 1, 2], [600, 300, 100]))

    sample = stratified_subsample(y, rows=200, seed=1)

    assert len(set(sample)) == 200
    assert np.bincount(y[sample]) == pytest.approx([120, 60, 20], abs=1)


def test_the_subsample_keeps_rare_classes() -> None:
    y = np.repeat([0, 1, 2], [10_000, 3, 8])

    sample = stratified_subsample(y, rows=100, seed=1)

    assert np.bincount(y[sample]).tolist() == [100 - 3 - FOLDS, 3, FOLDS]


def test_the_subsample_holds_every_class_of_many() -> None:
    sample = stratified_subsample(np.arange(4000) % 40, rows=100, seed=1)

    assert set(np.bincount(sample % 40, minlength=40)) == {2, 3}


def test_the_subsample_follows_the_seed() -> None:
    y = np.arange(1000) % 2
    first, again, other = (stratified_subsample(y, 100, seed).tolist() for seed in (1, 1, 2))

    assert first == again
    assert first != other


def test_the_subsample_of_few_rows_is_all_of_them_in_order() -> None:
    assert stratified_subsample(np.arange(50) % 3, rows=100, seed=1).tolist() == list(range(50))


def test_balanced_weights_let_classes_count_alike() -> None:
    params = small_params().model_copy(update={"class_weight": "balanced"})
    X, y = np.zeros((40, 2), dtype=np.float32), np.repeat([0, 1], [30, 10])
    weights = rows_of(X, y, slice(None), params).weights
    assert weights is not None
    assert weights[y == 0].sum() == pytest.approx(weights[y == 1].sum())
    assert rows_of(X, y, slice(None), params.model_copy(update={"class_weight": None})).weights is None
