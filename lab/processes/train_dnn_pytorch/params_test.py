from typing import Any

import pytest

from lab.processes.train_dnn_pytorch.params import Params
from labkit.process.errors import InputError
from labkit.process.params import PARAMS_FILE, read_yaml, validate

pytestmark = pytest.mark.unittest


@pytest.mark.parametrize(
    ("key", "value"),
    [("hidden_layers", [10**29]), ("batch_size", 10**29), ("epochs", 10**29), ("weight_decay", 1e39)],
)
def test_a_size_beyond_reason_is_refused_by_its_own_name(key: str, value: Any, pytestconfig: pytest.Config) -> None:
    training = read_yaml(pytestconfig.rootpath / PARAMS_FILE)["training"]
    with pytest.raises(InputError, match=rf"^params\.yaml: training\.{key}.* should be less than or equal to"):
        validate(Params, {"training": training | {key: value}}, "params.yaml")
