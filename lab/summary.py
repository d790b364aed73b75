"""The tables that end `make run`: every model's metrics, the one selected, the goals, and where to look next."""

import csv
from pathlib import Path

from rich.console import Console
from rich.table import Table

from lib.files import read_json
from lib.goals import Verdict, judge, read_goals

RESULTS = Path("artifacts/best_model")


def print_summary(console: Console, results: Path = RESULTS) -> list[Verdict]:
    """Print the tables for the results in `results` and return the verdicts on the goals."""
    metrics = read_json(results / "metrics.json")
    console.print(models_table(list(csv.DictReader((results / "comparison.csv").open(encoding="utf-8"))), metrics))
    verdicts = [judge(goal) for goal in read_goals()]
    console.print(goals_table(verdicts))
    return verdicts


def models_table(comparison: list[dict[str, str]], metrics: dict[str, dict[str, float]]) -> Table:
    """Validation metrics of the models, best first, and below them the test metrics of the selected one."""
    names = [name for name in comparison[0] if name not in ("model", "training_rows")]
    table = Table(title="Models, by their validation rows", title_justify="left", show_footer=True)
    table.add_column("model", footer="its test rows")
    for name in names:
        table.add_column(name.replace("_", " "), justify="right", footer=f"{metrics['test'][name]:.3f}")
    table.add_column("training rows", justify="right")
    for row in comparison:
        selected = row["model"] == metrics["selected"]
        values = [f"{float(row[name]):.3f}" for name in names]
        label = f"★ {row['model']}" if selected else f"  {row['model']}"
        table.add_row(label, *values, row["training_rows"], style="bold green" if selected else None)
    return table


def goals_table(verdicts: list[Verdict]) -> Table:
    """Each goal, what was reached, what was wanted."""
    table = Table(title="Goals, by the selected model", title_justify="left")
    table.add_column("")
    for heading in ("goal", "metric", "reached", "wanted"):
        table.add_column(heading, justify="right" if heading in ("reached", "wanted") else "left")
    for goal, value, met in verdicts:
        word = "[green]met[/]" if met else "[yellow]ambition[/]" if goal.ambition else "[bold red]refused[/]"
        table.add_row(word, goal.goal, goal.metric, f"{value:.3f}", goal.threshold)
    return table
