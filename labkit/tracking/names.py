"""Names of parameters, metrics and tags, as MLflow takes them: those of columns and classes may hold any character."""

import hashlib
import posixpath
import re

REFUSED = r"[^/\w.\- :]"
MOST_LETTERS = 250  # of MLflow's


def mlflow_name(name: str) -> str:
    """The name, with a code such as _x0028_ for each character that MLflow refuses: no two names become one.

    XML and spreadsheets write characters so. Slashes are written so where MLflow would read a path with another name.
    """
    refused = REFUSED if posixpath.normpath(name) == name and not name.startswith(("/", "..")) else rf"{REFUSED}|/"
    written = re.sub(refused, lambda found: f"_x{ord(found[0]):04x}_", name)
    if len(written) <= MOST_LETTERS:
        return written
    digest = hashlib.md5(name.encode(), usedforsecurity=False).hexdigest()
    return f"{written[: MOST_LETTERS - len(digest) - 1]}_{digest}"
