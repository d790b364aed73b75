"""Say why an MLflow server did not answer, without its password and without importing MLflow."""

import re

import requests

from labkit.process.credentials import without_credentials


def no_answer(uri: str, error: requests.RequestException) -> str:
    """One line on a request that got no answer."""
    if cut := cut_short(uri):
        return cut
    inner = getattr(error.args[0], "reason", error) if error.args else error  # what urllib3 says below its retries
    why = without_credentials(str(inner)).rpartition(": ")[2]
    return f"{without_credentials(uri)} does not answer: {why}"


def cut_short(uri: str) -> str:
    """Explain a password whose characters end the host; empty where there is none."""
    if not re.search("//.*[/?#].*@", uri):  # requests takes a part of the password for the host, and names that
        return ""
    encoded = "write /, ? and # there as %2F, %3F and %23"
    return f"{without_credentials(uri)}: MLFLOW_TRACKING_URI holds a password that is cut short: {encoded}"
