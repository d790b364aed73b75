"""Passwords, tokens and signatures in URLs: where they are found, and how text is told without them.

Text for people (MLflow, the journal, a summary, a commit) goes through `without_credentials`, which removes too much
rather than too little. Settings are checked by `holds_credentials`; if it finds a secret, the value is not shown.
"""

import re
from urllib.parse import unquote

VARIABLE = r"\$[A-Z_][A-Z0-9_]*"  # what a person writes in the place of a secret, and the environment holds
HIDDEN = "***"

_NAMES = (  # a tokenizer holds no secret
    "passw|passphrase|pwd|secret|token(?!i[sz])|signature|credential|api[_-]?key|access[_-]?key|account[_-]?key"
    "|shared[_-]?key"
)
_NAME = re.compile(_NAMES, re.IGNORECASE)
# A password of ODBC may hold anything, so all of its string goes, percent-encoded or not.
_ODBC = re.compile(r"(?P<name>odbc_connect=)(?P<value>[^\n]*)", re.IGNORECASE)
_SETTING = re.compile(
    rf"(?P<name>(?:(?:{_NAMES})[\w.-]{{0,40}}|(?<=[?&;])(?:sas|sig|pass|key|auth|code))\s{{0,3}}(?:=|%3D)[ \t]{{0,3}})"
    r"(?P<value>\{[^}\n]*\}|\"(?:[^\"\\\n]|\\.)*\"|'(?:[^'\\\n]|\\.)*'|[^&;\s]*)",
    re.IGNORECASE,
)
# As YAML, JSON and Python write it: a quoted value, a line's only one, or a word.
_PAIR = re.compile(
    rf"(?P<name>(?:^[ \t]*(?:- )?[\w-]{{0,40}}(?P<alone>)|\b|[\"'_.-])(?:{_NAMES})"
    r"[\w.-]{0,40}[\"']?\s{0,3}:\s{0,3})"
    r"(?P<value>\"(?:[^\"\\\n]|\\.)*\"?|'(?:[^'\\\n]|\\.)*'?|(?(alone)[^\n]+|[^\s,;}\])]+))",
    re.IGNORECASE | re.MULTILINE,
)
_OPTION = re.compile(rf"(?P<name>--?(?:\w+-)?(?:{_NAMES})[\w-]{{0,40}}(?<!-id)\s+)(?P<value>[^\s-]\S*)", re.IGNORECASE)
_BEARER = re.compile(r"(?P<name>\b(?:bearer|basic)\s+)(?P<value>[\w.~+/=-]{8,})", re.IGNORECASE)
# Those of GitHub, GitLab, AWS, Slack and Hugging Face, which are known by how they begin.
_TOKEN = re.compile(
    r"(?P<name>\b(?:gh[pousr]_|github_pat_|glpat-|AKIA|ASIA|xox[abprs]-|hf_))(?P<value>[\w-]{16,})", re.ASCII
)
# What a command takes after an option whose name tells nothing: curl -u USER:PASSWORD, sshpass -p PASSWORD.
_COMMAND = re.compile(
    r"(?P<name>\b(?:curl\b(?:\\\n|[^\n]){0,200}?[\s\"'](?:-[A-Za-z]{0,8}?[uU]|--(?:proxy-)?user(?![\w-]))"
    r"|sshpass\b(?:\\\n|[^\n]){0,200}?[\s\"']-p)(?:[\s=,]|[\"'](?=[,\s]))*)"
    r"(?P<value>\"[^\"\n]*\"|'[^'\n]*'|[^\s\"',]+)"
)
_PASSWORD = re.compile(r"\b(?:password|passwd|pwd)\s?=\s?[^\s$=]", re.IGNORECASE)
_SPACED = re.compile(r"(?P<name>://)[^\s/@:]*:[^/@\n]*@")  # a password with a space, which ends no word of a URL
# USER:PASSWORD@ where the slashes are missing or encoded; models:/NAME@ALIAS is MLflow's.
_USER = re.compile(
    r"(?P<name>)(?<![^\s/@:'\"])(?P<value>[^\s/@:'\"]{1,200}?(?::|%3A)(?!/)[^\s@]{0,200}?(?:@|%40))(?=\w)",
    re.IGNORECASE,
)
# Of code, all that follows a name in its line; where a bracket, a quote or a block opens there, in the next one too.
_CODE = re.compile(
    rf"(?P<name>(?:{_NAMES}|\bauthorization)\w{{0,40}}+)"
    r"(?:[^\n]*(?:[=:|>(\[{\\]|\"{3}|'{3})[ \t]*\n)?[^\n]*[^\s)\]},:;][^\n]*",
    re.IGNORECASE,
)
_KEY_BLOCK = re.compile(r"(?P<name>-----BEGIN [A-Z ]*PRIVATE KEY-----)(?:(?!-----END )[\s\S])*")
_SHAPES = (_COMMAND, _ODBC, _SETTING, _PAIR, _OPTION, _BEARER, _TOKEN, _USER)


