"""What one check of the doctor found."""

from typing import Literal, NamedTuple


class Check(NamedTuple):
    """What was checked, what was found, and how to fix it."""

    subject: str
    state: Literal["ok", "warning", "problem"]
    found: str
    fix: str = ""


def ok(subject: str, found: str) -> Check:
    """All is well."""
    return Check(subject, "ok", found)


def warning(subject: str, found: str, fix: str) -> Check:
    """It works, but not for long or not for all."""
    return Check(subject, "warning", found, fix)


def problem(subject: str, found: str, fix: str) -> Check:
    """It does not work."""
    return Check(subject, "problem", found, fix)
