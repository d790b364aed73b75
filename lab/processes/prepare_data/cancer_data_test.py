from pathlib import Path

import joblib
import numpy as np
import pandas as pd
import pytest

from lib.data_splits import load_data_splits, load_dataset

pytestmark = pytest.mark.unittest


def test_data_splits_load_as_arrays(temp_data_dir: Path) -> None:
    splits = load_data_splits(dir_processed=temp_data_dir, as_type="array")
    assert [array.dtype for array in splits] == [np.float32] * 3 + [np.int64] * 3


def test_every_row_of_the_set_is_in_one_split(temp_data_dir: Path) -> None:
    splits = load_data_splits(temp_data_dir)
    rows = np.concatenate([splits.X_train, splits.X_val, splits.X_test])
    assert len(np.unique(rows, axis=0)) == len(rows) == 569


def test_classes_carry_their_names(temp_data_dir: Path) -> None:
    assert load_dataset(temp_data_dir).classes == ["benign", "malignant"]


def test_saved_preprocessing_takes_the_example_rows_to_the_training_rows(temp_data_dir: Path) -> None:
    preprocessing = joblib.load(temp_data_dir / "preprocessing.joblib")
    example_rows = pd.read_csv(temp_data_dir / "example_rows.csv")
    scaled = preprocessing.transform(example_rows)
    X_train = load_data_splits(temp_data_dir).X_train
    np.testing.assert_allclose(scaled, X_train[: len(scaled)], rtol=1e-6)
