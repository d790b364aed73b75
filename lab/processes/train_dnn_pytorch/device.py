"""The device that params.yaml names."""

from typing import Literal

import torch

from labkit.process.errors import InputError


def chosen_device(name: Literal["cpu", "cuda"]) -> torch.device:
    """The device of training.device. Raises InputError where torch can't use it."""
    if name == "cuda" and not torch.cuda.is_available():
        cuda = torch.version.cuda
        why = (
            "is the CPU build" if cuda is None else f"for CUDA {cuda} finds no device (`nvidia-smi` shows those there)"
        )
        raise InputError(
            f"params.yaml: training.device is {name}, but torch {torch.__version__} {why}; "
            "set it to cpu, or run where there is a CUDA device and a build of torch for it"
        )
    return torch.device(name)
