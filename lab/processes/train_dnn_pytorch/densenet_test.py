from collections import deque

import numpy as np
import pytest
import torch

from lab.processes.train_dnn_pytorch.data_parallel import Worker
from lab.processes.train_dnn_pytorch.densenet import (
    Rows,
    State,
    best_epoch,
    evaluate,
    in_the_targets_unit,
    initial_state,
    loss_of,
    train,
)
from lab.processes.train_dnn_pytorch.params import Training
from labkit.process.errors import InputError
from lib.pytorch import make_deterministic, predict

pytestmark = pytest.mark.unittest

CPU = torch.device("cpu")
PARAMS = Training(
    seed=7,
    hidden_layers=[16, 8],
    dropout=0.1,
    lr=0.01,
    weight_decay=1e-4,
    batch_size=30,
    epochs=3,
    kernels="portable",
    device="cpu",
)


@pytest.fixture(autouse=True)
def deterministic() -> None:
    make_deterministic()


def blobs(n_rows: int, n_classes: int, spread: float = 0.3, seed: int = 0) -> Rows:
    """One cloud of points for each class, on a line."""
    random = np.random.default_rng(seed)
    y = random.integers(0, n_classes, n_rows)
    X = random.normal(scale=spread, size=(n_rows, 2)) + y[:, None]
    return Rows(torch.tensor(X, dtype=torch.float32), torch.tensor(y))


def trained(params: Training, training: Rows, validation: Rows) -> State:
    state = initial_state(training.X.shape[1], int(training.y.max()) + 1, params, CPU)
    deque(train(state, training, validation, params, Worker()), maxlen=0)
    return state


@pytest.mark.parametrize("n_classes", [2, 3])
def test_a_network_learns_classes_that_lie_apart(n_classes: int) -> None:
    params = PARAMS.model_copy(update={"epochs": 20})

    history = trained(params, blobs(300, n_classes, spread=0.1), blobs(100, n_classes, spread=0.1, seed=1)).history

    assert history["validation_accuracy"][-1] > 0.95


def test_the_history_holds_the_means_over_all_rows() -> None:
    training, validation = blobs(100, 3), blobs(41, 3, seed=1)

    state = trained(PARAMS, training, validation)

    for name, (X, y) in {"training": training, "validation": validation}.items():
        probabilities = predict(state.network, X.numpy())
        likelihood = probabilities[np.arange(len(y)), y.numpy()]
        assert state.history[f"{name}_loss"][-1] == pytest.approx(-np.log(likelihood).mean())
        assert state.history[f"{name}_accuracy"][-1] == (probabilities.argmax(axis=1) == y.numpy()).mean()


def test_the_best_epoch_s_weights_are_kept() -> None:
    validation = blobs(50, 2, spread=2, seed=1)
    params = PARAMS.model_copy(update={"lr": 0.1, "epochs": 30})  # too fast, on noise: it gets worse again

    state = trained(params, blobs(60, 2, spread=2), validation)
    last, best = state.history["validation_loss"][-1], min(state.history["validation_loss"])
    state.network.load_state_dict(state.best_weights)

    assert best < last
    assert evaluate(state.network, validation, loss_of(validation, params), Worker())[0] == best


def test_the_earliest_of_equal_epochs_is_the_best() -> None:
    assert best_epoch({"epoch": [1, 2, 3, 4], "validation_loss": [0.5, 0.2, 0.4, 0.2]}) == 2


@pytest.mark.parametrize(("n_rows", "steps"), [(59, 2), (60, 2), (61, 3)])
def test_every_row_is_in_a_batch_even_a_single_one(n_rows: int, steps: int) -> None:
    rows = blobs(n_rows, 2)

    state = trained(PARAMS.model_copy(update={"epochs": 1}), rows, rows)

    assert {step.item() for step in state.moments.steps} == {steps}


def test_the_same_seed_gives_the_same_training_and_another_gives_another() -> None:
    rows = blobs(100, 2)
    first, again, other = (trained(PARAMS.model_copy(update={"seed": seed}), rows, rows) for seed in (7, 7, 8))

    assert first.history == again.history
    assert first.history != other.history
    for name, weight in first.best_weights.items():
        assert torch.equal(weight, again.best_weights[name])
        assert not torch.equal(weight, other.best_weights[name])


def test_a_training_in_two_parts_is_the_training_in_one() -> None:
    rows = blobs(100, 2)
    whole = trained(PARAMS, rows, rows)
    torch.manual_seed(0)  # whatever else drew random numbers in between

    state = initial_state(2, 2, PARAMS, CPU)
    deque(train(state, rows, rows, PARAMS.model_copy(update={"epochs": 2}), Worker()), maxlen=0)
    torch.manual_seed(1)
    deque(train(state, rows, rows, PARAMS, Worker()), maxlen=0)

    assert state.history == whole.history


def test_with_balanced_classes_a_rare_one_is_expected_as_often_as_any() -> None:
    common, rare = blobs(300, 1, spread=1.0), blobs(30, 1, spread=1.0, seed=1)  # in one place: nothing tells them apart
    rows = Rows(torch.cat([common.X, rare.X]), torch.tensor([0] * 300 + [1] * 30))
    expected = [
        predict(
            trained(PARAMS.model_copy(update={"class_weight": weight, "epochs": 10}), rows, rows).network,
            rows.X.numpy(),
        )[:, 1].mean()
        for weight in (None, "balanced")
    ]

    assert expected[0] < 0.2
    assert 0.4 < expected[1] < 0.6


def test_a_number_is_learned_and_predicted_in_its_unit() -> None:
    random = np.random.default_rng(0)
    X = torch.tensor(random.normal(size=(300, 2)), dtype=torch.float32)
    y = 1000 + 50 * X[:, 0]
    rows = Rows(X, (y - y.mean()) / y.std())
    params = PARAMS.model_copy(update={"epochs": 20, "dropout": 0.0})
    state = initial_state(2, 1, params, CPU)
    deque(train(state, rows, rows, params, Worker()), maxlen=0)

    assert list(state.history) == ["epoch", "training_loss", "validation_loss"]
    assert state.history["validation_loss"][-1] < 0.05
    squares = (predict(state.network, X.numpy()) - rows.y.numpy()) ** 2
    assert state.history["validation_loss"][-1] == pytest.approx(squares.mean(), rel=1e-5)
    in_the_targets_unit(state.network, float(y.mean()), float(y.std()))
    assert np.abs(predict(state.network, X.numpy()) - y.numpy()).mean() < 10


def test_a_loss_that_is_no_number_stops_the_training_with_the_remedy() -> None:
    rows = blobs(100, 2)

    with pytest.raises(InputError, match=r"params\.yaml: training\.lr is 1e\+30: .* try a smaller one"):
        trained(PARAMS.model_copy(update={"lr": 1e30}), rows, rows)


def test_the_largest_weight_decay_that_is_allowed_does_not_end_in_that_error() -> None:
    rows = blobs(100, 2)
    assert (
        len(trained(PARAMS.model_copy(update={"weight_decay": 1000.0}), rows, rows).history["epoch"]) == PARAMS.epochs
    )
