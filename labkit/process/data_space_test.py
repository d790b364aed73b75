import ssl
import subprocess
from base64 import b64encode
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.parse import quote

import pytest

from labkit.process import data_space
from labkit.process.data_space import read_resource
from labkit.process.errors import InputError
from labkit.testing.connector import ARTIFACT, BOUNDARY, PASSWORD, PROVIDER, USER, Connector, multipart, serve_connector

pytestmark = pytest.mark.unittest

MESSAGES = [
    "DescriptionRequestMessage",
    "ContractRequestMessage",
    "ContractAgreementMessage",
    "ArtifactRequestMessage",
]
FORM = f"multipart/form-data; boundary={BOUNDARY}"
TOKEN = b64encode(f"{USER}:{PASSWORD}".encode()).decode()


@pytest.fixture
def connector() -> Iterator[Connector]:
    with serve_connector() as served:
        yield served


def read(connector: Connector, wanted: str = "CSV resource", password: str = PASSWORD) -> bytes:
    rest = f"{connector.host}/proxy?provider={PROVIDER}&resource={wanted}"
    return read_resource(f"ids+http://{USER}:{quote(password, safe='')}@{rest}", f"ids+http://{USER}:$PASSWORD@{rest}")


def refused(connector: Connector, wanted: str = "CSV resource", password: str = PASSWORD) -> str:
    with pytest.raises(InputError) as error:
        read(connector, wanted, password)
    told = str(error.value)
    assert PASSWORD not in told
    assert TOKEN not in told
    assert connector.host in told
    assert wanted in told
    assert "; " in told
    return told


@pytest.mark.parametrize("unpacks", [True, False])
@pytest.mark.parametrize("content", [b"a,b\r\n\xc3\xa9,2\n\n", b"a\xff\x00\r--\r\n--x", b""])
def test_a_resource_is_agreed_on_and_read_to_the_byte(connector: Connector, unpacks: bool, content: bytes) -> None:
    connector.unpacks, connector.content = unpacks, content
    if unpacks and not content:
        content = b"ArtifactResponseMessage"  # all that such a proxy tells of an empty payload
    assert read(connector) == content
    assert connector.asked == MESSAGES
    assert connector.agreed == [ARTIFACT]


def test_a_payload_in_base64_is_decoded(connector: Connector) -> None:
    connector.content = b64encode(bytes(range(256)))
    assert read(connector) == bytes(range(256))


def test_what_was_agreed_on_is_told(connector: Connector, capsys: pytest.CaptureFixture[str]) -> None:
    connector.offered[0]["ids:contractOffer"][0]["ids:permission"][0]["ids:constraint"] = [{"@id": "one"}]
    read(connector)
    assert capsys.readouterr().out.startswith(
        "'CSV resource' is used under the agreement https://w3id.org/idsa/autogen/contractAgreement/"
    )


def test_a_resource_is_found_by_its_id_where_titles_repeat(connector: Connector) -> None:
    connector.offered[1]["ids:title"] = connector.offered[0]["ids:title"]
    first, second = (one["@id"] for one in connector.offered)
    told = refused(connector)
    assert f"2 resources are called 'CSV resource'; write one's id in the place of its title: {first}, {second}" in told
    assert read(connector, first) == connector.content


def test_an_unknown_title_is_told_with_those_there_are(connector: Connector) -> None:
    assert "no resource is called 'CSV'; there are: CSV resource, World class literature" in refused(connector, "CSV")
    connector.offered = []
    assert "there are: none" in refused(connector)
    connector.offered = [{"ids:title": ["\x1b[2Jgone"]}]
    assert "there are:  [2Jgone" in refused(connector)  # a terminal would be cleared


