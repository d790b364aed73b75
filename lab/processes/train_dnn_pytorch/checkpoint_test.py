from pathlib import Path

import pytest
import torch

from lab.processes.train_dnn_pytorch.checkpoint import checkpoint_path, read_checkpoint, write_checkpoint
from lab.processes.train_dnn_pytorch.data_parallel import Worker
from lab.processes.train_dnn_pytorch.densenet import Rows, State, initial_state, train
from lab.processes.train_dnn_pytorch.params import Training
from lib.pytorch import make_deterministic

pytestmark = pytest.mark.unittest

PARAMS = Training(
    seed=7,
    hidden_layers=[8],
    dropout=0.1,
    lr=0.01,
    weight_decay=1e-4,
    batch_size=7,
    epochs=4,
    kernels="portable",
    device="cpu",
)
ROWS = Rows(torch.linspace(-1, 1, 60).reshape(30, 2), torch.arange(30) // 15)


@pytest.fixture(autouse=True)
def deterministic() -> None:
    make_deterministic()


def trained() -> State:
    """After one epoch."""
    return next(train(initial_state(2, 2, PARAMS, torch.device("cpu")), ROWS, ROWS, PARAMS, Worker()))


def test_no_checkpoint_is_none_and_nothing_to_speak_of(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert read_checkpoint(tmp_path / "absent.pt") is None
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("place", [0, 40, 0.5, -1])
def test_a_checkpoint_with_one_wrong_bit_is_ignored_and_said_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], place: float
) -> None:
    path = tmp_path / "wrong.pt"
    write_checkpoint(path, trained())
    content = bytearray(path.read_bytes())
    content[int(place if isinstance(place, int) else place * len(content))] ^= 1
    path.write_bytes(content)

    assert read_checkpoint(path) is None
    assert "wrong.pt is damaged; training starts at the beginning" in capsys.readouterr().out


@pytest.mark.parametrize("kept", [0, 20, 500])
def test_a_torn_checkpoint_is_ignored(tmp_path: Path, kept: int) -> None:
    path = tmp_path / "torn.pt"
    write_checkpoint(path, trained())
    path.write_bytes(path.read_bytes()[:kept])

    assert read_checkpoint(path) is None


def test_whatever_decides_the_result_gives_a_checkpoint_of_its_own() -> None:
    other = ROWS._replace(X=ROWS.X + 1)

    paths = [
        checkpoint_path(PARAMS, ROWS, ROWS, n_classes=2, world_size=1),
        checkpoint_path(PARAMS.model_copy(update={"epochs": 5}), ROWS, ROWS, n_classes=2, world_size=1),
        checkpoint_path(PARAMS.model_copy(update={"device": "cuda"}), ROWS, ROWS, n_classes=2, world_size=1),
        checkpoint_path(PARAMS, other, ROWS, n_classes=2, world_size=1),
        checkpoint_path(PARAMS, ROWS, other, n_classes=2, world_size=1),
        checkpoint_path(PARAMS, ROWS, ROWS, n_classes=3, world_size=1),
        checkpoint_path(PARAMS, ROWS, ROWS, n_classes=2, world_size=2),
    ]

    assert len(set(paths)) == len(paths)
    assert checkpoint_path(PARAMS, ROWS, ROWS, n_classes=2, world_size=1) == paths[0]
