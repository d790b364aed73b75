from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
import pytest
from matplotlib.image import imread

from lib.viz import (
    plot_comparison,
    plot_confusion_matrix,
    plot_data_report,
    plot_importance,
    plot_predictions,
    plot_training_history,
)

pytestmark = pytest.mark.unittest

MATRIX = np.array([[30, 2], [1, 40]])
HISTORY: dict[str, list[float]] = {
    "epoch": [1, 2, 3],
    "training_loss": [0.9, 0.5, 0.4],
    "training_accuracy": [0.6, 0.8, 0.9],
    "validation_loss": [0.8, 0.6, 0.7],
    "validation_accuracy": [0.7, 0.8, 0.7],
}
MODELS = {"first_model": {"f1": 0.5, "log_loss": 0.7}, "second_model": {"f1": 0.6, "log_loss": 0.4}}

REPORT: dict[str, Any] = {
    "rows": {"read": 10, "training": 5, "validation": 2, "test": 2},
    "columns": [
        {"name": "length", "kind": "number", "missing": 2, "distinct": 2, "min": 1, "max": 9e9, "histogram": [1, 6]},
        {"name": "place", "kind": "category", "missing": 0, "distinct": 2, "levels": {"$x_1": 8, "wood": 1}},
        {"name": "seen", "kind": "date", "missing": 9, "distinct": 0},
    ],
    "target": {"name": "species", "classes": {"rose": {"training": 5, "validation": 2, "test": 2}}},
    "warnings": ["validation has 2 rows " * 20],
}

# Each plot, and the same one of values that differ in one place.
PLOTS = [
    pytest.param(
        partial(plot_confusion_matrix, MATRIX, ["no", "yes"]),
        partial(plot_confusion_matrix, MATRIX.T, ["no", "yes"]),
        id="confusion_matrix",
    ),
    pytest.param(
        partial(plot_predictions, np.arange(9.0), np.arange(9.0) + 1),
        partial(plot_predictions, np.arange(9.0), np.arange(9.0) + 2),
        id="predictions",
    ),
    pytest.param(
        partial(plot_training_history, HISTORY, best_epoch=2),
        partial(plot_training_history, HISTORY, best_epoch=3),
        id="training_history",
    ),
    pytest.param(
        partial(plot_data_report, REPORT), partial(plot_data_report, {**REPORT, "warnings": []}), id="data_report"
    ),
    pytest.param(
        partial(plot_importance, ["area", "word"], np.array([0.3, -0.1]), np.array([0.1, 0.0]), "rmse"),
        partial(plot_importance, ["area", "word"], np.array([0.3, -0.1]), np.array([0.2, 0.0]), "rmse"),
        id="importance",
    ),
    pytest.param(partial(plot_comparison, MODELS, "log_loss"), partial(plot_comparison, MODELS, "f1"), id="comparison"),
]
Plot = Callable[..., None]


@pytest.mark.parametrize(("plot", "other"), PLOTS)
def test_same_values_are_the_same_bytes_and_others_are_not(plot: Plot, other: Plot, tmp_path: Path) -> None:
    for name, draw in (("a", plot), ("b", other), ("c", plot)):
        draw(path=tmp_path / f"{name}.png")

    first, changed, again = (path.read_bytes() for path in sorted(tmp_path.iterdir()))

    assert first == again
    assert first != changed


@pytest.mark.parametrize(("plot", "other"), PLOTS)
def test_the_users_own_style_changes_nothing(plot: Plot, other: Plot, tmp_path: Path) -> None:
    plot(path=tmp_path / "usual.png")
    with matplotlib.rc_context({"font.size": 20, "axes.facecolor": "black", "savefig.bbox": "tight"}):
        plot(path=tmp_path / "styled.png")

    assert (tmp_path / "styled.png").read_bytes() == (tmp_path / "usual.png").read_bytes()


@pytest.mark.parametrize("classes", [2, 3, 8, 20])
@pytest.mark.parametrize("name", ["{}", "a class with a very long name, number {}", "$x_{}"])
def test_nothing_is_cut_off_at_the_edges(classes: int, name: str, tmp_path: Path) -> None:
    matrix = np.full((classes, classes), 123_456)
    path = tmp_path / "matrix.png"

    names = [name.format(i) for i in range(classes)]
    plot_confusion_matrix(matrix, names, path, title="A title that is wider than a small matrix")

    image = imread(path)[..., :3]
    edges: list[Any] = [image[0], image[-1], image[:, 0], image[:, -1]]
    assert all((edge == 1).all() for edge in edges)


def test_a_history_without_accuracy_and_a_target_of_numbers_are_drawn(tmp_path: Path) -> None:
    losses = {name: column for name, column in HISTORY.items() if "accuracy" not in name}
    number = {"name": "weight", "task": "regression", "min": 1.0, "max": 2.0, "histogram": [1, 2], "missing": 0}
    plot_training_history(losses, tmp_path / "losses.png")
    plot_data_report({**REPORT, "target": number}, tmp_path / "report.png")

    assert len(list(tmp_path.iterdir())) == 2


def test_class_without_rows_is_drawn(tmp_path: Path) -> None:
    plot_confusion_matrix(np.array([[0, 0], [1, 2]]), ["no", "yes"], tmp_path / "matrix.png")

    assert imread(tmp_path / "matrix.png").ndim == 3


def test_a_crowd_of_classes_has_its_counts(tmp_path: Path) -> None:
    """Of the same shares, and so of the same colours."""
    for count in (1, 2):
        plot_confusion_matrix(count * np.eye(20, dtype=int), [""] * 20, tmp_path / f"{count}.png")

    assert (tmp_path / "1.png").read_bytes() != (tmp_path / "2.png").read_bytes()


def test_the_data_report_tells_how_many_rows_each_part_has(tmp_path: Path) -> None:
    plot_data_report(REPORT, tmp_path / "a.png")
    plot_data_report({**REPORT, "rows": {**REPORT["rows"], "validation": 1, "test": 3}}, tmp_path / "b.png")

    assert (tmp_path / "a.png").read_bytes() != (tmp_path / "b.png").read_bytes()
