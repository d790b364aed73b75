"""The data on the page of a run: how many rows, what is in each column, and what has changed."""

from contextlib import suppress
from typing import Any

from labkit.pipeline.drift import drift_since, reports_here
from labkit.report.markdown import plain, table

MOST_COLUMNS = 12
MOST_LEVELS = 3
COLUMNS = ("column", "kind", "missing", "min, median and max, or levels")


def data_section(rev: str, missing: list[str]) -> str:
    """The data as their report tells, and how they differ from those of the results before, if it is not `missing`."""
    found = []
    for report in reports_here(missing):
        with suppress(KeyError, TypeError, ValueError):  # of another form
            found.append(_described(report))
    if lines := [f"- {plain(line)}" for line in drift_since(rev, missing)]:
        found.append(f"Not as in {plain(rev[:10])}:\n\n" + "\n".join(lines))
    return "### Data\n\n" + "\n\n".join(found) if found else ""


def described(report: dict[str, Any]) -> tuple[str, list[list[str]]]:
    """A report in one sentence, and of each column what is in it, as COLUMNS has it.

    Raises KeyError, TypeError or ValueError for one of another form than pipeline/drift.py tells.
    """
    columns, rows = report["columns"], dict(report["rows"])
    read = rows.pop("read")
    parts = ", ".join(f"{count:,} for {part}" for part, count in rows.items())
    lacking = sum(column["missing"] > 0 for column in columns)
    features = f" that make {report['features']:,} features" if "features" in report else ""
    rows_told = f"{read:,} rows" + (f" ({parts})" if parts else "")
    told = f"{rows_told}, {len(columns)} columns{features}, {lacking} of them with missing values."
    return told, [
        [str(column["name"]), str(column["kind"]), str(column["missing"]), _span(column)] for column in columns
    ]


def _described(report: dict[str, Any]) -> str:
    told, columns = described(report)
    lines = [[*map(plain, column)] for column in columns[:MOST_COLUMNS]]
    more = f"\n\nand {len(columns) - MOST_COLUMNS} more" if len(columns) > MOST_COLUMNS else ""
    return f"{plain(told)}\n\n<details><summary>Columns</summary>\n\n{table(COLUMNS, lines)}{more}\n\n</details>"


def _span(column: dict[str, Any]) -> str:
    if "levels" in column:
        more = [f"{column['distinct']} in all"] if column["distinct"] > MOST_LEVELS else []
        return ", ".join([*[*column["levels"]][:MOST_LEVELS], *more])
    return ", ".join(f"{value:.4g}" if isinstance(value, float) else str(value) for value in _ends(column))


def _ends(column: dict[str, Any]) -> list[Any]:
    return [column[name] for name in ("min", "median", "max") if name in column]
