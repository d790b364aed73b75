"""What `python -m lab verify` said of a commit on this machine, held against the repository as it is now."""

from typing import NamedTuple

from labkit.paths import RECEIPTS
from labkit.process.errors import InputError


class Receipt(NamedTuple):
    """A receipt in words: its file, its verdict, when and where it was verified, and what here contradicts it."""

    file: str
    verdict: str
    summary: str
    where: str
    contradicted: list[str]


def receipt_text(commit: str) -> bytes:
    """The receipt of a commit, as it lies here; nothing where none does."""
    file = RECEIPTS / f"{commit[:12]}.json"
    return file.read_bytes() if file.is_file() else b""


def read_receipt(commit: str, text: bytes) -> Receipt | None:
    """Read the receipt of a commit; None where it is none."""
    from labkit.proof.check import check_receipt  # with pandas, which those without a receipt need not wait for
    from labkit.proof.page import headline, summary
    from labkit.proof.receipt import read_statement

    file = f"{RECEIPTS / commit[:12]}.json"
    try:
        statement = read_statement(text, file)
        found = [one.words for one in check_receipt(statement, commit) if one.contradicts]
    except InputError:
        return None
    by = statement.verifier
    where = f"{by.verified_at}, {by.architecture} {by.vendor}, {by.system}, Python {by.python}"
    return Receipt(file, headline(statement.outcomes), summary(statement.outcomes), where, found)
