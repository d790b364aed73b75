"""Prepare the data: load, check, split and prepare it, as the sections data and split of params.yaml say.

    dvc repro prepare_data
    python -m labkit.launch prepare_data      without DVC

What it writes to data/processed is described in lib/data_splits.py and preparation.py; the report of the data, with
its warnings, goes to artifacts/data.
"""

from hashlib import md5
from pathlib import Path
from typing import Any

import pandas as pd

from lab.processes.prepare_data.advice import warnings_of
from lab.processes.prepare_data.params import Params
from lab.processes.prepare_data.preparation import prepare, save_prepared
from lab.processes.prepare_data.report import describe
from lab.processes.prepare_data.sources import load_table
from labkit.process.errors import InputError
from labkit.process.files import write_json
from labkit.process.params import look_ahead, read_params
from labkit.process.tracking import Run, run_process
from lib.data_splits import DIR_PROCESSED
from lib.task import selection_metric
from lib.viz import plot_data_report

REPORT = Path("artifacts/data")


def main(run: Run) -> None:
    """Write the six splits, the fitted preprocessing, the dataset's description, and the report of the data."""
    params = read_params(Params)
    run.log_params(params.model_dump(exclude_unset=True))
    table, guessed = load_table(params.data, params.split.columns())
    run.log_input(params.data.source, content_md5(table), len(table))
    prepared = prepare(table, params.data, params.split, guessed)
    warnings = warnings_of(prepared, params.data)
    if warnings and params.data.strict:
        raise InputError("\n".join([f"{params.data.source}: data.strict is true, and there is to say:", *warnings]))
    selection_metric(look_ahead("selection", "metric") or "auto", prepared.dataset.task)  # before anything trains
    report = describe(table, prepared, params.data, params.split, warnings)
    write_json(REPORT / "report.json", report)
    plot_data_report(report, REPORT / "report.png")
    save_prepared(prepared, DIR_PROCESSED)
    tell(run, report)


def tell(run: Run, report: dict[str, Any]) -> None:
    """Print what a person should know, and log the report."""
    rows, warnings = report["rows"], report["warnings"]
    used = sum(count for part, count in rows.items() if part != "read")
    if used < rows["read"]:
        print(f"{rows['read'] - used} of {rows['read']} rows left out, as data.missing and data.drop_... say")
    for name, key in report["left_out"].items():
        print(f"{name} is no feature, as {key} says")
    print(f"the target {report['target']['name']} is learned as a {said_of(report['target'])}")
    for warning in warnings:
        print(f"warning: {warning}", flush=True)
    run.log_metrics(
        {
            **{f"{'train' if part == 'training' else part}_rows": n for part, n in rows.items() if part != "read"},
            "features": report["features"],
            **class_shares(report["target"], used),
            "warnings": len(warnings),
        }
    )
    run.set_tags({f"lab.warning.{number}": warning for number, warning in enumerate(warnings, 1)})
    run.log_artifact(DIR_PROCESSED / "dataset.json")
    run.log_artifact(REPORT / "report.json")
    run.log_artifact(REPORT / "report.png")


def content_md5(table: pd.DataFrame) -> str:
    """The md5 of a table's names and values, wherever they were read from."""
    digest = md5(repr([*table.columns]).encode(), usedforsecurity=False)
    digest.update(pd.util.hash_pandas_object(table, index=False).to_numpy().tobytes())
    return digest.hexdigest()


def said_of(target: dict[str, Any]) -> str:
    """The task, and what it was told from."""
    if "classes" in target:
        return f"classification of {len(target['classes'])} classes (data.task: regression for numbers)"
    return f"regression: {target['distinct']} different numbers (data.task: classification if they name classes)"


def class_shares(target: dict[str, Any], rows: int) -> dict[str, float]:
    """How many classes there are, and the shares of the smallest and the largest."""
    if "classes" not in target:
        return {}
    counts = [sum(parts.values()) for parts in target["classes"].values()]
    return {
        "classes": len(counts),
        "smallest_class_share": min(counts) / rows,
        "largest_class_share": max(counts) / rows,  # the accuracy of always guessing that class
    }


if __name__ == "__main__":
    run_process(main)
