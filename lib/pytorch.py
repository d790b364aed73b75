"""The dense network, built, saved, loaded and asked for predictions; and how torch is to run.

A served network carries a copy of this file, so it imports nothing of the lab.
"""

import io
import os
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

# Rows that pass through a network at once where no gradient is needed: bounds the memory, and more is no faster.
SLICE_ROWS = 16_384


def build_network(n_features: int, hidden_layers: Sequence[int], n_classes: int, dropout: float) -> nn.Sequential:
    """A network of linear layers, with ReLU and dropout after each hidden one.

    (rows, n_features) in, (rows, n_classes) logits out, or a number where n_classes is 1; weights drawn from torch's
    global generator.
    """
    layers: list[nn.Module] = []
    for width_in, width_out in pairwise([n_features, *hidden_layers]):
        layers += [nn.Linear(width_in, width_out), nn.ReLU(), nn.Dropout(dropout)]
    return nn.Sequential(*layers, nn.Linear([n_features, *hidden_layers][-1], n_classes))


def network_bytes(network: nn.Sequential) -> bytes:
    """A network of build_network as the content of one file: what to build, and the weights."""
    linear = [layer for layer in network if isinstance(layer, nn.Linear)]
    content = {
        "n_features": linear[0].in_features,
        "hidden_layers": [layer.out_features for layer in linear[:-1]],
        "n_classes": linear[-1].out_features,
        "dropout": next((layer.p for layer in network if isinstance(layer, nn.Dropout)), 0.0),
        "weights": {name: weight.cpu() for name, weight in network.state_dict().items()},
    }
    buffer = io.BytesIO()  # given a path, torch.save writes the file's name into the file
    torch.save(content, buffer)
    return buffer.getvalue()


def load_network(path: str | Path) -> nn.Sequential:
    """Read a file of network_bytes, on the CPU, ready to predict.

    Raises FileNotFoundError when the file is missing, ValueError when it holds no such network.
    """
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
        weights = content.pop("weights")
        network = build_network(**content)
        network.load_state_dict(weights)
    except FileNotFoundError:
        raise FileNotFoundError(f"{path} is missing; run `dvc repro train_dnn_pytorch` (or `dvc pull`) first") from None
    except Exception as error:  # torch.load documents none; a damaged file raises half a dozen kinds
        raise ValueError(f"{path} is no network of this lab; restore it with `dvc checkout --force {path}`") from error
    return network.eval()


def predict(network: nn.Module, X: NDArray[np.float32]) -> NDArray[np.float64]:
    """The probability of each class for each row, on the network's own device; dropout is switched off.

    X: (rows, features); returns (rows, classes), each row summing to 1, or (rows,) numbers of a network of one output.
    """
    network.eval()
    device = next(network.parameters()).device
    with torch.inference_mode():
        slices = [
            network(torch.tensor(X[start : start + SLICE_ROWS], device=device)).double()
            for start in range(0, max(len(X), 1), SLICE_ROWS)
        ]
        outputs = torch.cat(slices)
        answers = outputs.squeeze(1) if outputs.shape[1] == 1 else outputs.softmax(dim=1)
    return answers.cpu().numpy()


def make_deterministic() -> None:
    """Make torch give the same bytes on each run, and on any number of cores."""
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    torch.set_num_threads(1)  # small batches gain nothing from a second; large ones gain more from torchrun
    torch.set_deterministic_debug_mode("error")  # use_deterministic_algorithms imports torch's compiler, for a second
