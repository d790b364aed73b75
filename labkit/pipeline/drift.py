"""How the data differ from those of the results before: a stage of dvc.yaml names in its `meta` the file that tells it.

    meta:
      data: artifacts/data/report.json

It is JSON. `rows.read` is a count; `columns` is a list, of each its `name`, how many are `missing`, and either `min`,
`max` and a `histogram` of bins of the same width, or `levels` with their counts. Git keeps a copy of it in lab/results.
"""

import json
from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import Any

import numpy as np
from numpy.typing import NDArray

from labkit.git_cli import file_in
from labkit.paths import TABLES, lies_in
from labkit.pipeline.dependencies import declared_stages, metas
from labkit.process.files import read_json

CHANCE = 0.05  # over all columns together
MISSING = 0.05  # of the rows: a change that people should know

Report = dict[str, Any]


def drift_since(commit: str, missing: Sequence[str] = ()) -> list[str]:
    """What of the data here is not as in a commit, a line each, but for what lies in `missing`; nothing if unknown."""
    found = []
    for file in metas(declared_stages(), "data").values():
        if lies_in(str(file), missing):
            continue
        with suppress(OSError, ValueError, TypeError, KeyError):  # not here, or of another form
            before = json.loads(file_in(commit, f"{TABLES}/{file}") or b"null")
            now = read_json(file)
            if before and before != now:
                found += differences(before, now)
    return found


def differences(before: Report, now: Report) -> list[str]:
    """The differences of two reports that are more than chance (5%, Bonferroni's bound over the columns)."""
    old, new = ({column["name"]: column for column in report["columns"]} for report in (before, now))
    lines = []
    if before["rows"]["read"] != now["rows"]["read"]:
        lines.append(f"{now['rows']['read']} rows, {before['rows']['read']} before")
    for names, told in ((old.keys() - new.keys(), "gone"), (new.keys() - old.keys(), "new")):
        if names:
            lines.append(f"columns that are {told}: {', '.join(sorted(names))}")
    both = [name for name in new if name in old]
    for name in both:
        lines += _of_column(name, old[name], new[name], CHANCE / len(both))
    return lines


def _of_column(name: str, old: Report, new: Report, chance: float) -> Iterator[str]:
    shares = [column["missing"] / max(1, column["missing"] + _known(column)) for column in (old, new)]
    if abs(shares[1] - shares[0]) >= MISSING:
        yield f"{name}: {shares[1]:.0%} missing, {shares[0]:.0%} before"
    if not (_known(old) and _known(new)):
        return
    if "histogram" in old and "histogram" in new:
        distance, p = kolmogorov_smirnov(old, new)
        if p < chance:
            yield f"{name}: distributed otherwise (Kolmogorov-Smirnov distance {distance:.2f})"
    elif "levels" in old and "levels" in new:
        distance, p = homogeneity(old["levels"], new["levels"])
        if p < chance:
            yield f"{name}: other shares of its levels (total variation {distance:.2f})"
    else:
        yield f"{name}: {new['kind']}, {old['kind']} before"


def kolmogorov_smirnov(one: Report, other: Report) -> tuple[float, float]:
    """The greatest distance of two distributions that are known by their histograms, and its asymptotic p-value.

    Within a bin, values count as spread evenly. https://doi.org/10.1214/aoms/1177730256 (Smirnov 1948).
    """
    from scipy.stats import kstwobign  # takes a second, and is needed only where the data differ

    edges = [
        np.linspace(_number(report["min"]), _number(report["max"]), len(report["histogram"]) + 1)
        for report in (one, other)
    ]
    sums = [np.concatenate([[0.0], np.cumsum(report["histogram"])]) for report in (one, other)]
    at = np.union1d(*edges)
    below = [_below(at, place, total) / total[-1] for place, total in zip(edges, sums, strict=True)]
    distance = float(np.abs(below[0] - below[1]).max())
    n, m = (total[-1] for total in sums)
    return distance, float(kstwobign.sf(distance * np.sqrt(n * m / (n + m))))


def homogeneity(one: dict[str, int], other: dict[str, int]) -> tuple[float, float]:
    """The total variation distance of two counts of levels, and the p-value of the chi-square test of homogeneity."""
    from scipy.stats import chi2_contingency

    levels = sorted(one.keys() | other.keys())
    counts = np.array([[told.get(level, 0) for level in levels] for told in (one, other)], dtype=np.float64)
    if len(levels) < 2:
        return 0.0, 1.0
    shares = counts / counts.sum(axis=1, keepdims=True)
    return float(np.abs(shares[0] - shares[1]).sum() / 2), float(chi2_contingency(counts).pvalue)


def _below(at: NDArray[np.float64], edges: NDArray[np.float64], sums: NDArray[np.float64]) -> NDArray[np.float64]:
    """How many values lie at or below each place."""
    if edges[0] == edges[-1]:  # one value
        return np.where(at >= edges[0], sums[-1], 0.0)
    return np.interp(at, edges, sums).astype(np.float64)


def _known(column: Report) -> int:
    return sum(column.get("histogram", [])) or sum(column.get("levels", {}).values())


def _number(value: Any) -> float:
    """A number, or a date as seconds."""
    return float(np.datetime64(value, "s").astype(np.int64)) if isinstance(value, str) else float(value)
