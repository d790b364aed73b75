"""Whatever stands in a text, what is mended is right, and all else stays."""

import re

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from labkit.figures.check import faults_in, mended
from labkit.figures.notation import NUMBER, figures_in

pytestmark = pytest.mark.unittest

PARTS = [
    "0.95",
    "95 %",
    "1,234",
    "+1e-05",
    "`word`",
    "`0.5`",
    "<!--= a#b -->",
    "<!--= a -->",
    " ",
    "\r\n",
    "`",
    "```\n",
    "|",
    "**",
    "\\",
    "-",
    "&minus;",
    "\n> ",
    "\n- ",
    "<p>",
    "<!-- -->",
    "ü",
]
FIGURE = re.compile(rf"(?:(?<![\w.,]){NUMBER}|`[^`\n]*`)(?=[*_]{{0,3}} ?<!--=)")
texts = st.lists(st.sampled_from(PARTS) | st.text(max_size=3), max_size=30).map("".join)


@example("0.95+1e-05<!--= a#b -->", -1.0)
@settings(deadline=None, max_examples=300)
@given(texts, st.floats(allow_nan=False, allow_infinity=False) | st.integers() | st.sampled_from(["a word", "a`|\nb"]))
def test_a_mended_text_is_right_and_all_else_stays(text: str, value: object) -> None:
    faults = [*faults_in(text, "a.md", lambda formula: value)]
    after = mended(text, faults)
    assert [fault for fault in faults_in(after, "a.md", lambda formula: value) if fault.wanted] == []
    assert [one.comment for one in figures_in(after)] == [one.comment for one in figures_in(text)]
    assert FIGURE.sub("", after) == FIGURE.sub("", text)
    assert mended(after, faults_in(after, "a.md", lambda formula: value)) == after
