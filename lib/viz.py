"""Plots as PNG files: the same values are always the same bytes, whatever matplotlib settings the user has.

No pyplot: a plain Figure needs no display, keeps no global state and costs a fraction of the time.
"""

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from textwrap import wrap
from typing import Any

import numpy as np
from matplotlib import colormaps, style
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from labkit.process.files import replacing
from lib.metrics import HIGHER_IS_BETTER, best_first

INK, MUTED, FAINT, BLUE, ORANGE = "#1f2933", "#5f6b76", "#dfe4e9", "#1f6fb2", "#d9772b"
BLUES = colormaps["Blues"]
STYLE: list[str | Path | dict[str, Any]] = [
    "default",
    {
        "axes.edgecolor": FAINT,
        "axes.labelcolor": MUTED,
        "axes.spines.right": False,
        "axes.spines.top": False,
        "axes.titlecolor": INK,
        "axes.titlelocation": "left",
        "axes.titlesize": 11,
        "axes.titleweight": "bold",
        "grid.color": FAINT,
        "legend.frameon": False,
        "lines.linewidth": 1.8,
        "text.color": INK,
        "text.parse_math": False,  # a class may be called "$"
        "xtick.color": FAINT,
        "xtick.labelcolor": MUTED,
        "ytick.color": FAINT,
        "ytick.labelcolor": MUTED,
    },
]
CHARACTER = 0.085  # inches, the usual width of one at the default size
LONGEST_NAME = 24  # characters
ROW = 0.28  # inches, in the report of the data
MOST_COLUMNS = 60  # there
ENDS = ("min", "max")
MOST_POINTS = 5000


@style.context(STYLE)
def plot_confusion_matrix(
    matrix: NDArray[np.integer], classes: Sequence[str], path: str | Path, title: str = ""
) -> None:
    """Write a confusion matrix as a PNG file.

    matrix: (classes, classes) counts, a row per actual class, a column per predicted one. Colours are shares of
    the row, so that a rare class reads like a frequent one.
    """
    names = [_shortened(name) for name in classes]
    longest = CHARACTER * max(map(len, names))  # inches, as all lengths here
    cell = 0.45 + 1.5 / len(names)
    turned = longest > cell
    left, below = longest + 0.45, (0.72 * longest if turned else 0.2) + 0.42
    side = cell * len(names)
    figure = Figure(figsize=(max(left + side, 1.3 * CHARACTER * len(title)) + 0.3, below + side + 0.5))
    # Drawn on the figure itself: axes with their ticks would double the time.
    write = partial(figure.text, transform=figure.dpi_scale_trans)

    roomy = cell > 0.65  # for the share below the count
    size = min(11, 0.8 * 10 * cell / CHARACTER / len(f"{matrix.max():,}"))
    shares = matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1)
    for (row, column), count in np.ndenumerate(matrix):
        share = float(shares[row, column])
        x, y = left + cell * column, below + side - cell * (row + 1)
        square = Rectangle((x, y), 0.98 * cell, 0.98 * cell, color=BLUES(0.85 * share))
        square.set_transform(figure.dpi_scale_trans)
        figure.add_artist(square)
        if count or roomy:  # a crowd of zeros would hide the rest
            label = f"{count:,}\n{share:.0%}" if roomy else f"{count:,}"
            colour = "white" if share > 0.6 else INK
            write(x + cell / 2, y + cell / 2, label, color=colour, fontsize=size, ha="center", va="center")

    for place, name in enumerate(names):
        middle = cell * (place + 0.5)
        write(left - 0.08, below + side - middle, name, ha="right", va="center")
        if turned:
            write(left + middle + 0.05, below - 0.05, name, rotation=45, rotation_mode="anchor", ha="right", va="top")
        else:
            write(left + middle, below - 0.08, name, ha="center", va="top")
    write(0.1, below + side / 2, "actual", color=MUTED, rotation=90, va="center")
    write(left + side / 2, 0.1, "predicted", color=MUTED, ha="center")
    write(0.1, below + side + 0.15, title, fontsize=11, fontweight="bold")
    _save(figure, path)


