from collections import deque
from pathlib import Path

import pytest
import torch

from lab.processes.train_dnn_pytorch.checkpoint import checkpoint_path, read_checkpoint, resume, write_checkpoint
from lab.processes.train_dnn_pytorch.densenet import Rows, State, best_epoch, initial_state, train
from lab.processes.train_dnn_pytorch.params import Training
from lab.processes.train_dnn_pytorch.team import Team
from lib.pytorch import make_deterministic

pytestmark = pytest.mark.unittest

PARAMS = Training(
    seed=7, hidden_layers=[8], dropout=0.1, lr=0.01, weight_decay=1e-4, batch_size=7, epochs=4, kernels="portable"
)
ROWS = Rows(torch.linspace(-1, 1, 60).reshape(30, 2), torch.arange(30) // 15)
OPPOSITE = Rows(ROWS.X, 1 - ROWS.y)  # what is learned from ROWS is wrong here, so the first epoch is the best


@pytest.fixture(autouse=True)
def deterministic() -> None:
    make_deterministic()


def untrained() -> State:
    return initial_state(2, 2, PARAMS, torch.device("cpu"))


def train_to(state: State, epochs: int) -> State:
    deque(train(state, ROWS, OPPOSITE, PARAMS.model_copy(update={"epochs": epochs}), Team()), maxlen=0)
    return state


def test_a_training_goes_on_from_its_checkpoint_as_if_it_had_never_stopped(tmp_path: Path) -> None:
    whole = train_to(untrained(), 4)
    write_checkpoint(tmp_path / "half.pt", train_to(untrained(), 2))

    content = read_checkpoint(tmp_path / "half.pt")

    assert content is not None
    resumed = train_to(resume(untrained(), content), 4)
    assert resumed.history == whole.history
    assert best_epoch(whole.history) == 1
    assert all(torch.equal(weight, resumed.best_weights[name]) for name, weight in whole.best_weights.items())


def test_no_checkpoint_is_none_and_nothing_to_speak_of(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert read_checkpoint(tmp_path / "absent.pt") is None
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("place", [0, 40, 0.5, -1])
def test_a_checkpoint_with_one_wrong_bit_is_ignored_and_said_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], place: float
) -> None:
    path = tmp_path / "wrong.pt"
    write_checkpoint(path, train_to(untrained(), 1))
    content = bytearray(path.read_bytes())
    content[int(place if isinstance(place, int) else place * len(content))] ^= 1
    path.write_bytes(content)

    assert read_checkpoint(path) is None
    assert "wrong.pt is damaged; training starts at the beginning" in capsys.readouterr().out


@pytest.mark.parametrize("kept", [0, 20, 500])
def test_a_torn_checkpoint_is_ignored(tmp_path: Path, kept: int) -> None:
    path = tmp_path / "torn.pt"
    write_checkpoint(path, train_to(untrained(), 1))
    path.write_bytes(path.read_bytes()[:kept])

    assert read_checkpoint(path) is None


def test_whatever_decides_the_result_gives_a_checkpoint_of_its_own() -> None:
    other = ROWS._replace(X=ROWS.X + 1)

    paths = [
        checkpoint_path(PARAMS, ROWS, ROWS, n_classes=2, team_size=1),
        checkpoint_path(PARAMS.model_copy(update={"epochs": 5}), ROWS, ROWS, n_classes=2, team_size=1),
        checkpoint_path(PARAMS, other, ROWS, n_classes=2, team_size=1),
        checkpoint_path(PARAMS, ROWS, other, n_classes=2, team_size=1),
        checkpoint_path(PARAMS, ROWS, ROWS, n_classes=3, team_size=1),
        checkpoint_path(PARAMS, ROWS, ROWS, n_classes=2, team_size=2),
    ]

    assert len(set(paths)) == len(paths)
    assert checkpoint_path(PARAMS, ROWS, ROWS, n_classes=2, team_size=1) == paths[0]
