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


class Worker(NamedTuple):
    """This process's place among `world_size` equal ones; rank 0 is the one that reads, writes and prints."""

    rank: int = 0
    world_size: int = 1


@contextmanager
def join_process_group(device: torch.device) -> Iterator[Worker]:
    """Join the processes that torchrun started until the end; on CUDA, each with a device of its own."""
    if not distributed.is_torchelastic_launched():
        yield Worker()
        return
    if device.type == "cuda":
        torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))
    distributed.init_process_group("nccl" if device.type == "cuda" else "gloo")
    try:
        yield Worker(distributed.get_rank(), distributed.get_world_size())
    finally:
        gc.collect()  # the model holds the group, and itself
        distributed.destroy_process_group()


def broadcast(value: Any, worker: Worker) -> Any:
    """What rank 0 gave as `value`, on every rank."""
    if worker.world_size == 1:
        return value
    box = [value]
    distributed.broadcast_object_list(box)
    return box[0]


def all_reduce_sum(worker: Worker, values: torch.Tensor) -> torch.Tensor:
    """The sum of the ranks' `values`, on every rank; `values` is overwritten."""
    if worker.world_size > 1:
        distributed.all_reduce(values)
    return values