@style.context(STYLE)
def plot_predictions(
    y_true: NDArray[np.floating], predicted: NDArray[np.floating], path: str | Path, title: str = ""
) -> None:
    """Write predicted against actual numbers, and what is between them, as a PNG file.

    y_true, predicted: (rows,); of many rows, MOST_POINTS at equal distances are drawn.
    """
    step = -(-len(y_true) // MOST_POINTS)
    actual, expected = y_true[::step].astype(np.float64), predicted[::step].astype(np.float64)
    ends = (min(actual.min(), expected.min()), max(actual.max(), expected.max()))
    figure = Figure(figsize=(9, 4.2))
    dots: dict[str, Any] = {"color": BLUE, "s": 14, "alpha": 0.6, "linewidths": 0}
    line: dict[str, Any] = {"color": MUTED, "linewidth": 1, "linestyle": ":"}
    left, right = (figure.add_axes((0.09 + 0.5 * place, 0.13, 0.39, 0.74)) for place in range(2))
    left.plot(ends, ends, **line)
    left.scatter(actual, expected, **dots)
    left.set(xlabel="actual", ylabel="predicted")
    left.set_title(title)
    right.axhline(0, **line)
    right.scatter(expected, actual - expected, **dots)
    right.set(xlabel="predicted", ylabel="actual - predicted")
    right.set_title("Residuals")
    _save(figure, path)


@style.context(STYLE)
def plot_importance(
    columns: Sequence[str], lost: NDArray[np.floating], std: NDArray[np.floating], metric: str, path: str | Path
) -> None:
    """Write how much worse a metric gets without each column as a PNG file; of many columns the first MOST_COLUMNS.

    lost, std: (columns,) in the metric's unit, most first.
    """
    shown = [_shortened(name) for name in columns[:MOST_COLUMNS]]
    lost, std = lost[: len(shown)], std[: len(shown)]
    left, height = CHARACTER * max(map(len, shown)) + 0.3, ROW * len(shown)
    figure = Figure(figsize=(left + 5.5, height + 1.2))
    axes = figure.add_axes((left / (left + 5.5), 0.6 / (height + 1.2), 5 / (left + 5.5), height / (height + 1.2)))
    places = np.arange(len(shown))
    axes.hlines(places, 0, lost, color=BLUE, linewidth=50 * ROW, zorder=2)  # as lines: `axes.barh` takes twice the time
    axes.hlines(places, lost - std, lost + std, color=MUTED, zorder=3)
    axes.axvline(0, color=MUTED, linewidth=1)
    axes.grid(axis="x")
    axes.set_yticks([])
    axes.set_ylim(len(shown) - 0.5, -0.5)
    for place, name in enumerate(shown):
        axes.annotate(name, (0, place), (-6, 0), ("axes fraction", "data"), "offset points", va="center", ha="right")
    axes.set_xlabel(f"how much worse {metric.replace('_', ' ')} is when the column's values are shuffled")
    more = f", the first {len(shown)} of {len(columns)}" if len(columns) > len(shown) else ""
    axes.set_title(f"Columns that the selected model needs{more}")
    _save(figure, path)


@style.context(STYLE)
def plot_training_history(
    history: Mapping[str, Sequence[float]], path: str | Path, best_epoch: int | None = None
) -> None:
    """Write the loss, and the accuracy where there is one, of each epoch as a PNG file.

    history: the columns epoch, training_loss, training_accuracy, validation_loss and validation_accuracy;
    `best_epoch` is marked.
    """
    quantities = [name for name in ("loss", "accuracy") if f"training_{name}" in history]
    share = 2 / len(quantities)
    figure = Figure(figsize=(9 / share, 3.4))
    for place, quantity in enumerate(quantities):
        axes = figure.add_axes(((0.07 + 0.49 * place) * share, 0.15, 0.42 * share, 0.72))
        for part, colour in (("training", BLUE), ("validation", ORANGE)):
            axes.plot(history["epoch"], history[f"{part}_{quantity}"], color=colour, label=part)
        if best_epoch is not None:
            axes.axvline(best_epoch, color=MUTED, linewidth=1, linestyle=":", label=f"best epoch: {best_epoch}")
        axes.grid(axis="y")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.set(xlabel="epoch")
        axes.set_title(quantity.capitalize())
    axes.legend(loc="lower right" if len(quantities) > 1 else "upper right")
    _save(figure, path)


@style.context(STYLE)
def plot_comparison(metrics: Mapping[str, Mapping[str, float]], metric: str, path: str | Path) -> None:
    """Write models against one of their metrics, the best on top, as a PNG file.

    metrics: model -> metric -> value.
    """
    models = best_first(metrics, metric)
    values = [metrics[model][metric] for model in models]
    names = [_shortened(model.replace("_", " ")) for model in models]
    left, height = CHARACTER * max(map(len, names)) + 0.3, 0.34 * len(models) + 0.8
    figure = Figure(figsize=(left + 4.8, height))
    axes = figure.add_axes((left / (left + 4.8), 0.3 / height, 4.5 / (left + 4.8), 1 - 0.8 / height))
    axes.scatter(values, range(len(models)), color=BLUE, s=45, zorder=2)
    axes.set_yticks(range(len(models)), names)
    for place, value in enumerate(values):
        axes.annotate(f"{value:.4f}", (value, place), (8, 0), textcoords="offset points", va="center_baseline")
    axes.margins(x=0.15)
    axes.grid(axis="y", linestyle=":")
    axes.set_ylim(len(models) - 0.5, -0.5)
    axes.tick_params(length=0)
    axes.tick_params(axis="y", labelcolor=INK)
    axes.set_title(f"{metric.replace('_', ' ')}: {'higher' if HIGHER_IS_BETTER[metric] else 'lower'} is better")
    _save(figure, path)


@style.context(STYLE)
def plot_data_report(report: Mapping[str, Any], path: str | Path) -> None:
    """Write what is in each column, the target and the warnings as a PNG file.

    report: what prepare_data writes to artifacts/data/report.json.
    """
    columns = report["columns"][:MOST_COLUMNS]
    target = report["target"] | {"kind": "target", "missing": 0}
    if "classes" in target:
        target["levels"] = {label: sum(parts.values()) for label, parts in target["classes"].items()}
    warnings = [line for warning in report["warnings"] for line in wrap(f"! {warning}", 125, subsequent_indent="   ")]
    height = ROW * (len(columns) + 3 + len(warnings)) + 0.6
    figure = Figure(figsize=(9, height))
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set(xlim=(0, 9), ylim=(height, 0))
    axes.axis("off")
    rows = report["rows"]
    parts = ", ".join(f"{count:,} {part}" for part, count in rows.items() if part != "read")
    axes.text(0.2, 0.35, f"{rows['read']:,} rows read: {parts}", fontsize=11, fontweight="bold")
    total = sum(count for part, count in rows.items() if part != "read")
    for place, column in enumerate([target, *columns]):
        _report_row(axes, column, 0.6 + ROW * (place + 1), total)
    below = 0.6 + ROW * (len(columns) + 2)
    if more := len(report["columns"]) - len(columns):
        axes.text(0.2, below, f"and {more} more columns", color=MUTED)
    for place, line in enumerate(warnings):
        axes.text(0.2, below + ROW * (place + 0.8), line, color=ORANGE, fontsize=9)
    _save(figure, path)


def _report_row(axes: Axes, column: Mapping[str, Any], bottom: float, rows: int) -> None:
    """One column: name, kind, missing values, bars for its values, and their range or number."""
    axes.text(0.2, bottom, _shortened(column["name"]))
    axes.text(2.6, bottom, column["kind"], color=MUTED)
    if missing := column["missing"]:
        axes.text(4.5, bottom, f"{missing / rows:.1%} missing", color=ORANGE, ha="right")
    levels = column.get("levels")
    counts = [*levels.values()] if levels is not None else column.get("histogram", [])
    if counts:
        width = 2.0 / len(counts)
        for place, count in enumerate(counts):  # as artists: `axes.bar` takes twice the time
            height = -0.8 * ROW * count / max(counts)
            bar = Rectangle((4.7 + width * place, bottom), 0.85 * width, height, facecolor=BLUE)
            axes.add_artist(bar)
    if levels is not None:
        told = ", ".join(f"{_shortened(level)} {count:,}" for level, count in levels.items())
        axes.text(6.9, bottom, told if len(told) < 30 else f"{told[:29]}…", color=MUTED, fontsize=9)
    elif counts:
        low, high = (str(column[end])[:10] if column["kind"] == "date" else f"{column[end]:,.6g}" for end in ENDS)
        axes.text(6.9, bottom, f"{low} to {high}", color=MUTED, fontsize=9)


def _save(figure: Figure, path: str | Path) -> None:
    with replacing(path) as beside:
        figure.savefig(beside, format="png", dpi=130, metadata={"Software": None}, pil_kwargs={"compress_level": 1})


def _shortened(name: str) -> str:
    return name if len(name) <= LONGEST_NAME else name[: LONGEST_NAME - 1] + "…"
