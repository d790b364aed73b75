"""No text tells a password, and whatever a field's own parser takes for one is seen."""

import random
import re
from urllib.parse import urlsplit

import pytest
import sqlalchemy

from labkit.process.credentials import holds_credentials, without_credentials
from labkit.process.errors import InputError

pytestmark = pytest.mark.unittest


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("https://me:S3CRET@host/x is gone", "https://host/x is gone"),  # pragma: allowlist secret
        ("refused: 'http://me:S3@CRET@host:5000'", "refused: 'http://host:5000'"),  # pragma: allowlist secret
        ("postgresql://me:S3/C#R?E@T@host/db: no", "postgresql://host/db: no"),  # pragma: allowlist secret
        ("simplecache::https://me:S3CRET@host/x.csv", "simplecache::https://host/x.csv"),  # pragma: allowlist secret
        ("https://S3CRET@host/x", "https://host/x"),
        ("https://host/x?sig=S3CRET&v=1 is gone", "https://host/x?sig=***&v=1 is gone"),
        ("https://host/x?X-Amz-Signature=S3CRET", "https://host/x?X-Amz-Signature=***"),
        ("host=a password=S3CRET user=me", "host=a password=*** user=me"),
        ("odbc_connect=UID=me;PWD={S3 CRET};", "odbc_connect=***"),
        ("no route to https://host:9000/x; a@b.c", "no route to https://host:9000/x; a@b.c"),
    ],
)  # pragma: allowlist secret
def test_text_is_told_without_its_passwords(text: str, told: str) -> None:
    assert without_credentials(text) == told
    assert str(InputError(text)) == told


def test_what_the_parsers_of_a_url_take_for_a_password_is_always_seen() -> None:
    draw = random.Random(7)
    seen = 0
    for _ in range(2000):
        word = "".join(draw.choices("aB1$:/?#@%&=;. []", k=draw.randint(1, 10)))
        url = f"{draw.choice(['postgresql', 'https', 's3', 'zip://x.csv::https'])}://{word}@host/db"
        passwords: list[str | None] = []
        for parse in (lambda url: sqlalchemy.make_url(url).password, lambda url: urlsplit(url).password):
            try:
                passwords.append(parse(url))
            except ValueError:
                continue
            except sqlalchemy.exc.ArgumentError:
                continue
        if any(password and not re.fullmatch(r"\$[A-Z_][A-Z0-9_]*", password) for password in passwords):
            seen += 1
            assert holds_credentials(url), url
    assert seen > 500


def test_a_long_text_is_told_at_once() -> None:
    for part in ("/", "a", "password", "//a@", "key=", "{"):
        without_credentials(part * 100_000)
