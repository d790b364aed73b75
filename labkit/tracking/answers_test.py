"""Why a server did not answer is one line, without its password."""

import pytest
import requests

from labkit.testing.ports import free_port
from labkit.tracking.answers import cut_short, no_answer

pytestmark = pytest.mark.unittest


def test_the_reason_is_what_the_connection_met_and_not_what_was_asked() -> None:
    uri = f"http://me:word@127.0.0.1:{free_port()}"  # pragma: allowlist secret
    with pytest.raises(requests.ConnectionError) as refused:
        requests.get(f"{uri}/api/2.0/secret", timeout=5)
    told, separator, reason = no_answer(uri, refused.value).partition(" does not answer: [")
    assert (told, separator) == (uri.replace("me:word@", ""), " does not answer: [")
    assert reason.endswith("Connection refused")
    assert no_answer("http://host", requests.ConnectionError()) == "http://host does not answer: "


@pytest.mark.parametrize("password", ["a/b", "a?b", "a#b"])
def test_a_password_that_ends_the_host_is_named_as_the_reason(password: str) -> None:
    uri = f"http://me:{password}@host"
    assert no_answer(uri, requests.ConnectionError()).startswith("http://host: MLFLOW_TRACKING_URI holds a password")
    assert cut_short("http://me:ab@host/x") == ""  # pragma: allowlist secret
