"""Trainings on disk, so that one which was killed goes on where it stopped."""

from __future__ import annotations

import hashlib
import io
import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from lab.processes.train_dnn_pytorch import densenet
from lab.processes.train_dnn_pytorch.densenet import Moments, Rows, State
from labkit.process.files import replacing
from lib import pytorch

if TYPE_CHECKING:  # not when it runs: a machine with a GPU and torch, but without the lab's environments, can use this
    from lab.processes.train_dnn_pytorch.params import Training

CHECKPOINTS = Path(".lab") / "checkpoints"
DIGEST_BYTES = hashlib.sha256().digest_size


def checkpoint_path(params: Training, training: Rows, validation: Rows, n_classes: int, world_size: int) -> Path:
    """A file named after all that decides the result, so that no other training takes it for its own."""
    settings = [params.model_dump(), n_classes, world_size, torch.__version__]
    key = hashlib.sha256(json.dumps(settings).encode())
    for source in (densenet.__file__, pytorch.__file__):
        key.update(Path(source).read_bytes())
    for part in (*training, *validation):
        key.update(f"{part.dtype}{tuple(part.shape)}".encode())
        key.update(part.cpu().contiguous().numpy().data)
    return CHECKPOINTS / f"train_dnn_pytorch-{key.hexdigest()[:16]}.pt"


def write_checkpoint(path: Path, state: State) -> None:
    """Write `state` with its digest in front: torch.load takes flipped bits for weights."""
    buffer = io.BytesIO()
    torch.save(
        {
            "network": state.network.state_dict(),
            "moments": list(state.moments),
            "history": state.history,
            "best_weights": state.best_weights,
        },
        buffer,
    )
    with replacing(path) as beside:
        beside.write_bytes(hashlib.sha256(buffer.getbuffer()).digest() + buffer.getbuffer())


def read_checkpoint(path: Path) -> dict[str, Any] | None:
    """What write_checkpoint wrote, on the CPU; None where there is no such file, or (with a warning) a damaged one."""
    if not path.exists():
        return None
    stored = memoryview(path.read_bytes())
    digest, content = stored[:DIGEST_BYTES], stored[DIGEST_BYTES:]
    if hashlib.sha256(content).digest() != digest:
        print(f"warning: {path} is damaged; training starts at the beginning", flush=True)
        return None
    return torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)  # type: ignore[no-any-return]


def resume(state: State, content: dict[str, Any]) -> State:
    """`state` as it was when `content` was written, on the device that it lies on."""
    device = next(state.network.parameters()).device
    state.network.load_state_dict(content["network"])
    return replace(
        state,
        moments=Moments(*([tensor.to(device) for tensor in column] for column in content["moments"])),
        history=content["history"],
        best_weights={name: weight.to(device) for name, weight in content["best_weights"].items()},
    )
