"""How a figure in Markdown names its source: in a comment right after it, which is not shown.

    0.956<!--= artifacts/best_model/metrics.json#test.accuracy @2f348ce626 -->

That is FILE#KEY @COMMIT; without a commit, or with @HEAD, what is here now. `A - B` is a difference; `low(A)` and
`high(A)` are the ends of the 95% interval of a share, or of a difference. In FILE and KEY, all but letters, digits
and /._+:,=- is written as in a URL: %20 for a space, and %2E for a dot within a name of KEY.
"""

import re
from collections.abc import Iterator
from typing import NamedTuple
from urllib.parse import unquote

from labkit.figures.seen import OPENING, Seen, seen_in

HERE = ("", "HEAD")  # how the working folder is called
DIFFERENCE = " - "
SAFE = "_+:,=-"
# In ASCII's digits alone, and of an exponent that does not fill the memory.
NUMBER = r"[+\-\u2212]?(?:[0-9]{1,3}(?:,[0-9]{3})+|[0-9]+)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]{1,3})?(?:[ \u00a0]?%)?"

_SOURCE = re.compile(r"(?P<file>[^\s#@()]+)#(?P<key>[^\s#@()]+)(?: @(?P<commit>\S+))?")
_ENDED = re.compile(r"(?P<end>low|high)\((?P<inner>.*)\)")
# From left to right: an escaped character, a figure with its comment, other code and comments, a comment by itself.
_TOKENS = re.compile(
    r"\\."
    rf"|(?:(?P<number>(?<![\w.,]){NUMBER})|`(?P<code>[^`\n]+)`)[*_]{{0,3}} ?{OPENING}(?P<formula>.*?)-->"
    r"|(?P<ticks>`+)(?!`).*?(?<!`)(?P=ticks)(?!`)"
    r"|<!--(?!=).*?-->"
    rf"|{OPENING}(?P<alone>.*?)(?:-->|$)"
)


class Source(NamedTuple):
    """A value in a file: its place there, by the names on the way, and the commit; none for the working folder."""

    file: str
    key: tuple[str, ...]
    commit: str = ""

    def __str__(self) -> str:
        """As it is written."""
        key = ".".join(_quoted(part, SAFE) for part in self.key)
        text = f"{_quoted(self.file, f'{SAFE}/.')}#{key}" + (f" @{self.commit}" if self.commit else "")
        return text.replace("--", "-%2D")  # which would end a comment


class Formula(NamedTuple):
    """A source, or a first minus a second; or the low or high `end` of its interval."""

    terms: tuple[Source, ...]
    end: str = ""

    def __str__(self) -> str:
        """As it is written."""
        told = DIFFERENCE.join(map(str, self.terms))
        return f"{self.end}({told})" if self.end else told


class Figure(NamedTuple):
    """A figure in a text: its line, where what is shown of it begins and ends, and what its comment says.

    `is_code` where it is in the letters of a machine, without their marks. Nothing is shown where a comment stands
    alone.
    """

    line: int
    start: int
    end: int
    shown: str
    is_code: bool
    comment: str


def parse_formula(text: str) -> Formula:
    """Read a comment. Raises ValueError where it is no formula."""
    ended = _ENDED.fullmatch(text.strip())
    terms = [_SOURCE.fullmatch(term.strip()) for term in (ended["inner"] if ended else text).split(DIFFERENCE)]
    sources = [_read(term) for term in terms if term]
    if not len(terms) == len(sources) <= 2:
        raise ValueError(
            "write it as FILE#KEY, FILE#KEY @COMMIT, A - B, low(A) or high(A); "
            "in a name, %20 for a space, %28 for ( and %29 for )"
        )
    return Formula(tuple(sources), ended["end"] if ended else "")


def bound(shown: str, formula: Formula) -> str:
    """A figure with its comment."""
    return f"{shown}{OPENING} {formula} -->"


def figures_in(text: str) -> Iterator[Figure]:
    """The figures of a Markdown text that have a comment, and such comments alone; not those in code.

    A figure counts as one only where a reader of the rendered page sees just that.
    """
    found, at, place = list[Figure](), 0, 0
    for number, line in enumerate(text.split("\n"), 1):
        if OPENING in line:
            found += _in_line(line, number, place)
        place += len(line) + 1
    for one in seen_in(text) if found or OPENING in text else ():
        match = next((n for n in range(at, len(found)) if _is_of(found[n], one)), None)
        if match is not None:
            figure, at = found[match], match + 1
            is_right = one.shows(figure.shown, figure.is_code, re.fullmatch(NUMBER, figure.shown) is not None)
            yield figure if is_right else figure._replace(end=figure.start, shown="", is_code=False)
        elif one.comment is not None:
            yield Figure(one.lines.start, 0, 0, "", False, one.comment.partition("\n")[0])


def _is_of(figure: Figure, seen: Seen) -> bool:
    is_same = not figure.shown if seen.comment is None else figure.comment.strip() == seen.comment.strip()
    return is_same and figure.line in seen.lines


def _in_line(line: str, number: int, place: int) -> Iterator[Figure]:
    for found in _TOKENS.finditer(line):
        if found["formula"] is not None:
            group = "number" if found["number"] is not None else "code"
            start, end = (place + at for at in found.span(group))
            yield Figure(number, start, end, found[group], group == "code", found["formula"])
        elif found["alone"] is not None:
            yield Figure(number, place + found.start(), place + found.start(), "", False, found["alone"])


def _read(found: re.Match[str]) -> Source:
    commit = found["commit"] or ""
    return Source(
        unquote(found["file"]), tuple(map(unquote, found["key"].split("."))), "" if commit in HERE else commit
    )


def _quoted(text: str, safe: str) -> str:
    return "".join(one if one.isalnum() or one in safe else _percent(one) for one in text)


def _percent(letter: str) -> str:
    return "".join(f"%{byte:02X}" for byte in letter.encode(errors="replace"))
