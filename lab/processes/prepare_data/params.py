"""The sections of params.yaml that prepare_data reads. What has a default needs no line there."""

from collections.abc import Callable
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationError, WrapValidator, field_validator, model_validator

from labkit.process.credentials import holds_credentials, query_holds_credentials
from labkit.process.errors import SecretError
from labkit.process.params import Strict


def _explained(wanted: str) -> WrapValidator:
    """Say in one line what is wanted, where pydantic would go through all that a value might have been."""

    def check(value: Any, handler: Callable[[Any], Any]) -> Any:
        try:
            return handler(value)
        except ValidationError:
            raise ValueError(f"write {wanted}") from None

    return WrapValidator(check)


class Constant(Strict):
    """A value that takes the place of a missing one."""

    constant: int | float | str


Missing = Literal["median", "most_frequent", "drop_rows"] | Constant
Categories = Literal["one_hot"] | Annotated[list[str], Field(min_length=2)]
DateParts = Literal["days_since"] | Annotated[list[Literal["year", "month", "weekday"]], Field(min_length=1)]
Scale = Literal["standard", "robust", "none"]
Mark = Annotated[str, Field(min_length=1, max_length=1)]


class Data(Strict):
    """Where the table comes from, which of its columns is predicted, how it is read, and how it is prepared."""

    source: str = Field(min_length=1, pattern=r"^[^\x00-\x1f]*$")  # control characters are in no path or URL
    target: str = Field(min_length=1)
    query: str | None = None
    task: Literal["auto", "classification", "regression"] = "auto"

    separator: Mark = ","
    encoding: str = "utf-8"
    decimal: Mark = "."
    thousands: Mark | None = None
    date_format: str | None = None
    missing_values: list[str] = Field([])

    drop: list[str] = Field([])
    drop_duplicates: bool = False
    drop_unlabelled: bool = False
    missing: Annotated[
        Missing | dict[str, Missing] | None,
        _explained("median, most_frequent, drop_rows or {constant: VALUE}, for all columns or as {COLUMN: ...}"),
    ] = None
    missing_indicator: Annotated[bool | list[str], _explained("true, for all columns, or [COLUMN, ...]")] = False
    categories: Annotated[
        Literal["one_hot"] | dict[str, Categories] | None,
        _explained("one_hot for all columns, or as {COLUMN: one_hot}, or {COLUMN: [LOWEST, ..., HIGHEST]}"),
    ] = None
    max_levels: int = Field(20, ge=2)
    dates: Annotated[
        DateParts | dict[str, DateParts],
        _explained("[year, month, weekday] or days_since, for all columns of dates or as {COLUMN: ...}"),
    ] = Field({})
    scale: Annotated[
        Scale | dict[str, Scale], _explained("standard, robust or none, for all columns or as {COLUMN: ...}")
    ] = "standard"
    strict: bool = False

    @field_validator("source")
    @classmethod
    def _keeps_no_password(cls, source: str) -> str:
        if holds_credentials(source):
            told = "holds a password or a token, and is committed: write $NAME in its place, in capitals, and set NAME"
            raise SecretError(f"{told} in the environment; an @ that belongs to a path is %40")
        return source

    @field_validator("query")
    @classmethod
    def _tells_no_password(cls, query: str | None) -> str | None:
        if query and query_holds_credentials(query):
            raise SecretError("gives a password, and is committed: connect by data.source, with $NAME in its place")
        return query

    @field_validator("encoding")
    @classmethod
    def _is_known(cls, encoding: str) -> str:
        try:
            "".encode(encoding)
        except (LookupError, ValueError):
            raise ValueError("no encoding of Python's; utf-8, latin-1, cp1252 and utf-16 are some") from None
        return encoding

    def missing_of(self, column: str) -> Missing | None:
        """What becomes of a missing value in the column; None stands for a refusal."""
        return self.missing.get(column) if isinstance(self.missing, dict) else self.missing

    def categories_of(self, column: str) -> Literal["one_hot"] | list[str] | None:
        """How the words of the column are encoded; None stands for a refusal."""
        return self.categories.get(column) if isinstance(self.categories, dict) else self.categories

    def parts_of(self, column: str) -> DateParts | None:
        """What is taken of the dates of the column; None stands for a refusal."""
        return self.dates.get(column) if isinstance(self.dates, dict) else self.dates

    def scale_of(self, column: str) -> Scale:
        """How the numbers of the column are scaled."""
        return self.scale.get(column, "standard") if isinstance(self.scale, dict) else self.scale

    def indicates(self, column: str) -> bool:
        """Whether a feature tells where the column has no value."""
        return column in self.missing_indicator if isinstance(self.missing_indicator, list) else self.missing_indicator

    def date_names(self) -> list[str]:
        """The columns that are dates whatever they hold."""
        return [*self.dates] if isinstance(self.dates, dict) else []

    def category_names(self) -> list[str]:
        """The columns that are categories whatever they hold."""
        return [*self.categories] if isinstance(self.categories, dict) else []


class Split(Strict):
    """The parts of the rows that no model trains on; the limits leave some to train on."""

    validation: float = Field(gt=0, lt=0.5)
    test: float = Field(gt=0, lt=0.5)
    seed: int = Field(ge=0)
    group: str | None = None
    time: str | None = None
    folds: int | None = Field(None, ge=3, le=50)

    def columns(self) -> list[str]:
        """The column that the rows are split by, if there is one."""
        return [name for name in (self.group, self.time) if name is not None]

    @model_validator(mode="after")
    def _has_one_way(self) -> "Split":
        if self.group is not None and self.time is not None:
            raise ValueError("group and time cannot both be given; remove one")
        return self


class Params(Strict):
    """What prepare_data reads."""

    data: Data
    split: Split
