"""What train_standard_classifiers reads of params.yaml."""

from typing import Literal

from pydantic import Field, model_validator

from labkit.process.params import Strict

MOST = 1_000_000  # of whatever is counted: more is a slip of the pen, on which scikit-learn fails late and oddly


class LogisticRegressionParams(Strict):
    """A linear model."""

    C: float = Field(gt=0)


class NaiveBayesParams(Strict):
    """A normal distribution per class and feature."""

    var_smoothing: float = Field(ge=0)


class KNearestNeighboursParams(Strict):
    """The vote of the most similar training rows."""

    n_neighbors: int = Field(ge=1, le=MOST)


class SupportVectorMachineParams(Strict):
    """The widest margin between the classes, in the space of the RBF kernel."""

    C: float = Field(gt=0)


class DecisionTreeParams(Strict):
    """One tree of yes-or-no questions."""

    max_depth: int | None = Field(ge=1, le=MOST)


class RandomForestParams(Strict):
    """The mean of trees that each see other rows and features."""

    n_estimators: int = Field(ge=1, le=MOST)


class GradientBoostingParams(Strict):
    """Trees that each correct the ones before."""

    n_estimators: int = Field(ge=1, le=MOST)
    learning_rate: float = Field(gt=0, le=1)


class Classifiers(Strict):
    """The families, of which `null` leaves one out, and what they have in common."""

    seed: int = Field(ge=0, lt=2**32)
    max_rows_quadratic: int = Field(ge=100, le=MOST)
    class_weight: Literal["balanced"] | None = None
    logistic_regression: LogisticRegressionParams | None
    naive_bayes: NaiveBayesParams | None
    k_nearest_neighbours: KNearestNeighboursParams | None
    support_vector_machine: SupportVectorMachineParams | None
    decision_tree: DecisionTreeParams | None
    random_forest: RandomForestParams | None
    gradient_boosting: GradientBoostingParams | None

    @model_validator(mode="after")
    def _keeps_one(self) -> "Classifiers":
        if all(getattr(self, family) is None for family in FAMILIES):
            raise ValueError("every family is null; keep one, or remove the process")
        return self


FAMILIES = [name for name in Classifiers.model_fields if name not in ("seed", "max_rows_quadratic", "class_weight")]


class Params(Strict):
    """The sections that this process reads."""

    classifiers: Classifiers
