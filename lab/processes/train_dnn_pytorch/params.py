"""What this process reads of params.yaml."""

from typing import Annotated, Literal

from pydantic import Field

from labkit.process.params import Strict

MOST = 1_000_000  # of units or epochs: more is a slip of the pen, on which memory or time run out


class Training(Strict):
    """How the dense network is trained."""

    device: Literal["cpu", "cuda"]
    seed: int = Field(ge=0)
    hidden_layers: list[Annotated[int, Field(gt=0, le=MOST)]] = Field(max_length=1000)
    dropout: float = Field(ge=0, lt=1)
    lr: float = Field(gt=0)
    weight_decay: float = Field(ge=0, le=1000)
    batch_size: int = Field(gt=0, le=2**31 - 1)
    epochs: int = Field(gt=0, le=MOST)
    class_weight: Literal["balanced"] | None = None
    kernels: Literal["portable", "native"]  # for the launcher, which sets them before the process starts


class Params(Strict):
    """The sections that this process reads."""

    training: Training