def test_an_answer_that_does_not_end_is_given_up(connector: Connector, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(data_space, "MOST_BYTES", 9)
    assert "DescriptionRequestMessage: an answer of more than 9 bytes; ask the provider" in refused(connector)


@pytest.mark.parametrize("message", MESSAGES)
@pytest.mark.parametrize(
    ("reason", "remedy"),
    [
        ("NOT_AUTHORIZED", "the provider denies the usage"),
        ("NOT_FOUND", "the provider does not have it"),
        ("TEMPORARILY_NOT_AVAILABLE", "try again later"),
        ("INTERNAL_RECIPIENT_ERROR", "ask who runs the connector"),
    ],
)
def test_a_rejection_names_the_message_and_the_remedy(
    connector: Connector, message: str, reason: str, remedy: str
) -> None:
    connector.rejections[message] = reason
    told = refused(connector)
    assert f": {message}: status " in told
    assert reason in told
    assert f"; {remedy}" in told
    assert connector.asked[-1] == message


@pytest.mark.parametrize("name", ["ids:RejectionMessage", "ids:ContractRejectionMessage"])
def test_a_rejection_that_the_proxy_lets_through_is_one(connector: Connector, name: str) -> None:
    header = {"@type": name, "ids:rejectionReason": {"@id": "https://w3id.org/idsa/code/NOT_AUTHORIZED"}}
    header["ids:contractRejectionReason"] = {"@value": f"not for {TOKEN}"}
    connector.instead["ContractRequestMessage"] = 200, FORM, multipart(header, b"")
    told = refused(connector)
    assert f"ContractRequestMessage: {name} " in told
    assert "; the provider denies the usage" in told
    assert "not for" in told
    connector.instead["ContractRequestMessage"] = 200, "text/plain", name.removeprefix("ids:").encode()
    assert name.removeprefix("ids:") in refused(connector)


@pytest.mark.parametrize("message", MESSAGES[:2])
@pytest.mark.parametrize(
    "body", [b"", b"[1]", b"<html>", b"\xff", b"[" * 100_000, b"MessageProcessedNotificationMessage"]
)
def test_an_answer_that_is_no_json_ld_is_told(connector: Connector, message: str, body: bytes) -> None:
    connector.instead[message] = 200, "application/json", body
    assert f"{message}: no JSON-LD" in refused(connector)


def test_no_agreement_is_told(connector: Connector) -> None:
    connector.instead["ContractRequestMessage"] = 200, "application/json", b'{"@type": "ids:ContractOffer"}'
    assert "no agreement, but ids:ContractOffer; ask the provider" in refused(connector)


WHOLE = multipart({"@type": "ids:ArtifactResponseMessage"}, b"a,b\n1,2\n")


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        (FORM, WHOLE[:-20]),  # no end
        (FORM, b"a,b\n1,2\n"),
        (FORM, b""),
        ("multipart/form-data", WHOLE),  # no boundary
        (FORM, WHOLE.replace(b'name="header"', b'name="other"')),
        (FORM, WHOLE.replace(b'{"@type"', b"[" * 100_000)),
        (FORM, WHOLE.replace(b'{"@type"', b'["@type"')),
        (FORM, WHOLE.replace(b'{"@type": "ids:ArtifactResponseMessage"}', b'"ids:ArtifactResponseMessage"')),
    ],
)
def test_a_malformed_multipart_message_is_told(connector: Connector, kind: str, body: bytes) -> None:
    connector.instead["ArtifactRequestMessage"] = 200, kind, body
    assert "ArtifactRequestMessage: a malformed answer, " in refused(connector)


def test_another_size_than_announced_is_refused(connector: Connector) -> None:
    artifact = connector.offered[0]["ids:representation"][0]["ids:instance"][0]
    artifact["ids:byteSize"] = len(connector.content)
    assert read(connector) == connector.content
    artifact["ids:byteSize"] = {"@value": "7", "@type": "http://www.w3.org/2001/XMLSchema#integer"}
    assert f"{len(connector.content)} bytes of {ARTIFACT}, but 7 were announced; read it again" in refused(connector)


@pytest.mark.parametrize("change", ["none", "another"])
def test_a_resource_without_an_offer_for_its_artifact_is_told(connector: Connector, change: str) -> None:
    offers = connector.offered[0]["ids:contractOffer"]
    if change == "none":
        offers.clear()
    else:
        offers[0]["ids:permission"][0]["ids:target"]["@id"] = "http://other"
    assert f"no contract is offered for {ARTIFACT}; ask the provider to offer one" in refused(connector)


def test_a_resource_of_several_artifacts_is_refused(connector: Connector) -> None:
    connector.offered[0]["ids:representation"][0]["ids:instance"].append({"@id": "http://other"})
    assert f"it has 2 artifacts (http://other, {ARTIFACT})" in refused(connector)
    connector.offered[0]["ids:representation"] = []
    assert "it has 0 artifacts (none)" in refused(connector)


