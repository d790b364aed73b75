"""How the data differ from those of the results before: a stage of dvc.yaml names in its `meta` the file that tells it.

    meta:
      data: artifacts/data/report.json

It is JSON. `rows.read` is a count; `columns` is a list, of each its `name`, how many are `missing`, and either `min`,
`max` and a `histogram` of bins of the same width, or `levels` with their counts. Git keeps a copy of it in lab/results.
"""

import json
from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from labkit.git_cli import file_in
from labkit.paths import TABLES, lies_in
from labkit.pipeline.dependencies import declared_stages, metas
from labkit.process.files import read_json

CHANCE = 0.05  # over all columns together
MISSING = 0.05  # of the rows: a change that people should know
KOLMOGOROV_SMIRNOV, TOTAL_VARIATION = "Kolmogorov-Smirnov distance", "total variation"

Report = dict[str, Any]


class Drift(NamedTuple):
    """A column before and now: its kinds, the shares missing, and how far its distributions are apart.

    `measure` names the distance; it is empty where there is none, of other kinds or no values, and `p` is then 1.
    """

    column: str
    kinds: tuple[str, str]
    missing: tuple[float, float]
    measure: str
    distance: float
    p: float


def reports_here(missing: Sequence[str] = ()) -> Iterator[Report]:
    """The reports of the data that are here, but for those in `missing`."""
    for file in metas(declared_stages(), "data").values():
        if not lies_in(str(file), missing):
            with suppress(OSError, ValueError):
                yield read_json(file)


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
    found = drifts(before, now)
    for one in found:
        lines += _lines(one, CHANCE / len(found))
    return lines


def drifts(before: Report, now: Report) -> list[Drift]:
    """How far each column that both reports have is from what it was."""
    old = {column["name"]: column for column in before["columns"]}
    return [_drift(old[new["name"]], new) for new in now["columns"] if new["name"] in old]


def _drift(old: Report, new: Report) -> Drift:
    before, now = (side["missing"] / max(1, side["missing"] + _present(side)) for side in (old, new))
    measure, distance, p = "", 0.0, 1.0
    if _present(old) and _present(new):
        if "histogram" in old and "histogram" in new:
            measure, (distance, p) = KOLMOGOROV_SMIRNOV, kolmogorov_smirnov(old, new)
        elif "levels" in old and "levels" in new:
            measure, (distance, p) = TOTAL_VARIATION, homogeneity(old["levels"], new["levels"])
    kinds = str(old.get("kind", "")), str(new.get("kind", ""))
    return Drift(new["name"], kinds, (before, now), measure, distance, p)


def _lines(one: Drift, chance: float) -> Iterator[str]:
    before, now = one.missing
    if abs(now - before) >= MISSING:
        yield f"{one.column}: {now:.0%} missing, {before:.0%} before"
    if one.measure == KOLMOGOROV_SMIRNOV and one.p < chance:
        yield f"{one.column}: distributed otherwise (Kolmogorov-Smirnov distance {one.distance:.2f})"
    elif one.measure == TOTAL_VARIATION and one.p < chance:
        yield f"{one.column}: other shares of its levels (total variation {one.distance:.2f})"
    elif not one.measure and one.kinds[0] != one.kinds[1] and max(before, now) < 1:
        yield f"{one.column}: {one.kinds[1]}, {one.kinds[0]} before"


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


def _present(column: Report) -> int:
    return sum(column.get("histogram", [])) or sum(column.get("levels", {}).values())


def _number(value: Any) -> float:
    """A number, or a date as seconds."""
    return float(np.datetime64(value, "s").astype(np.int64)) if isinstance(value, str) else float(value)
