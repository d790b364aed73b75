"""The sections of params.yaml that prepare_data reads."""

from urllib.parse import urlsplit

from pydantic import Field, field_validator

from labkit.process.params import Strict


class Data(Strict):
    """Where the table comes from, and which of its columns is predicted."""

    source: str = Field(min_length=1)
    target: str = Field(min_length=1)
    query: str | None

    @field_validator("source")
    @classmethod
    def _keeps_no_password(cls, source: str) -> str:
        if not (urlsplit(source).password or "$").startswith("$"):
            raise ValueError("it holds a password, and is committed; write $NAME there and set NAME in the environment")
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
