"""Markdown that stays whole whatever the names in it."""

import re
from typing import Any

import pytest

from labkit.report.markdown import COLOUR, LONGEST_TITLE, MOST_POINTS, Plot, code, draw, link, plain, table

pytestmark = pytest.mark.unittest

NASTY = 'a"b`c|d%%{init: {}}%% <b>\n``` #x; é[y](z) %%%% *e* _u_ \x1b[31m'


def line_plot(points: int, **changes: Any) -> Plot:
    rows = [{"epoch": str(number + 1), "loss": str(1 / (number + 1))} for number in range(points)]
    return Plot("Loss", "linear", "epoch", "loss", rows)._replace(**changes)


def numbers(chart: str, kind: str) -> list[float]:
    found = re.search(rf"^ *{kind} \[(.*)\]$", chart, re.MULTILINE)
    assert found
    return [float(number) for number in found[1].split(",")]


def test_names_break_neither_a_table_nor_the_text() -> None:
    row = table(["model", "value"], [[code(NASTY), plain(NASTY)]]).splitlines()[2]
    assert len(re.findall(r"(?<!\\)\|", row)) == 3
    assert not re.search(r"(?<!\\)[<\[*_]", plain(NASTY))
    assert plain("train_dnn_pytorch") == "train_dnn_pytorch"
    assert plain("as @ada said, best-model@v1") == "as @<!-- -->ada said, best-model@v1"  # nobody is told
    assert "\x1b" not in row


def test_code_is_whole_whatever_it_holds() -> None:
    assert code("a`b") == "`a'b`"
    assert code("a\x00\tb") == "`a b`"
    assert code("") == "` `"


def test_a_link_without_an_address_is_its_text() -> None:
    assert link("run|1", "") == r"run\|1"
    assert link("run", "http://u/a b>") == "[run](<http://u/ab>)"


def test_a_series_is_a_line_over_its_range() -> None:
    chart = draw(line_plot(3))
    assert 'x-axis "epoch" 1 --> 3' in chart
    assert numbers(chart, "line") == [1.0, 0.5, 0.333333]


def test_a_long_series_keeps_every_nth_point_and_the_last() -> None:
    chart = draw(line_plot(1000))
    line = numbers(chart, "line")
    assert MOST_POINTS / 2 < len(line) <= MOST_POINTS
    assert line[-1] == 0.001
    assert chart.startswith("```mermaid\n")
    assert 'title "Loss (1 in 17 of 1000 points)"' in chart
    assert "(1 in 17 of 1000 points)" in draw(line_plot(1000, title="long " * 30))
    assert "points" not in draw(line_plot(MOST_POINTS))
    assert 'x-axis "epoch" 14 --> 1000' in chart
    assert (1000 - 14) / (len(line) - 1) == 17


def test_points_at_unequal_distances_are_named() -> None:
    chart = draw(line_plot(0, rows=[{"epoch": 1, "loss": 1}, {"epoch": 10, "loss": 2}, {"epoch": 100, "loss": 3}]))
    assert 'x-axis "epoch" ["1", "10", "100"]' in chart


def test_a_constant_series_and_a_single_point_have_a_range() -> None:
    assert 'y-axis "loss" 1.5 --> 2.5' in draw(line_plot(0, rows=[{"epoch": 1, "loss": 2}, {"epoch": 2, "loss": 2}]))
    assert numbers(draw(line_plot(1)), "bar") == [1.0]


def test_bars_begin_at_nought_and_numbers_have_no_exponent() -> None:
    rows: list[dict[str, Any]] = [
        {"model": "a", "loss": "0.5"},
        {"model": "b", "loss": 1e-7},
        {"model": "c", "loss": "nan"},
    ]
    chart = draw(Plot("Bars", "bar_horizontal", "loss", "model", rows))
    assert "xychart-beta horizontal" in chart
    assert 'y-axis "loss" 0 --> 0.5' in chart
    assert "bar [0.5, 0.0000001]" in chart
    assert 'x-axis "model" ["a", "b"]' in chart


LOOK = '%%{init: {"xyChart": {"height": HEIGHT}, "themeVariables": {"xyChart": {"plotColorPalette": "COLOUR"}}}}%%'


