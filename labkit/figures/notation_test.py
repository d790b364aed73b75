"""What a comment names, and which figure it is bound to."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from labkit.figures.notation import Formula, Source, bound, figures_in, parse_formula
from labkit.report.markdown import code, plain

pytestmark = pytest.mark.unittest

F1 = Source("out/metrics.json", ("test", "f1"), "abc1234")
names = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=12)
sources = st.builds(
    Source, names, st.lists(names, min_size=1, max_size=3).map(tuple), st.sampled_from(["", "abc1234", "v1.0"])
)
formulas = st.builds(
    Formula, st.lists(sources, min_size=1, max_size=2).map(tuple), st.sampled_from(["", "low", "high"])
)


def shown(text: str) -> list[tuple[int, str]]:
    return [(one.line, one.shown) for one in figures_in(text)]


def test_it_is_written_so() -> None:
    before = F1._replace(commit="def5678")
    assert str(Formula((F1,))) == "out/metrics.json#test.f1 @abc1234"
    assert str(Formula((F1, before), "low")) == (
        "low(out/metrics.json#test.f1 @abc1234 - out/metrics.json#test.f1 @def5678)"
    )
    assert str(Source("params.yaml", ("a.b", "c d", "e--f"))) == "params.yaml#a%2Eb.c%20d.e-%2Df"


@settings(deadline=None)
@given(formulas)
def test_what_is_written_is_read_again_from_a_cell_of_a_table_and_seen_by_nobody(formula: Formula) -> None:
    text = f"| a | b |\n| --- | --- |\n| x | {bound('0.5', formula)} |\n"
    (figure,) = figures_in(text)
    assert (figure.line, text[figure.start : figure.end]) == (3, "0.5")
    assert parse_formula(figure.comment) == formula
    html = MarkdownIt("commonmark", {"html": True}).enable("table").render(text)
    assert "<td>0.5<!--=" in html
    assert html.count("<td>") == 2
    assert html.count("-->") == 1


def test_head_and_nothing_are_the_working_folder() -> None:
    for text in ("a.json#b", "a.json#b @HEAD", " a.json#b  "):
        assert parse_formula(text) == Formula((Source("a.json", ("b",)),))


@pytest.mark.parametrize("text", ["", "a.json", "a.json#", "#b", "a#b @", "low(a#b", "a#b - c#d - e#f", "mid(a#b)"])
def test_what_is_no_formula_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="write it as FILE#KEY"):
        parse_formula(text)


@pytest.mark.parametrize(
    ("text", "figure"),
    [
        ("is 0.95<!--= a#b -->", "0.95"),
        ("is 0.95 <!--= a#b -->", "0.95"),
        ("**95.5 %**<!--= a#b -->", "95.5 %"),
        ("95%<!--= a#b -->", "95%"),
        ("1,234<!--= a#b --> rows", "1,234"),
        ("[-0.02<!--= a#b -->", "-0.02"),
        ("\u22120.02<!--= a#b -->", "\u22120.02"),
        ("+3e-05<!--= a#b -->", "+3e-05"),
        ("0.92-0.95<!--= a#b -->", "0.95"),
        ("`forest`<!--= a#b -->", "forest"),
        ("`x` 7<!--= a#b -->", "7"),
        ("no<!--= a#b -->", ""),
        ("v0.95<!--= a#b -->", ""),
        ("1,23<!--= a#b -->", ""),
        ("0.95<!--= a#b", ""),
        ("0.95 and <!--= a#b -->", ""),
    ],
)
def test_the_figure_right_before_it_is_meant(text: str, figure: str) -> None:
    assert shown(text) == [(1, figure)]


@pytest.mark.parametrize(
    "text",
    [
        r"\-0.02<!--= a#b -->",
        "-**0.02**<!--= a#b -->",
        "by \u20130.02<!--= a#b -->",
        "&minus;0.02<!--= a#b -->",
        "0.02<!--= a#b -->%",
        "0.02<!--= a#b --> %",
        "0.02<!--= a#b -->9",
        "0.02<!--= a#b -->**9**",
        "0.02<!--= a#b -->e5",
        "1<!-- -->0.02<!--= a#b -->",
        "1**0.02**<!--= a#b -->",
        "1\u00a0000<!--= a#b -->",
        "1'000<!--= a#b -->",
        "\u0660\u066b\u0669<!--= a#b -->",
        "1e9999<!--= a#b -->",
        "-`0.02`<!--= a#b -->",
        "a ` b\nc ` 9<!--= a#b --> `d`",
        '<a title="`">9<!--= a#b --> `d`',
        "<p>\n`9<!--= a#b -->`\n</p>",
        "<p>\n<b>1</b>9<!--= a#b -->\n</p>",
        "9<!--= a#b\n-->",
    ],
)
def test_what_a_reader_sees_as_another_is_no_figure(text: str) -> None:
    assert [figure.shown for figure in figures_in(text)] == [""]


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("- ```\n  x\n  ```\n\n9<!--= a#b -->", 5),
        ("> ```\n> x\n\n9<!--= a#b -->", 4),
        ("<!--\n```\n-->\n\n9<!--= a#b -->", 5),
        ("text\n    ```\n9<!--= a#b -->", 3),
        ("<div>\n```\n</div>\n\n9<!--= a#b -->", 5),
        ("<table><tr><td>\n9<!--= a#b -->\n</td></tr></table>", 2),
        (f"{'> ' * 60}9<!--= a#b -->", 1),
    ],
)
def test_what_a_reader_sees_is_checked_whatever_stands_above_it(text: str, line: int) -> None:
    assert shown(text) == [(line, "9")]


def test_examples_in_code_and_escaped_ones_are_none() -> None:
    text = "`0.5<!--= a#b -->`\n``a` 0.5<!--= a#b -->``\n```\n0.5<!--= a#b -->\n````\n> ~~~\n> 1<!--= a#b -->\n> ~~~\n"
    assert shown(text) == []
    assert shown("````\n```\n1<!--= a#b -->\n~~~~\n1<!--= a#b -->\n````\n2<!--= a#b -->") == [(7, "2")]
    assert shown(r"0.5\<!--= a#b -->") == []
    assert shown("<!-- 0.5 --> 1<!--= a#b -->") == [(1, "1")]
    assert shown("```\n```\n2<!--= a#b --> 3<!--= a#b -->\r\n4<!--= a#b -->") == [(3, "2"), (3, "3"), (4, "4")]


@settings(deadline=None)
@given(st.text())
def test_no_words_of_a_commit_bind_a_figure(words: str) -> None:
    hostile = f"{words} 0.5<!--= a#b --> {words}"
    assert shown(f"{plain(hostile)} {code(hostile)}") == []


def test_this_page_shows_what_is_tested_here() -> None:
    page = Path(__file__).parents[2] / "lab" / "docs" / "reports.md"
    assert shown(page.read_text(encoding="utf-8")) == []
