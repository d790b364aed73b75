"""Check the figures of all Markdown against their sources, and update them.

python -m lab report --check [FILES]      and --update
"""

import re
import shutil
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any, NamedTuple

from labkit.figures.notation import NUMBER, Figure, figures_in, parse_formula
from labkit.figures.rounding import agrees, rewritten
from labkit.figures.seen import OPENING
from labkit.figures.sources import NotHereError
from labkit.figures.values import Evaluating, evaluator
from labkit.git_cli import git, git_or_empty
from labkit.process.credentials import without_credentials
from labkit.process.errors import InputError
from labkit.process.files import replacing
from labkit.process.flat import is_number
from labkit.report.markdown import code
from labkit.terminal import printable

MARKDOWN = (":(icase)*.md", ":(icase)*.markdown")  # also those that git takes for binary
COMMAND = "python -m lab report --update"


class Fault(NamedTuple):
    """A figure that differs from its source, or that can't be checked here: then it is not `is_sure`.

    `wanted` is what the source says, as it would be shown; empty without a source.
    """

    file: str
    figure: Figure
    wanted: str
    words: str
    is_sure: bool = True

    def __str__(self) -> str:
        """The line to print."""
        return printable(without_credentials(f"{self.file}:{self.figure.line}: {self.words}"))

    @property
    def reason(self) -> tuple[str, str]:
        """What others of its file may share, such as a commit that is gone."""
        return self.file, str(self.figure.start) if self.wanted else self.words.partition(": ")[2]


def check_figures(files: list[Path]) -> int:
    """Print each figure of `files`, or of all Markdown, that differs from its source; return the exit code.

    Raises InputError for a file that can't be read, GitError outside of a repository.
    """
    faults, count = all_faults(files)
    for fault, words in _by_reason(faults):
        print(words, file=sys.stdout if fault.is_sure else sys.stderr)
    wrong = sum(fault.is_sure for fault in faults)
    unknown = f", {len(faults) - wrong} can't be checked here" if len(faults) > wrong else ""
    if any(fault.wanted for fault in faults):
        print(f"`{COMMAND}` writes what the sources say")
    print(f"{count} figures: {wrong} are not what they claim{unknown}")
    return int(wrong > 0)


def update_figures(files: list[Path]) -> int:
    """Replace what is shown by what the sources say; return exit code 1 if a figure has no source.

    Nothing else in a file changes. Raises as `check_figures`.
    """
    faults, _ = all_faults(files)
    for name in dict.fromkeys(fault.file for fault in faults if fault.wanted):
        _mend(Path(name), [fault for fault in faults if fault.file == name])
    for fault in faults:
        if fault.wanted:
            print(printable(f"{fault.file}:{fault.figure.line}: {fault.figure.shown} → {fault.wanted}"))
    left = [fault for fault in faults if not fault.wanted]
    for _, words in _by_reason(left):
        print(words, file=sys.stderr)
    return int(any(fault.is_sure for fault in left))


def _by_reason(faults: Sequence[Fault]) -> Iterator[tuple[Fault, str]]:
    """The first fault of each reason, in words that count the others."""
    count = Counter(fault.reason for fault in faults)
    first = {fault.reason: fault for fault in reversed(faults)}
    for fault in (fault for fault in faults if first[fault.reason] is fault):
        others = count[fault.reason] - 1
        yield fault, f"{fault}{f' (and {others} more figures of the file)' if others else ''}"


def faults_in(text: str, name: str, evaluate: Evaluating) -> Iterator[Fault]:
    """The faults of the text of the file `name`."""
    for figure in figures_in(text):
        if (fault := _fault(figure, name, evaluate)) is not None:
            yield fault


def mended(text: str, faults: Iterable[Fault]) -> str:
    """The text, updated."""
    parts, place = [], 0
    for fault in (fault for fault in faults if fault.wanted):
        parts += [text[place : fault.figure.start], fault.wanted]
        place = fault.figure.end
    return "".join([*parts, text[place:]])


def bound_files() -> list[Path]:
    """The Markdown files here that have bound figures. Raises GitError outside of a repository."""
    git("rev-parse", "--git-dir")
    found = git_or_empty("ls-files", "-z", "--cached", "--others", "--exclude-standard", "--", *MARKDOWN)
    files = [Path(name) for name in dict.fromkeys(found.split("\0")) if name]
    return [
        file for file in files if file.is_file() and not file.is_symlink() and OPENING.encode() in file.read_bytes()
    ]


def all_faults(files: Iterable[Path] = ()) -> tuple[list[Fault], int]:
    """The faults of `files`, or of all Markdown; and the number of figures."""
    evaluate, faults, count = evaluator(), list[Fault](), 0
    for file in files or bound_files():
        text = _text(file)
        count += sum(1 for _ in figures_in(text))
        faults += faults_in(text, str(file), evaluate)
    return faults, count


def _fault(figure: Figure, name: str, evaluate: Evaluating) -> Fault | None:
    if not figure.shown:
        words = (
            f"`{OPENING}{figure.comment}-->` follows no figure, or does not end on its line: write a number (0.956, "
            "1,000, 95.6 %) or a word in `code` right before it, a unit behind it, and no other sign beside it"
        )
        return Fault(name, figure, "", words)
    try:
        formula = parse_formula(figure.comment)
        value = evaluate(formula)
        wanted = _wanted(figure, value)
        told = float(value) if isinstance(value, Fraction) else value
    except NotHereError as error:
        return Fault(name, figure, "", f"{figure.shown} can't be checked: {error}", is_sure=False)
    except (InputError, ValueError, OverflowError) as error:
        return Fault(name, figure, "", f"{figure.shown} has no source: {error}")
    if wanted == figure.shown:
        return None
    return Fault(name, figure, wanted, f"{figure.shown} is shown, {formula} is {told}: {wanted}")


def _wanted(figure: Figure, value: Any) -> str:
    """What to show: what is shown, if that is right. Raises ValueError for a value that can't be shown so.

    A number is rounded; a list is counted or, in `code`, shown whole.
    """
    number = len(value) if isinstance(value, list) and not figure.is_code else value
    if (is_number(number) or isinstance(number, Fraction)) and re.fullmatch(NUMBER, figure.shown):
        return figure.shown if agrees(figure.shown, number) else rewritten(figure.shown, number)
    if not figure.is_code:
        raise ValueError(f"it is {str(value)[:60]!r}, which is no number; write a word in `code`")
    return code(str(value))[1:-1]


def _text(file: Path) -> str:
    try:
        return file.read_bytes().decode()
    except UnicodeDecodeError as error:
        raise InputError(f"{file} is not UTF-8 at byte {error.start + 1}; save it as such") from None
    except OSError as error:
        raise InputError(f"{file} can't be read: {error.strerror}") from None


def _mend(file: Path, faults: list[Fault]) -> None:
    """Update a file, in one step."""
    target = file.resolve()
    content = mended(_text(target), faults).encode()
    with replacing(target) as beside:
        beside.write_bytes(content)
        shutil.copymode(target, beside)
