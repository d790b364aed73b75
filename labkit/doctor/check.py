"""What one check of the doctor found."""

from typing import Literal, NamedTuple


class Check(NamedTuple):
    """What was checked, how it stands, and when it is not well, what mends it."""

    subject: str
    state: Literal["ok", "warning", "problem"]
    found: str
    mend: str = ""


def ok(subject: str, found: str) -> Check:
    """All is well."""
    return Check(subject, "ok", found)


def warning(subject: str, found: str, mend: str) -> Check:
    """It works, but not for long or not for all."""
    return Check(subject, "warning", found, mend)


def problem(subject: str, found: str, mend: str) -> Check:
    """It does not work."""
    return Check(subject, "problem", found, mend)
