"""The tables that end `make run`: every model's metrics and the one selected, where a lab has models, and the goals.

python -m labkit.report.tables lab/docs/run.svg      writes them as the README's picture
"""

import re
import sys
from io import StringIO
from pathlib import Path
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from labkit.goals import GOALS_FILE, Verdict, verdicts
from labkit.pipeline.drift import drift_since
from labkit.pipeline.leaderboard import Model, Selected, models, read_leaderboard, selected
from labkit.pipeline.warnings import read_warnings
from labkit.process.errors import InputError
from labkit.report.first_goals import COMMAND, do_not_fit

COLOURS = {"met": "green", "reached": "green", "ambition": "yellow", "not judged": "yellow", "missed": "bold red"}
OTHER_GOALS = f"The goals are those of the template's example: [bold]{COMMAND}[/] takes yours from this run."
LOOK: dict[str, Any] = {"title_justify": "left", "box": SIMPLE_HEAD, "padding": (0, 1, 0, 0)}  # fits 80 columns


def print_summary(console: Console) -> None:
    """Print the tables for the results that are here."""
    try:
        if board := read_leaderboard():
            console.print(models_table(models(board), selected(board)))
    except InputError as error:
        console.print(f"[yellow]no table of the models[/]: {escape(str(error))}", soft_wrap=True)
    try:
        for warning in read_warnings():
            console.print(f"[yellow]warning[/]: {escape(warning)}", soft_wrap=True)
    except InputError as error:
        console.print(f"[yellow]no warnings are known[/]: {escape(str(error))}", soft_wrap=True)
    for line in drift_since("HEAD"):
        console.print(f"[yellow]other data than in the last commit[/]: {escape(line)}", soft_wrap=True)
    if do_not_fit():
        console.print(OTHER_GOALS)
    else:
        _print_goals(console)


def _print_goals(console: Console) -> None:
    if judged := verdicts():
        console.print(goals_table(judged))
    for goal, _, met, unknown in judged:
        if met and goal.ambition:
            console.print(f"Reached: {escape(goal.goal)}. Remove `ambition: true` from {GOALS_FILE}, so that it stays.")
        if met is None:
            console.print(f"Not judged: {escape(goal.goal)}: {escape(unknown)}; correct it in {GOALS_FILE}.")


def models_table(compared: list[Model], best: Selected) -> Table:
    """Validation metrics of the models, best first, and below them the test metrics of the selected one."""
    names = [name for name in compared[0] if name != "model"]
    crossed = any(name.endswith("_std") for name in names)
    table = Table(
        title=f"Models, by {'cross-validation' if crossed else 'their validation rows'}", show_footer=True, **LOOK
    )
    table.add_column("model", footer="★ on its test rows", no_wrap=True)
    for name in names:
        table.add_column(
            escape(name.replace("_", "\n")), justify="right", footer=escape(number(best.test.get(name, "")))
        )
    for row in compared:
        is_best = row["model"] == best.model
        label = f"{'★' if is_best else ' '} {escape(row['model'])}"
        table.add_row(label, *(escape(number(row[name])) for name in names), style="bold green" if is_best else None)
    return table


def number(value: Any) -> str:
    """A metric as the tables show it: a count or a word as it is, else three decimals."""
    if re.fullmatch(r"-?\d+", str(value)):
        return str(value)
    try:
        return f"{float(value):.3f}"
    except (TypeError, ValueError):
        return str(value)


def goals_table(judged: list[Verdict]) -> Table:
    """Each goal, what was reached, what was wanted."""
    table = Table(title="Goals", **LOOK)
    table.add_column("")
    table.add_column("goal")
    table.add_column("metric", no_wrap=True)
    table.add_column("reached", justify="right")
    table.add_column("wanted", justify="right", no_wrap=True)
    for one in judged:
        goal, reached = one.goal, "" if one.met is None else f"{one.value:.3f}"
        word = f"[{COLOURS[one.word]}]{one.word}[/]"
        table.add_row(word, escape(goal.goal), escape(goal.metric), reached, goal.threshold)
    return table


def main() -> None:
    """Write the tables as an SVG file."""
    console = Console(record=True, width=80, file=StringIO())
    print_summary(console)
    Path(sys.argv[1]).write_text(console.export_svg(title="make run", unique_id="run"), encoding="utf-8")


if __name__ == "__main__":
    main()
