"""No text tells a password, and whatever a field's own parser takes for one is seen."""

import random
import re
from urllib.parse import urlsplit

import pytest
import sqlalchemy

from labkit.process.credentials import (
    code_without_credentials,
    holds_credentials,
    query_holds_credentials,
    shown,
    without_credentials,
)
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
        ("host=a password = 'S3 CRET' user=me", "host=a password = *** user=me"),  # pragma: allowlist secret
        ("odbc_connect=UID=me;PWD={S3 CRET};", "odbc_connect=***"),
        ("no route to https://host:9000/x; a@b.c", "no route to https://host:9000/x; a@b.c"),
        ("postgresql://me:S3 CR ET@host/db: no", "postgresql://host/db: no"),  # pragma: allowlist secret
        ("password: S3CRET", "password: ***"),
        ("  - db_password: S3 CRET", "  - db_password: ***"),
        ("login failed, password: S3CRET, user: me", "login failed, password: ***, user: me"),
        ('{"password": "S3 \\"CRET", "user": "me"}', '{"password": ***, "user": "me"}'),  # pragma: allowlist secret
        ("{'api_key': 'S3 CRET', 'user': 'me'}", "{'api_key': ***, 'user': 'me'}"),  # pragma: allowlist secret
        ("ran: login --user me --password S3CRET now", "ran: login --user me --password *** now"),
        ("curl -u me:S3CRET https://host/x", "curl -u *** https://host/x"),
        ("curl -sSLu 'me:S3 CRET' https://host/x", "curl -sSLu *** https://host/x"),
        ("curl --fail \\\n  --user=me:S3CRET x", "curl --fail \\\n  --user=*** x"),
        ('run(["curl", "--proxy-user", "me:S3CRET", "x"])', 'run(["curl", "--proxy-user", ***, "x"])'),
        ("sshpass -p S3CRET ssh me", "sshpass -p *** ssh me"),
        ("sshpass -pS3CRET ssh me", "sshpass -p*** ssh me"),
        ("curl --user-agent lab --url https://host/x", "curl --user-agent lab --url https://host/x"),
        ("Authorization: Bearer S3CRETS3CRET.x", "Authorization: Bearer ***"),
        (f"git said: ghp_{'S3CRET' * 6} is bad", "git said: ghp_*** is bad"),
        (f"no access with AKIA{'S3CRET' * 3}", "no access with AKIA***"),
        ("params.yaml: no_token is unknown; allowed: a, b", "params.yaml: no_token is unknown; allowed: a, b"),
        ("tokenizer: drop stopwords; tokenise: yes", "tokenizer: drop stopwords; tokenise: yes"),
        ("hf_token: S3CRET", "hf_token: ***"),
        ("set AWS_SECRET_ACCESS_KEY and run it again", "set AWS_SECRET_ACCESS_KEY and run it again"),
        ("give --access-key-id and a key", "give --access-key-id and a key"),
        ("the bearer of the basic rights", "the bearer of the basic rights"),
        ("https:/me:S3CRET@host/x.csv is no file", "https:/***host/x.csv is no file"),  # pragma: allowlist secret
        ("'me:S3CRET@host/x.csv'", "'***host/x.csv'"),  # pragma: allowlist secret
        ("postgresql:me:S3CRET@host", "***host"),  # pragma: allowlist secret
        ("https://me%3aS3CRET%40host/x", "https://***host/x"),
        ("https://host/x.csv?sas=S3CRET", "https://host/x.csv?sas=***"),
        ("models:/cancer@champion of git@host.example:lab", "models:/cancer@champion of git@host.example:lab"),
    ],
)  # pragma: allowlist secret
def test_text_is_told_without_its_passwords(text: str, told: str) -> None:
    assert without_credentials(text) == told
    assert str(InputError(text)) == told


