from pathlib import Path
from typing import Any

import numpy as np
import pytest

from labkit.process.errors import InputError
from labkit.process.files import write_json
from lib.data_splits import ArraySplits, Dataset, load_data_splits, load_dataset, save_data_splits

pytestmark = pytest.mark.unittest


@pytest.fixture
def splits() -> ArraySplits:
    draw = np.random.default_rng(0)
    X_train, X_val, X_test = (draw.normal(size=(rows, 2)).astype(np.float32) for rows in (6, 3, 2))
    y_train, y_val, y_test = (draw.integers(0, 3, size=rows) for rows in (6, 3, 2))
    return ArraySplits(X_train, X_val, X_test, y_train, y_val, y_test)


def test_splits_load_as_they_were_saved(splits: ArraySplits, tmp_path: Path) -> None:
    save_data_splits(splits, tmp_path / "processed")
    for saved, loaded in zip(splits, load_data_splits(tmp_path / "processed"), strict=True):
        np.testing.assert_array_equal(loaded, saved, strict=True)


def test_tensors_are_the_arrays(splits: ArraySplits, tmp_path: Path) -> None:
    import torch

    save_data_splits(splits, tmp_path)
    for array, tensor in zip(splits, load_data_splits(tmp_path, as_type="tensor"), strict=True):
        assert isinstance(tensor, torch.Tensor)
        np.testing.assert_array_equal(tensor.numpy(), array, strict=True)


def test_another_type_is_refused_with_those_that_exist(splits: ArraySplits, tmp_path: Path) -> None:
    save_data_splits(splits, tmp_path)
    wrong: Any = "loader"
    with pytest.raises(InputError, match="as_type is 'loader'; use 'array' or 'tensor'"):
        load_data_splits(tmp_path, as_type=wrong)


def test_a_missing_split_is_named_with_the_command_that_makes_it(splits: ArraySplits, tmp_path: Path) -> None:
    save_data_splits(splits, tmp_path)
    (tmp_path / "X_val.npy").unlink()
    with pytest.raises(InputError, match=r"X_val\.npy is missing; run `dvc repro prepare_data`"):
        load_data_splits(tmp_path)


def test_the_description_loads_as_it_was_written(tmp_path: Path) -> None:
    dataset = Dataset(target="species", features=["length", "width"], classes=["iris", "rose"])
    write_json(tmp_path / "dataset.json", dataset._asdict())
    assert load_dataset(tmp_path) == dataset


def test_a_missing_description_is_named_with_the_command_that_makes_it(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"dataset\.json is missing; run `dvc repro prepare_data`"):
        load_dataset(tmp_path)
