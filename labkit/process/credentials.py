"""Passwords, tokens and signatures in URLs: where they are found, and how text is told without them.

Text for people (MLflow, the journal, a summary, a commit) goes through `without_credentials`, which removes too much
rather than too little. Settings are checked by `holds_credentials`; if it finds a secret, the value is not shown.
"""

import re
from urllib.parse import unquote

VARIABLE = r"\$[A-Z_][A-Z0-9_]*"  # what a person writes in the place of a secret, and the environment holds
HIDDEN = "***"

_NAMES = (
    "passw|passphrase|pwd|secret|token|signature|credential|api[_-]?key|access[_-]?key|account[_-]?key|shared[_-]?key"
)
_NAME = re.compile(_NAMES, re.IGNORECASE)
# A password of ODBC may hold anything, so all of its string goes, percent-encoded or not.
_ODBC = re.compile(r"(?P<name>odbc_connect=)(?P<value>[^\n]*)", re.IGNORECASE)
_SETTING = re.compile(
    rf"(?P<name>(?:(?:{_NAMES})[\w.-]{{0,40}}|(?<=[?&;])(?:sig|pass|key|auth|code))\s?(?:=|%3D))"
    r"(?P<value>\{[^}\n]*\}|[^&;\s]*)",
    re.IGNORECASE,
)


def without_credentials(text: str) -> str:
    """The text with all before the last @ of a URL taken out, and the values of such settings as password= hidden."""
    text = re.sub(r"\S+", lambda word: _without_user(word[0]), text)
    for found in (_ODBC, _SETTING):
        text = found.sub(rf"\g<name>{HIDDEN}", text)
    return text


def holds_credentials(url: str) -> bool:
    """Whether a URL, or a chain of them, holds a secret otherwise than as $NAME.

    It sees whatever SQLAlchemy, fsspec and urllib take for one, and passwords that a person forgot to encode.
    """
    for scheme in re.finditer(r"(\w*)://", url):
        user, at, _ = url[scheme.end() :].rpartition("@")
        if not at or re.fullmatch(rf"(?:[^:/?#@]*:)?{VARIABLE}", user):
            continue
        if ":" in user or (scheme[1].lower().startswith("http") and not re.search("[/?#]", user)):
            return True
    values = (found["value"] for found in _SETTING.finditer(unquote(url)))
    return any(value and not re.fullmatch(VARIABLE, value) for value in values)


def shown(value: object, key: str = "") -> str:
    """A value as an error shows it: short, and not at all where it, or the key's name, tells of a secret."""
    text = repr(value)
    told_by = key if isinstance(value, str) else key + text  # the keys within are part of its text
    if holds_credentials(text) or _NAME.search(told_by):
        return "(not shown: it may hold a password)"
    return without_credentials(text)[:60]


def _without_user(word: str) -> str:
    scheme, slashes, rest = word.partition("//")
    return scheme + slashes + rest.rpartition("@")[2]
