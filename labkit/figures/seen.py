"""What a reader sees of a figure. Markdown is rendered: what stands around a number, or hides it, may make it another.

`-**0.02**`, `&minus;0.02` and 0.02 with a percent sign after its comment are no 0.02.
"""

import re
from collections.abc import Iterator
from functools import cache
from html import unescape
from typing import NamedTuple

from markdown_it import MarkdownIt
from markdown_it.token import Token

OPENING = "<!--="
DEEPEST = 200  # of quotes and lists in each other: what lies deeper would be passed over
_COMMENT = re.compile(r"<!--(=?)(.*?)(?:-->|\Z)", re.DOTALL)
_TAG = re.compile(r"<[^<>]*>")
_MINUS = r"\-\u2010-\u2015\u2212\ufe63\uff0d"
# A digit, a sign that parts digits, or a minus that is no dash of a range.
_ADDS_BEFORE = re.compile(
    rf"[\w.,]\Z|\d['\u2019\u00b7\u066b\u066c\u00a0\u2009\u202f]\Z|(?:\A|[^\w)\]%{_MINUS}])[{_MINUS}]+\Z"
)
_ADDS_AFTER = re.compile(r"\d|[eE][+\u2212-]?\d|[.,'\u2019\u00b7]\d|\s?[%\u2030\u2031]")


class Seen(NamedTuple):
    """A comment of a figure as it stands on the page: its block's lines, from 1, and what is seen before and after it.

    `code` is what stands right before it in the letters of a machine. `comment` is none where nothing ends it, so that
    it is seen, as an escaped one is.
    """

    lines: range
    comment: str | None
    before: str
    after: str
    code: str | None

    def shows(self, figure: str, is_code: bool, is_number: bool) -> bool:
        """Whether a reader sees this, and takes it for no more than it is."""
        before = self.before
        if is_code:
            words = {_spaced(figure), _spaced(figure.replace("\\|", "|"))}  # in a table, a bar is escaped
            if self.code is None or _spaced(self.code) not in words:
                return False
            before = before[: len(before) - len(self.code)]
        else:
            before = before.removesuffix(" ")
            if self.code is not None or not before.endswith(figure):
                return False
            before = before[: len(before) - len(figure)]
        return not is_number or not (_ADDS_BEFORE.search(before) or _ADDS_AFTER.match(self.after))


def seen_in(text: str) -> Iterator[Seen]:
    """The comments of figures that are such on the rendered page, in their order: none of those in code."""
    for token in _parser().parse(text):
        if OPENING in token.content and token.map:
            lines = range(token.map[0] + 1, token.map[1] + 1)
            if token.type == "inline":
                yield from _seen(lines, [*_pieces(token.children or [])])
            elif token.type == "html_block":
                yield from _seen(lines, [*_html_pieces(token.content)])


def _seen(lines: range, pieces: list[tuple[str, str]]) -> Iterator[Seen]:
    for at, (kind, comment) in enumerate(pieces):
        if kind == "text" and OPENING in comment:
            yield Seen(lines, None, "", "", None)
        if kind == "figure":
            before = [(of, words) for of, words in pieces[:at] if of != "figure" and words]
            after = "".join(words for of, words in pieces[at:] if of != "figure")
            if before and before[-1] == ("text", " "):
                before.pop()
            code = before[-1][1] if before and before[-1][0] == "code" else None
            yield Seen(lines, comment, "".join(words for _, words in before), after, code)


def _pieces(children: list[Token]) -> Iterator[tuple[str, str]]:
    """What is seen of a paragraph or a cell, and the comments of figures."""
    for child in children:
        if child.type == "html_inline" and child.content.startswith(OPENING):
            yield "figure", child.content.removeprefix(OPENING).removesuffix("-->")
        elif child.type == "code_inline":
            yield "code", child.content
        elif child.type in ("softbreak", "hardbreak"):
            yield "text", "\n"
        elif child.type == "image":
            yield "text", "\ufffc"
        elif child.type != "html_inline":
            yield "text", child.content


def _html_pieces(html: str) -> Iterator[tuple[str, str]]:
    """The same of a block of HTML, in which nothing is Markdown."""
    place = 0
    for found in _COMMENT.finditer(html):
        yield "text", unescape(_TAG.sub("", html[place : found.start()]))
        if found[1]:
            yield "figure", found[2]
        place = found.end()
    yield "text", unescape(_TAG.sub("", html[place:]))


def _spaced(text: str) -> str:
    return " ".join(text.split())


@cache
def _parser() -> MarkdownIt:
    return MarkdownIt("commonmark", {"html": True, "maxNesting": DEEPEST}).enable(["table", "strikethrough"])
