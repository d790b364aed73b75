import pytest

from lab.processes.train_standard_classifiers.params import FAMILIES, Params
from labkit.process.errors import InputError
from labkit.process.params import PARAMS_FILE, read_yaml, validate

pytestmark = pytest.mark.unittest


def test_no_family_at_all_is_refused() -> None:
    with pytest.raises(InputError, match=r"classifiers is .* every family is null; keep one"):
        validate(
            Params, {"classifiers": {"seed": 1, "max_rows_quadratic": 100, **dict.fromkeys(FAMILIES)}}, "params.yaml"
        )


@pytest.mark.parametrize(
    ("family", "key"),
    [
        ("decision_tree", "max_depth"),
        ("random_forest", "n_estimators"),
        ("gradient_boosting", "n_estimators"),
        ("k_nearest_neighbours", "n_neighbors"),
    ],
)
def test_a_size_beyond_reason_is_refused_by_its_own_name(family: str, key: str, pytestconfig: pytest.Config) -> None:
    classifiers = read_yaml(pytestconfig.rootpath / PARAMS_FILE)["classifiers"]
    wrong = classifiers | {family: classifiers[family] | {key: 10**29}}
    with pytest.raises(InputError, match=rf"classifiers\.{family}\.{key} is 1.* should be less than or equal to"):
        validate(Params, {"classifiers": wrong}, "params.yaml")