@pytest.mark.parametrize(
    ("url", "holds"),
    [
        ("postgresql://me:S3CRET@host/db", True),  # pragma: allowlist secret
        ("postgresql://me:$Password@host/db", True),  # pragma: allowlist secret
        ("postgresql://me:$PASSWORD@host/db", False),  # pragma: allowlist secret
        ("postgresql://me@host/db", False),
        ("s3://bucket/x.csv::postgresql://me:S3CRET@host/db", True),  # pragma: allowlist secret
        ("https://S3CRET@host/x.csv", True),
        ("HTTPS://S3CRET@host/x.csv", True),
        ("https://$TOKEN@host/x.csv", False),
        ("https://host/day@night.csv", False),
        ("https://host?day@night", False),
        ("s3://S3CRET@bucket/x.csv", False),  # a user, which the bucket's own address names
        ("data/raw/a@b.csv", False),
        ("https://host:8080/x.csv", False),
        ("https://host/x.csv?sig=S3CRET", True),
        ("https://host/x.csv?sig=$SIGNATURE", False),
        ("https://host/x.csv?sig=&version=3", False),
        ("oracle://me/S3CRET@host:1521/db", True),
        ("oracle://me@host:1521/db", False),
        (f"https://host/x.csv?v=ghp_{'S3CRET' * 6}", True),
    ],
)  # pragma: allowlist secret
def test_a_secret_is_told_from_a_user_an_at_sign_and_a_variable(url: str, holds: bool) -> None:
    assert holds_credentials(url) is holds


@pytest.mark.parametrize(
    ("query", "holds"),
    [
        ("SELECT * FROM t WHERE token = 'a' AND password IS NOT NULL", False),
        ("SELECT * FROM dblink('host=h user=me password=S3CRET', 'SELECT 1')", True),
        ("SELECT * FROM read_csv('https://me:S3CRET@host/x.csv')", True),  # pragma: allowlist secret
        ("SELECT * FROM dblink('password=$PASSWORD')", False),
    ],
)
def test_a_query_with_a_password_is_told_from_one_with_a_column(query: str, holds: bool) -> None:
    assert query_holds_credentials(query) is holds


@pytest.mark.parametrize(
    ("value", "key", "told"),
    [
        ("fast", "lr", "'fast'"),
        ("S3CRET", "aws_secret_access_key", None),
        ("https://me:S3CRET@host", "source", None),  # pragma: allowlist secret
        ({"password": "S3CRET"}, "database", None),  # pragma: allowlist secret
        ([{"api-key": "S3CRET"}], "services", None),  # pragma: allowlist secret
        ("a word about tokens", "note", "'a word about tokens'"),
        ("x" * 100, "note", "'" + "x" * 59),
        ("x" * 50 + " https://me:S3CRET@host", "note", None),  # pragma: allowlist secret
    ],
)  # pragma: allowlist secret
def test_a_value_is_shown_in_short_and_not_at_all_where_it_may_be_a_secret(
    value: object, key: str, told: str | None
) -> None:
    assert shown(value, key) == (told or "(not shown: it may hold a password)")


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


@pytest.mark.parametrize(
    "line",
    [
        "+PASSWORD  =  'hidden'",  # pragma: allowlist secret
        '+DB_PASSWORD: Final = "hidden"',
        "+os.environ['TOKEN'] = 'hidden'",
        "+connect(user='u', passwd = 'hidden hidden')",  # pragma: allowlist secret
        "+api_key = os.environ['X'] or 'hidden'",
        "+secret = (f'hidden'",
        "+headers = {'Authorization': 'token hidden'}",
        "+client_secret = hidden",
        "+ENV PASSWORD hidden",
        "+machine host login me password hidden",
        '+password = """\n+hidden"""',
        "+  password: |\n+    hidden",
        "+-----BEGIN RSA PRIVATE KEY-----\n+hidden\n+-----END RSA PRIVATE KEY-----",  # pragma: allowlist secret
    ],
)
def test_code_is_told_without_what_follows_the_name_of_a_secret(line: str) -> None:
    told = code_without_credentials(f" above\n{line}\n below\n+return 1")
    assert "hidden" not in told
    assert told.startswith(" above\n+")
    assert told.endswith("\n below\n+return 1")


@pytest.mark.parametrize("url", ["postgresql://me:{}@host/db", "https://{}@host", "me:{}@host"])
@pytest.mark.parametrize("password", ["S3CRET", "my_secret_S3CRET", "tokenS3CRET", "S3CRETpassword"])
def test_a_password_in_a_url_is_hidden_in_code_whatever_words_it_has(url: str, password: str) -> None:
    assert "S3CRET" not in code_without_credentials(f'+connect("{url.format(password)}")')


@pytest.mark.parametrize("code", ["+return tokens", "+key = 1", "+def f(password):", "+)"])
def test_code_without_a_secret_is_told_as_it_is(code: str) -> None:
    assert code_without_credentials(code) == code


def test_a_long_text_is_told_at_once() -> None:
    for part in ("/", "a", "password", "//a@", "key=", "{"):
        code_without_credentials(part * 100_000)