def test_a_wrong_password_is_told_and_not_what_the_server_repeats(connector: Connector) -> None:
    told = refused(connector, password="wrong:1")  # pragma: allowlist secret
    assert "status 401" in told
    assert "check the user and the password" in told
    assert "no such user: Basic ***" in told


@pytest.mark.parametrize("status", [204, 302, 500])
def test_another_status_is_told_and_no_redirection_is_followed(connector: Connector, status: int) -> None:
    connector.instead["DescriptionRequestMessage"] = status, "text/plain", b""
    assert f"DescriptionRequestMessage: status {status}, " in refused(connector)


def test_silence_ends(connector: Connector, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(data_space, "SILENCE", 0.2)
    connector.silent = 0.6
    assert "DescriptionRequestMessage: no answer within 0.2 s; check that the connectors run" in refused(connector)


def test_a_server_that_is_not_there_is_told() -> None:
    assert "ConnectionRefusedError" in refused(Connector(url="http://127.0.0.1:1"))


@pytest.mark.parametrize(
    "address",
    [
        "ids+https://host:8184/proxy",
        "ids+https://host/proxy?provider=https://p/data",
        "ids+https://host/proxy?provider=https://p/data&resource=",
        "ids+https://host/proxy?provider=https://p/data&resource=a#b",
        "ids+https://host/proxy?provider=https://p/data&resource=R&D",
        "ids+https://host/proxy?provider=https://p/data&resource=a&title=b",
        "ids+https://[/proxy?provider=https://p/data&resource=a",
    ],
)
def test_an_address_that_lacks_a_part_is_refused_with_the_form(address: str) -> None:
    with pytest.raises(InputError, match=r"^params.yaml: data.source ids.* names no resource .*; write ids\+https://"):
        read_resource(address, address)


@pytest.mark.parametrize("host", ["", ":80", "host:port", "host:99999999"])
def test_an_address_without_a_host_is_refused(host: str) -> None:
    address = f"ids+https://{host}/proxy?provider=https://p/data&resource=a"
    with pytest.raises(InputError, match=r"is no http:// or https:// address; correct it$"):
        read_resource(address, address)


def test_a_certificate_is_checked_and_that_of_the_connector_can_be_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = "openssl req -x509 -newkey rsa:2048 -nodes -days 1 -keyout key.pem -out cert.pem -subj /CN=127.0.0.1"
    subprocess.run(
        [*made.split(), "-addext", "subjectAltName=IP:127.0.0.1"], cwd=tmp_path, check=True, capture_output=True
    )

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.send_response(418)
            self.end_headers()

    server = HTTPServer(("127.0.0.1", 0), Handler)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "cert.pem", tmp_path / "key.pem")
    server.socket = context.wrap_socket(server.socket, server_side=True)
    Thread(target=server.serve_forever, daemon=True).start()
    address = f"ids+https://127.0.0.1:{server.server_port}/proxy?provider={PROVIDER}&resource=a"
    with pytest.raises(InputError, match=r"its certificate is not trusted: .*; name the PEM file .* in SSL_CERT_FILE"):
        read_resource(address, address)
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "cert.pem"))
    with pytest.raises(InputError, match="status 418"):
        read_resource(address, address)
    server.shutdown()
    server.server_close()


def test_the_requests_are_those_of_the_documents(connector: Connector, monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[dict[str, Any]] = []
    answer = connector.proxied

    def noted(body: dict[str, Any]) -> tuple[int, str, bytes]:
        sent.append(body)
        return answer(body)

    monkeypatch.setattr(connector, "proxied", noted)
    read(connector)
    assert [sorted(body) for body in sent] == [
        ["Forward-To", "messageType", "multipart"],
        ["Forward-To", "messageType", "multipart", "payload", "requestedElement"],
        ["Forward-To", "messageType", "multipart", "payload", "requestedArtifact"],
        ["Forward-To", "messageType", "multipart", "requestedArtifact", "transferContract"],
    ]
    request = sent[1]["payload"]
    assert request["@type"] == "ids:ContractRequest"
    assert request["ids:consumer"] == {"@id": "http://w3id.org/engrd/connector/consumer"}
    assert {"@context", "@id", "ids:permission", "ids:provider", "ids:obligation", "ids:prohibition"} < {*request}
