"""The preprocessing: one ColumnTransformer from the raw table's columns to the numbers that models take."""

from collections.abc import Iterable
from typing import Any, NamedTuple

from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, OrdinalEncoder, RobustScaler, StandardScaler

from lab.processes.prepare_data.params import Constant, Data, Missing, Scale
from lib.columns import (
    Column,
    date_feature_names,
    date_features,
    level_name,
    missing_feature_names,
    missing_features,
)

KINDS = ("number", "category", "date")


class Recipe(NamedTuple):
    """What is done to a column; columns of one recipe are prepared together."""

    kind: str
    missing: Missing | None
    scale: Scale
    details: tuple[str, ...] = ()  # the levels of an ordered category, the parts of a date


def preprocessing(columns: list[Column], data: Data, indicated: Iterable[str]) -> ColumnTransformer:
    """The steps for the columns, not fitted yet; for those of `indicated` a feature tells where a value is missing."""
    groups: dict[Recipe, list[str]] = {}
    for column in sorted(columns, key=lambda column: KINDS.index(column.kind)):
        groups.setdefault(_recipe(column, data), []).append(column.name)
    branches = [
        (f"{recipe.kind}_{number}", make_pipeline(*_steps(recipe, data)), names)
        for number, (recipe, names) in enumerate(groups.items())
    ]
    if told := [*indicated]:
        tell = FunctionTransformer(missing_features, feature_names_out=missing_feature_names)
        branches.append(("missing", tell, told))
    return ColumnTransformer(branches, sparse_threshold=0, verbose_feature_names_out=False)


def feature_columns(fitted: ColumnTransformer) -> list[str]:
    """Of each feature that a fitted preprocessing makes, the raw column that it is made of."""
    return [
        name
        for _, branch, names in fitted.transformers_
        for name, count in zip(names, _counts(branch, len(names)), strict=True)
        for _ in range(count)
    ]


def _counts(branch: Any, columns: int) -> list[int]:
    """How many features a branch makes of each of its columns."""
    first, last = (branch[0], branch[-1]) if hasattr(branch, "steps") else (branch, branch)
    if isinstance(last, OneHotEncoder):
        rare = last.infrequent_categories_ if last.max_categories else [None] * columns
        both = zip(last.categories_, rare, strict=True)
        return [len(levels) - (0 if few is None else len(few) - 1) for levels, few in both]
    parts = getattr(first, "kw_args", None) or {}
    return [len(parts.get("parts", "1"))] * columns


def _recipe(column: Column, data: Data) -> Recipe:
    missing, scale = data.missing_of(column.name) if column.optional else None, data.scale_of(column.name)
    if column.kind == "date":
        parts = data.parts_of(column.name) or ()
        return Recipe("date", missing, scale, (parts,) if isinstance(parts, str) else tuple(parts))
    return Recipe(column.kind, missing, scale, tuple(column.levels or ()))


def _steps(recipe: Recipe, data: Data) -> list[Any]:
    """The steps of one recipe; levels that no training row has are no feature, or that of the rare levels."""
    scale = {"standard": [StandardScaler()], "robust": [RobustScaler()], "none": []}[recipe.scale]
    if recipe.kind == "category" and not recipe.details:
        encode = OneHotEncoder(
            max_categories=data.max_levels,
            handle_unknown="infrequent_if_exist",
            sparse_output=False,
            feature_name_combiner=level_name,
        )
        return [*_fill(recipe.missing, words=True), encode]
    if recipe.kind == "category":
        levels = [[*recipe.details]]
        encode = OrdinalEncoder(categories=levels, handle_unknown="use_encoded_value", unknown_value=float("nan"))
        constant = isinstance(recipe.missing, Constant)  # a level, where the others are numbers by then
        fill = _fill(recipe.missing, words=constant)
        return [*fill, encode, *scale] if constant else [encode, *fill, *scale]
    if recipe.kind == "date":
        tell = FunctionTransformer(
            date_features, kw_args={"parts": [*recipe.details]}, feature_names_out=date_feature_names
        )
        return [tell, *_fill(recipe.missing), *scale]
    return [*_fill(recipe.missing), *(scale or ["passthrough"])]


def _fill(missing: Missing | None, words: bool = False) -> list[SimpleImputer]:
    match missing:
        case None | "drop_rows":
            return []
        case Constant(constant=value):
            constant: Any = str(value) if words else value
            return [SimpleImputer(strategy="constant", fill_value=constant, keep_empty_features=True)]
        case _:
            strategy = "most_frequent" if words else missing
            return [SimpleImputer(strategy=strategy, keep_empty_features=True)]