def without_credentials(text: str) -> str:
    """The text with all before the last @ of a URL taken out, and the values of such settings as password= hidden."""
    text = _without_users(text)
    for shape in _SHAPES:
        text = shape.sub(rf"\g<name>{HIDDEN}", text)
    return text


def code_without_credentials(text: str) -> str:
    """As `without_credentials`, of code or a diff: whatever a line has after such a name as password is hidden."""
    text = _without_users(text)  # before the names: a password may have the word secret in it
    for shape in (_USER, _KEY_BLOCK, _CODE):
        text = shape.sub(rf"\g<name> {HIDDEN}", text)
    return without_credentials(text)


def holds_credentials(url: str) -> bool:
    """Whether a URL, or a chain of them, holds a secret otherwise than as $NAME.

    It sees whatever SQLAlchemy, fsspec and urllib take for one, and passwords that a person forgot to encode.
    """
    return _names_user_with_secret(url) or holds_setting(unquote(url)) or _TOKEN.search(url) is not None


def query_holds_credentials(query: str) -> bool:
    """Whether SQL holds the address of a database with its password; a column may be called token or secret."""
    return _names_user_with_secret(query) or _TOKEN.search(query) is not None or _PASSWORD.search(query) is not None


def _names_user_with_secret(url: str) -> bool:
    for scheme in re.finditer(r"(\w*)://", url):
        user, at, _ = url[scheme.end() :].rpartition("@")
        if not at or re.fullmatch(rf"(?:[^:/?#@]*:)?{VARIABLE}", user):
            continue
        is_password = {"oracle": "/" in user, "http": not re.search("[/?#]", user)}  # u/pw@host; TOKEN@host
        if ":" in user or any(scheme[1].lower().startswith(of) and found for of, found in is_password.items()):
            return True
    return False


def holds_setting(text: str) -> bool:
    """Whether a text gives a password or a token a value, as password=..., otherwise than as $NAME."""
    values = (found["value"] for found in _SETTING.finditer(text))
    return any(value and not re.fullmatch(VARIABLE, value) for value in values)


def shown(value: object, key: str = "") -> str:
    """A value as an error shows it: short, and not at all where it, or the key's name, tells of a secret."""
    text = repr(value)
    told_by = key if isinstance(value, str) else key + text  # the keys within are part of its text
    if holds_credentials(text) or _NAME.search(told_by):
        return "(not shown: it may hold a password)"
    return without_credentials(text)[:60]


def _without_users(text: str) -> str:
    text = _SPACED.sub(r"\g<name>", text)
    return re.sub(r"\S+", lambda word: _without_user(word[0]), text)


def _without_user(word: str) -> str:
    scheme, slashes, rest = word.partition("//")
    return scheme + slashes + rest.rpartition("@")[2]
