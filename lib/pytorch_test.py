from pathlib import Path

import numpy as np
import pytest
import torch

from lib.pytorch import SLICE_ROWS, build_network, load_network, network_bytes, predict

pytestmark = pytest.mark.unittest


def rows(n: int, features: int = 4) -> np.ndarray[tuple[int, int], np.dtype[np.float32]]:
    return np.random.default_rng(0).normal(size=(n, features)).astype(np.float32)


@pytest.mark.parametrize("hidden_layers", [[], [8], [8, 5]])
@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("n_rows", [0, 1, 7])
def test_a_row_gets_one_probability_for_each_class(hidden_layers: list[int], n_classes: int, n_rows: int) -> None:
    network = build_network(4, hidden_layers, n_classes, dropout=0.1)

    probabilities = predict(network, rows(n_rows))

    assert probabilities.shape == (n_rows, n_classes)
    assert probabilities.dtype == np.float64
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, rtol=1e-12)


@pytest.mark.parametrize("n_rows", [0, 1, 7])
def test_a_network_of_one_output_gives_a_row_a_number(n_rows: int) -> None:
    assert predict(build_network(4, [8], 1, dropout=0.1), rows(n_rows)).shape == (n_rows,)


def test_rows_beyond_a_slice_get_the_same_probabilities_as_alone() -> None:
    network = build_network(4, [8], 2, dropout=0.0)
    many = rows(SLICE_ROWS + 3)

    probabilities = predict(network, many)

    np.testing.assert_allclose(probabilities[-3:], predict(network, many[-3:]), rtol=1e-5)


def test_dropout_leaves_predictions_alone() -> None:
    network = build_network(4, [64], 2, dropout=0.9)

    np.testing.assert_array_equal(predict(network, rows(9)), predict(network, rows(9)))


@pytest.mark.parametrize("hidden_layers", [[], [8, 5]])
def test_a_loaded_network_is_the_saved_one(tmp_path: Path, hidden_layers: list[int]) -> None:
    network = build_network(4, hidden_layers, 3, dropout=0.25)
    (tmp_path / "network.pt").write_bytes(network_bytes(network))

    loaded = load_network(tmp_path / "network.pt")

    assert str(loaded) == str(network)
    np.testing.assert_array_equal(predict(loaded, rows(9)), predict(network, rows(9)))


def test_a_network_has_the_same_bytes_each_time() -> None:
    network = build_network(4, [8], 2, dropout=0.1)

    assert network_bytes(network) == network_bytes(network)


def test_a_missing_network_is_refused_with_the_remedy(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"absent\.pt is missing; run `dvc repro train_dnn_pytorch`"):
        load_network(tmp_path / "absent.pt")


@pytest.mark.parametrize("kept", [0, 10, 900])
def test_a_torn_network_is_refused_with_the_remedy(tmp_path: Path, kept: int) -> None:
    path = tmp_path / "torn.pt"
    path.write_bytes(network_bytes(build_network(4, [8], 2, dropout=0.1))[:kept])

    with pytest.raises(ValueError, match=r"torn\.pt is no network of this lab; restore it"):
        load_network(path)


def test_another_program_s_file_is_refused(tmp_path: Path) -> None:
    torch.save({"weights": {}}, tmp_path / "other.pt")

    with pytest.raises(ValueError, match=r"other\.pt is no network of this lab"):
        load_network(tmp_path / "other.pt")
