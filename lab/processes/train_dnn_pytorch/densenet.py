"""Training the dense network: functions on tensors that already lie on the device."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, mse_loss
from torch.nn.parallel import DistributedDataParallel
from torch.optim.adam import adam

from lab.processes.train_dnn_pytorch.data_parallel import Worker, all_reduce_sum
from labkit.process.errors import InputError
from lib.pytorch import SLICE_ROWS, build_network

if TYPE_CHECKING:  # not when it runs: a machine with a GPU and torch, but without the lab's environments, can use this
    from lab.processes.train_dnn_pytorch.params import Training

History = dict[str, list[float]]
Loss = Callable[[Tensor, Tensor], Tensor]  # of outputs and y, the sum over their rows


class Rows(NamedTuple):
    """X: (rows, features) float32; y: (rows,) int64 class indices, or float32 numbers of mean 0 and variance 1."""

    X: Tensor
    y: Tensor


class Moments(NamedTuple):
    """What Adam remembers of each parameter: its gradient's mean and mean square, and the number of steps."""

    means: list[Tensor]
    squares: list[Tensor]
    steps: list[Tensor]


@dataclass
class State:
    """A training between two epochs: all that the epochs to come depend on."""

    network: nn.Sequential
    moments: Moments
    history: History
    best_weights: dict[str, Tensor]


def initial_state(n_features: int, n_classes: int, params: Training, device: torch.device) -> State:
    """The state before the first epoch; n_classes is 1 for a number."""
    torch.manual_seed(_seed(params.seed, 0, 0))
    network = build_network(n_features, params.hidden_layers, n_classes, params.dropout).to(device)
    means, squares = ([torch.zeros_like(weight) for weight in network.parameters()] for _ in range(2))
    steps = [torch.zeros((), device=device) for _ in network.parameters()]
    measures = ("loss", "accuracy") if n_classes > 1 else ("loss",)
    columns = ("epoch", *(f"{part}_{measure}" for part in ("training", "validation") for measure in measures))
    return State(network, Moments(means, squares, steps), {name: [] for name in columns}, {})


def train(state: State, training: Rows, validation: Rows, params: Training, worker: Worker) -> Iterator[State]:
    """Take `state` through the epochs that it lacks, and yield it after each.

    Losses are in nats; with params.class_weight, of rows that weigh 1 on average. Both parts are measured alike, after
    the epoch and without dropout, so that their curves compare. Raises InputError when the loss is no number any more.
    """
    alone = worker.world_size == 1
    network: nn.Module = state.network if alone else DistributedDataParallel(state.network)
    loss = loss_of(training, params)
    for epoch in range(len(state.history["epoch"]) + 1, params.epochs + 1):
        # An epoch's random numbers follow from its number alone, so a training that goes on needs no generator's state.
        torch.manual_seed(_seed(params.seed, epoch, 0))
        order = torch.randperm(len(training.X)).to(training.X.device)
        torch.manual_seed(_seed(params.seed, epoch, 1 + worker.rank))
        _train_epoch(network, state.moments, Rows(training.X[order], training.y[order]), loss, params, worker)
        measured = [
            *evaluate(state.network, training, loss, worker),
            *evaluate(state.network, validation, loss, worker),
        ]
        if not all(map(math.isfinite, measured)):
            raise InputError(
                f"params.yaml: training.lr is {params.lr}: the loss is no number any more after epoch {epoch}; "
                f"try a smaller one, such as {params.lr / 10:g}"
            )
        for column, value in zip(state.history.values(), [epoch, *measured], strict=True):
            column.append(value)
        if best_epoch(state.history) == epoch:
            state.best_weights = {name: weight.clone() for name, weight in state.network.state_dict().items()}
        yield state


def best_epoch(history: History) -> int:
    """The epoch with the lowest validation loss, the earliest of equals."""
    losses = history["validation_loss"]
    return int(history["epoch"][losses.index(min(losses))])


def loss_of(training: Rows, params: Training) -> Loss:
    """The squared error of numbers, else the cross entropy; with params.class_weight, classes count alike in it."""
    if training.y.is_floating_point():
        return lambda outputs, y: mse_loss(outputs.squeeze(1), y.to(outputs.dtype), reduction="sum")
    if params.class_weight is None:
        return partial(cross_entropy, reduction="sum")
    counts = torch.bincount(training.y)
    weights = len(training.y) / (len(counts) * counts)
    return lambda logits, y: cross_entropy(logits, y, weights.to(logits.dtype), reduction="sum")


@torch.inference_mode()
def evaluate(network: nn.Module, rows: Rows, loss: Loss, worker: Worker) -> list[float]:
    """Mean loss, and accuracy where there are classes, over all rows; the workers share the work."""
    network.eval()
    sums = torch.zeros(1 if rows.y.is_floating_point() else 2, dtype=torch.float64, device=rows.X.device)
    own = (torch.split(part.tensor_split(worker.world_size)[worker.rank], SLICE_ROWS) for part in rows)
    for x, y in zip(*own, strict=True):
        logits = network(x).double()
        hits = [] if y.is_floating_point() else [(logits.argmax(dim=1) == y).sum()]
        sums += torch.stack([loss(logits, y), *hits])
    return (all_reduce_sum(worker, sums) / len(rows.X)).tolist()


@torch.no_grad()
def in_the_targets_unit(network: nn.Sequential, mean: float, scale: float) -> None:
    """Let a network that was trained on (y - mean) / scale predict y."""
    last = network[-1]
    assert isinstance(last, nn.Linear)
    last.weight.mul_(scale)
    last.bias.mul_(scale).add_(mean)


def _train_epoch(
    network: nn.Module, moments: Moments, rows: Rows, loss: Loss, params: Training, worker: Worker
) -> None:
    """One step of Adam for each batch of `rows`, in their order; each rank takes its part of every batch."""
    network.train()
    weights: list[Tensor] = list(network.parameters())
    for x, y in zip(*(torch.split(part, params.batch_size) for part in rows), strict=True):
        logits = network(x[worker.rank :: worker.world_size])
        # The mean over the whole batch, even from uneven parts: the ranks' gradients are averaged after this.
        mean_loss = loss(logits, y[worker.rank :: worker.world_size]) * (worker.world_size / len(x))
        for weight in weights:
            weight.grad = None
        torch.autograd.backward(mean_loss)
        with torch.no_grad():
            # The function behind torch.optim.Adam, whose class would first import torch's compiler, for a second.
            adam(
                weights,
                [weight.grad for weight in weights if weight.grad is not None],
                moments.means,
                moments.squares,
                [],
                moments.steps,
                amsgrad=False,
                beta1=0.9,
                beta2=0.999,
                lr=params.lr,
                weight_decay=params.weight_decay,
                eps=1e-8,
                maximize=False,
                fused=True,
            )


def _seed(seed: int, epoch: int, stream: int) -> int:
    """A seed of its own for each use of random numbers."""
    return int(np.random.SeedSequence([seed, epoch, stream]).generate_state(1, np.uint64)[0])
