"""The sections of params.yaml that prepare_data reads."""

from pydantic import Field, field_validator

from labkit.process.credentials import holds_credentials
from labkit.process.errors import SecretError
from labkit.process.params import Strict


class Data(Strict):
    """Where the table comes from, and which of its columns is predicted."""

    source: str = Field(min_length=1, pattern=r"^[^\x00-\x1f]*$")  # control characters are in no path or URL
    target: str = Field(min_length=1)
    query: str | None

    @field_validator("source")
    @classmethod
    def _keeps_no_password(cls, source: str) -> str:
        if holds_credentials(source):
            told = "holds a password or a token, and is committed: write $NAME in its place, in capitals, and set NAME"
            raise SecretError(f"{told} in the environment; an @ that belongs to a path is %40")
        return source


class Split(Strict):
    """The parts of the rows that no model trains on; the limits leave some to train on."""

    validation: float = Field(gt=0, lt=0.5)
    test: float = Field(gt=0, lt=0.5)
    seed: int = Field(ge=0)


class Params(Strict):
    """What prepare_data reads."""

    data: Data
    split: Split
