"""What was found as tables of text, the same in the terminal and on the page."""

from collections.abc import Sized
from typing import NamedTuple

from labkit.compare.gather import ANEW, File, Found, Metric, Param, RowTest, is_of_another_target
from labkit.pipeline.drift import Drift

MOST_ROWS = 40  # of a table in the terminal
TESTED = (
    "In brackets: the 95% interval of the difference, by the paired bootstrap. p: how often chance alone makes one as "
    "large (accuracy: exact McNemar; others: paired permutation), by Holm's method for the {} tests of this "
    "table. Noise: p is 0.05 or more."
)
UNTESTED = "Without intervals, which need the predictions of each row from both sides."


class Section(NamedTuple):
    """A table: the first columns are names, the last `numbers` of them stand to the right."""

    title: str
    note: str
    columns: list[str]
    rows: list[list[str]]
    numbers: int = 0


def as_sections(found: Found, a: str = "A", b: str = "B") -> list[Section]:
    """All that differs, in the order of cause and effect; where nothing does, that is said."""
    code = f"Files: {len(found.code)}; lines added: {_sum(found.code, 1)}, removed: {_sum(found.code, 2)}."
    changed = [one for one in found.metrics if one.a != one.b]
    same = len(found.metrics) - len(changed)
    compared = (f"{UNTESTED} " if changed else "") + f"{same} of {len(found.metrics)} are the same."
    is_anew = is_of_another_target(found)
    return [
        Section("Code", _same(found.code) or code, ["file", "+", "-"], [*map(_file, found.code)], 2),
        Section("Parameters", _same(found.params), ["parameter", a, b], [*map(_param, found.params)]),
        Section(
            "Stages",
            _same(found.stages),
            ["stage", "what it read differently"],
            [[stage, ", ".join(told) or "nothing: its outputs alone differ"] for stage, told in found.stages.items()],
        ),
        *_data_sections(found, a, b),
        Section(
            "On the same test rows",
            TESTED.format(len(found.tests)) if found.tests else "Nothing could be compared row by row.",
            ["model", "rows", "metric", a, b, f"{b} - {a}", "p", f"{b} is"],
            [*map(_test, found.tests)],
            4,
        ),
        Section(
            "Metrics",
            ANEW if is_anew else compared,
            ["metrics of", "metric", a, b, f"{b} - {a}"],
            [] if is_anew else [*map(_metric, changed)],
            3,
        ),
    ]


def _data_sections(found: Found, a: str, b: str) -> list[Section]:
    made = []
    for one in found.data:
        note = [f"rows {one.rows[0]} → {one.rows[1]}", f"columns {one.columns[0]} → {one.columns[1]}"]
        note += [f"{told}: {', '.join(names)}" for told, names in (("gone", one.gone), ("new", one.new)) if names]
        if one.drifts:
            note.append(f"{len(one.drifted)} of {len(one.drifts)} columns drifted, beyond chance (5% over all)")
        columns = ["column", "", f"missing {a}", f"missing {b}", "distance", "p"]
        moved = [drift for drift in one.drifts if drift.distance or drift.missing[0] != drift.missing[1]]
        rows = [[*_drift(drift), "drifted" if drift.column in one.drifted else ""] for drift in moved]
        made.append(Section(f"Data: {one.file}", "; ".join(note) + ".", [*columns, ""], rows))
    return made


def _same(differing: Sized) -> str:
    return "" if differing else "The same."


def _file(one: File) -> list[str]:
    return [one.path, *("binary" if count is None else str(count) for count in (one.added, one.removed))]


def _sum(files: list[File], place: int) -> int:
    return sum(int(one[place] or 0) for one in files)


def _param(one: Param) -> list[str]:
    return [one.name, *("-" if value is None else value for value in (one.a, one.b))]


def _drift(one: Drift) -> list[str]:
    kinds = " → ".join(dict.fromkeys(one.kinds))
    measure = f"{one.distance:.3f} ({one.measure})" if one.measure else "-"
    return [one.column, kinds, *(f"{share:.1%}" for share in one.missing), measure, _p(one.p) if one.measure else "-"]


def _test(one: RowTest) -> list[str]:
    metric, a, b, difference, low, high, *_ = one.found
    same = difference == low == high == 0
    between, verdict = ("0", "the same") if same else (f"{difference:+.4g} [{low:+.4g}, {high:+.4g}]", one.verdict)
    return [one.model, str(one.rows), metric, f"{a:.4g}", f"{b:.4g}", between, _p(one.holm), verdict]


def _metric(one: Metric) -> list[str]:
    difference = "-" if one.a is None or one.b is None else f"{one.b - one.a:+.4g}"
    return [one.model, one.metric, *("-" if value is None else f"{value:.6g}" for value in (one.a, one.b)), difference]


def _p(value: float) -> str:
    return "< 0.001" if value < 0.001 else f"{value:.3f}"
