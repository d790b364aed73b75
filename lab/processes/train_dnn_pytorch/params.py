"""What this process reads of params.yaml."""

from typing import Annotated, Literal

from pydantic import Field

from labkit.process.params import Strict


class Training(Strict):
    """How the dense network is trained."""

    device: Literal["cpu", "cuda"]
    seed: int = Field(ge=0)
    hidden_layers: list[Annotated[int, Field(gt=0)]]
    dropout: float = Field(ge=0, lt=1)
    lr: float = Field(gt=0)
    weight_decay: float = Field(ge=0)
    batch_size: int = Field(gt=0)
    epochs: int = Field(gt=0)
    kernels: Literal["portable", "native"]  # for the launcher, which sets them before the process starts


class Params(Strict):
    """The sections that this process reads."""

    training: Training
