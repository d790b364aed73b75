"""What holds on the CPU and on a GPU. Where there is one, any Python with torch, NumPy and pytest can run this.

python3 -m pytest -c /dev/null --rootdir . --noconftest -rs lab/processes/train_dnn_pytorch/cuda_test.py
"""

from collections import deque
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from lab.processes.train_dnn_pytorch.checkpoint import read_checkpoint, resume, write_checkpoint
from lab.processes.train_dnn_pytorch.data_parallel import Worker
from lab.processes.train_dnn_pytorch.densenet import Rows, State, best_epoch, initial_state, train
from lib.pytorch import make_deterministic

pytestmark = pytest.mark.unittest

NO_CUDA = pytest.mark.skipif(not torch.cuda.is_available(), reason="torch finds no CUDA device here")
DEVICES = pytest.mark.parametrize("device", ["cpu", pytest.param("cuda", marks=NO_CUDA)])
# Not the class of params.py, which needs pydantic.
PARAMS: Any = SimpleNamespace(
    seed=7, hidden_layers=[8], dropout=0.1, lr=0.01, weight_decay=1e-4, batch_size=7, class_weight=None
)


@pytest.fixture(autouse=True)
def deterministic() -> None:
    make_deterministic()


def rows(device: str) -> Rows:
    """Two classes on a line, with their border in the middle."""
    return Rows(torch.linspace(-1, 1, 60, device=device).reshape(30, 2), torch.arange(30, device=device) // 15)


def untrained(device: str) -> State:
    return initial_state(2, 2, PARAMS, torch.device(device))


def train_to(state: State, epochs: int, training: Rows, validation: Rows) -> State:
    params: Any = SimpleNamespace(**vars(PARAMS), epochs=epochs)
    deque(train(state, training, validation, params, Worker()), maxlen=0)
    return state


@DEVICES
def test_a_network_learns(device: str) -> None:
    data = rows(device)

    state = train_to(untrained(device), 40, data, data)

    assert state.best_weights["0.weight"].device.type == device
    assert state.history["validation_accuracy"][-1] > 0.95


@DEVICES
def test_a_training_goes_on_from_its_checkpoint_as_if_it_had_never_stopped(tmp_path: Path, device: str) -> None:
    data = rows(device)
    opposite = Rows(data.X, 1 - data.y)  # what is learned from `data` is wrong here, so the first epoch is the best
    whole = train_to(untrained(device), 4, data, opposite)
    write_checkpoint(tmp_path / "half.pt", train_to(untrained(device), 2, data, opposite))
    torch.manual_seed(0)  # whatever else drew random numbers in between

    content = read_checkpoint(tmp_path / "half.pt")

    assert content is not None
    resumed = train_to(resume(untrained(device), content), 4, data, opposite)
    assert resumed.history == whole.history
    assert best_epoch(whole.history) == 1
    weights = whole.network.state_dict()
    assert all(torch.equal(weight, resumed.network.state_dict()[name]) for name, weight in weights.items())
    assert all(torch.equal(weight, resumed.best_weights[name]) for name, weight in whole.best_weights.items())
