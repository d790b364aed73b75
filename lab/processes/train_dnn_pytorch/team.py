"""The processes that train one network together: one alone, or those that torchrun started."""

import gc
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import torch

# Not used here. DistributedDataParallel imports it, and then its default arguments hold the group, with its threads,
# until the interpreter ends, which aborts it (github.com/pytorch/pytorch/issues/190489): so, before there is a group.
import torch.distributed.nn
from torch import distributed


class Team(NamedTuple):
    """This process's place among `size` equal ones; rank 0 is the one that reads, writes and prints."""

    rank: int = 0
    size: int = 1


@contextmanager
def join_team(device: torch.device) -> Iterator[Team]:
    """Join the processes that torchrun started until the end; on CUDA, each with a device of its own."""
    if not distributed.is_torchelastic_launched():
        yield Team()
        return
    if device.type == "cuda":
        torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))
    distributed.init_process_group("nccl" if device.type == "cuda" else "gloo")
    try:
        yield Team(distributed.get_rank(), distributed.get_world_size())
    finally:
        gc.collect()  # the model holds the group, and itself
        distributed.destroy_process_group()


def from_leader(value: Any, team: Team) -> Any:
    """What rank 0 gave as `value`, on every rank."""
    if team.size == 1:
        return value
    box = [value]
    distributed.broadcast_object_list(box)
    return box[0]


def sum_over(team: Team, values: torch.Tensor) -> torch.Tensor:
    """The sum of the ranks' `values`, on every rank; `values` is overwritten."""
    if team.size > 1:
        distributed.all_reduce(values)
    return values
