"""The prepared data, as prepare_data writes it and every other process reads it."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, overload

import numpy as np
from numpy.typing import NDArray

from labkit.process.errors import InputError
from labkit.process.files import read_json

if TYPE_CHECKING:
    import torch

DIR_PROCESSED = Path("data/processed")
FOLDS = "folds"


class ArraySplits(NamedTuple):
    """X: (rows, features) float32, as prepared; y: (rows,), int64 indices into the dataset's classes, or float32."""

    X_train: NDArray[np.float32]
    X_val: NDArray[np.float32]
    X_test: NDArray[np.float32]
    y_train: NDArray[Any]
    y_val: NDArray[Any]
    y_test: NDArray[Any]


class Fold(NamedTuple):
    """A part of the rows that are not for the test, held out, and all others to train on; prepared by the latter alone.

    X: (rows, features) float32; y: (rows,), as in ArraySplits. stops: (training rows,) bool, those by which a training
    that watches itself may decide when to stop; it then trains on the others. Folds may differ in their features.
    """

    X_train: NDArray[np.float32]
    y_train: NDArray[Any]
    stops: NDArray[np.bool_]
    X_val: NDArray[np.float32]
    y_val: NDArray[Any]


class TensorSplits(NamedTuple):
    """The same splits as torch tensors on the CPU."""

    X_train: "torch.Tensor"
    X_val: "torch.Tensor"
    X_test: "torch.Tensor"
    y_train: "torch.Tensor"
    y_val: "torch.Tensor"
    y_test: "torch.Tensor"


class Dataset(NamedTuple):
    """What the columns and the class indices of the splits stand for; a regression has no classes.

    columns: of each feature the raw column that it is made of; without them it is one itself.
    """

    target: str
    features: list[str]
    classes: list[str]
    task: Literal["classification", "regression"] = "classification"
    columns: list[str] | None = None


def count_rows(splits: "ArraySplits | TensorSplits") -> int:
    """How many rows there are in the three parts."""
    return len(splits.y_train) + len(splits.y_val) + len(splits.y_test)


def save_data_splits(splits: ArraySplits, dir_processed: str | Path) -> None:
    """Write one .npy file a split."""
    Path(dir_processed).mkdir(parents=True, exist_ok=True)
    for name, array in splits._asdict().items():
        np.save(Path(dir_processed) / f"{name}.npy", array, allow_pickle=False)


def save_folds(folds: Sequence[Fold], dir_processed: str | Path) -> None:
    """Write each fold's arrays into a folder of its own."""
    for number, fold in enumerate(folds, 1):
        folder = Path(dir_processed) / FOLDS / f"{number:02}"
        folder.mkdir(parents=True)
        for name, array in fold._asdict().items():
            np.save(folder / f"{name}.npy", array, allow_pickle=False)


def load_folds(dir_processed: str | Path = DIR_PROCESSED) -> list[Fold]:
    """The folds of a cross-validation; none where split.folds asks for none."""
    return [
        Fold(*(_load(folder / f"{name}.npy") for name in Fold._fields))
        for folder in sorted((Path(dir_processed) / FOLDS).glob("*"))
    ]


@overload
def load_data_splits(dir_processed: str | Path = ..., as_type: Literal["array"] = ...) -> ArraySplits: ...
@overload
def load_data_splits(dir_processed: str | Path = ..., *, as_type: Literal["tensor"]) -> TensorSplits: ...
def load_data_splits(
    dir_processed: str | Path = DIR_PROCESSED, as_type: Literal["array", "tensor"] = "array"
) -> ArraySplits | TensorSplits:
    """Load the six splits as NumPy arrays or as torch tensors.

    Raises InputError when a split is missing or `as_type` is neither.
    """
    arrays = ArraySplits(*(_load(Path(dir_processed) / f"{name}.npy") for name in ArraySplits._fields))
    if as_type == "array":
        return arrays
    if as_type == "tensor":
        import torch  # only here: most processes have no torch

        return TensorSplits(*(torch.from_numpy(array) for array in arrays))
    raise InputError(f"load_data_splits: as_type is {as_type!r}; use 'array' or 'tensor'")


def load_dataset(dir_processed: str | Path = DIR_PROCESSED) -> Dataset:
    """Load the names of the target, the features and the classes."""
    path = Path(dir_processed) / "dataset.json"
    if not path.exists():
        raise _not_prepared(path)
    return Dataset(**read_json(path))


def _load(path: Path) -> NDArray[Any]:
    try:
        return np.load(path, allow_pickle=False)  # type: ignore[no-any-return]
    except FileNotFoundError:
        raise _not_prepared(path) from None


def _not_prepared(path: Path) -> InputError:
    return InputError(f"{path} is missing; run `dvc repro prepare_data` (or `dvc pull`) first")