def test_a_chart_is_this_text() -> None:
    look = LOOK.replace("COLOUR", COLOUR)
    bars = [{"model": "a", "loss": -2}, {"model": "b", "loss": -1}]
    assert draw(Plot("Bars", "bar_horizontal", "loss", "model", bars)).splitlines() == [
        "```mermaid",
        look.replace("HEIGHT", "160"),
        "xychart-beta horizontal",
        '    title "Bars"',
        '    x-axis "model" ["a", "b"]',
        '    y-axis "loss" -2 --> 0',
        "    bar [-2, -1]",
        "```",
    ]
    assert draw(line_plot(2)).splitlines() == [
        "```mermaid",
        look.replace("HEIGHT", "400"),
        "xychart-beta",
        '    title "Loss"',
        '    x-axis "epoch" 1 --> 2',
        '    y-axis "loss" 0.5 --> 1',
        "    line [1, 0.5]",
        "```",
    ]


def test_bars_of_nothing_but_nought_have_a_range() -> None:
    chart = draw(Plot("Bars", "bar_horizontal", "loss", "model", [{"model": "a", "loss": 0}]))
    assert 'y-axis "loss" 0 --> 1' in chart


def test_only_where_bars_are_left_out_the_title_says_so() -> None:
    rows = [{"model": f"m{number}", "loss": number} for number in range(MOST_POINTS)]
    assert 'title "Bars"' in draw(Plot("Bars", "bar_horizontal", "loss", "model", rows))


def test_a_title_has_room_for_what_is_shown() -> None:
    (title,) = re.findall(r'title "(.*)"', draw(line_plot(1000, title="x" * 200)))
    assert len(title) == LONGEST_TITLE
    assert title.endswith("x (1 in 17 of 1000 points)")
    (title,) = re.findall(r'title "(.*)"', draw(line_plot(3, title="x" * 200)))
    assert title == "x" * LONGEST_TITLE


def test_points_that_go_back_or_stand_alone_are_named() -> None:
    rows = [{"epoch": 2, "loss": 1}, {"epoch": 1, "loss": 2}]
    assert 'x-axis "epoch" ["2", "1"]' in draw(line_plot(0, rows=rows))
    assert 'x-axis "epoch" ["1"]' in draw(line_plot(1))
    assert 'x-axis "epoch" ["1", "b"]' in draw(line_plot(0, rows=[rows[1], {"epoch": "b", "loss": 2}]))
    assert 'x-axis "nix" 0 --> 2' in draw(line_plot(3, x="nix"))


def test_sorted_bars_are_sorted_and_of_many_the_first_are_shown() -> None:
    rows = [{"model": f"m{number}", "loss": number} for number in range(100)]
    chart = draw(Plot("Bars", "bar_horizontal_sorted", "loss", "model", rows))
    assert numbers(chart, "bar") == [float(number) for number in range(99, 39, -1)]
    assert 'title "Bars (the first 60 of 100)"' in chart


def test_predictions_are_a_table_of_counts() -> None:
    rows = [{"is": "b|d", "said": "good"}, {"is": "good", "said": "good"}, {"is": "good", "said": "good"}]
    drawn = draw(Plot("Test", "confusion", "said", "is", rows))
    assert drawn.splitlines()[2:] == [
        r"| is \\ said | `b\|d` | `good` |",
        "| --- | ---: | ---: |",
        r"| `b\|d` | 0 | 1 |",
        "| `good` | 0 | 2 |",
    ]


@pytest.mark.parametrize("template", ["linear", "bar_horizontal"])
def test_names_in_a_chart_can_neither_end_their_string_nor_begin_a_directive(template: str) -> None:
    rows = [{NASTY: NASTY, "loss": 1.0}, {NASTY: "", "loss": 2.0}]
    x, y = (NASTY, "loss") if template == "linear" else ("loss", NASTY)
    lines = draw(Plot(NASTY, template, x, y, rows)).splitlines()
    assert (lines[0], lines[-1]) == ("```mermaid", "```")
    assert all(line.count('"') % 2 == 0 and "%%" not in line for line in lines[2:])
    assert len(lines) == 8
    assert '""' not in "".join(lines)


def test_what_can_not_be_drawn_says_so() -> None:
    assert "the template `scatter` has no form here" in draw(line_plot(3, template="scatter"))
    assert (
        draw(line_plot(0, rows=[{"epoch": 1, "loss": "high"}])) == "Loss: there are no numbers in `epoch` and `loss`."
    )
    assert draw(line_plot(0, template="bar_horizontal")) == "Loss: there are no numbers in `epoch` and `loss`."
    assert "no numbers" in draw(line_plot(0))
