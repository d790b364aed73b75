"""Read a resource of an International Data Space, through the proxy of a TRUE Connector.

    ids+https://USER:$PASSWORD@CONNECTOR:8184/proxy?provider=https://PROVIDER:8889/data&resource=TITLE

It has never met a live connector: it follows the messages that TRUE Connector's documents show, and so does the server
of the tests. Nothing but Python's own library is needed.
"""

import json
import re
import ssl
from base64 import b64decode, b64encode
from email import message_from_bytes
from http.client import HTTPConnection, HTTPException, HTTPResponse, HTTPSConnection, IncompleteRead
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from labkit.process.errors import InputError

Node = dict[str, Any]  # of JSON-LD

SCHEMES = ("ids+https", "ids+http")
FORM = "ids+https://USER:$PASSWORD@CONNECTOR:8184/proxy?provider=https://PROVIDER:8889/data&resource=TITLE"
CONSUMER = "http://w3id.org/engrd/connector/consumer"  # what the documents call the reader
CONTEXT = {"ids": "https://w3id.org/idsa/core/", "idsc": "https://w3id.org/idsa/code/"}
MOST_BYTES = 1 << 32  # of an answer: a server that does not end would fill the memory
SILENCE = 120.0  # seconds: a provider may ask other servers before it answers
LONGEST_TOLD, MOST_NAMED = 200, 20
BASE64 = re.compile(rb"(?:[A-Za-z0-9+/]{4})+(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?")  # a table has more lines
REMEDIES = {  # by the reasons of the information model
    "NOT_AUTHORIZED": "the provider denies the usage: ask it for a contract offer that you fulfil",
    "NOT_AUTHENTICATED": "the provider does not know your connector: ask who runs it for its DAPS certificate",
    "NOT_FOUND": "the provider does not have it: ask it what it offers now",
    "TEMPORARILY_NOT_AVAILABLE": "try again later",
}
ASK = "ask who runs the connector, whose log tells more"


class Server:
    """A server with basic authentication; `told` is what errors call it, without its password."""

    def __init__(self, url: str, user: str, password: str, told: str) -> None:
        """Raises InputError where the URL is none of HTTP."""
        try:
            parts = urlsplit(url)
            self.is_safe, self.host, self.port = parts.scheme == "https", parts.hostname or "", parts.port
        except ValueError:
            self.host = ""
        if not self.host or parts.scheme not in ("http", "https"):
            raise InputError(f"{told} is no http:// or https:// address; correct it")
        token = b64encode(f"{user}:{password}".encode()).decode()
        self.told, self.secrets, self.headers = told, (token, password), {"Authorization": f"Basic {token}"}

    def ask(self, method: str, path: str, step: str, body: Any = None, **headers: str) -> tuple[str, bytes]:
        """The type and the bytes of the answer; `step` names the question in errors.

        Raises InputError for any other status than 200, and for none. A redirection is none: it would lead the password
        to another server.
        """
        kind = HTTPSConnection if self.is_safe else HTTPConnection
        connection = kind(self.host, self.port, timeout=SILENCE)
        sent = None if body is None else json.dumps(body).encode()
        try:
            connection.request(method, path, sent, {"Content-Type": "application/json", **self.headers, **headers})
            answer = connection.getresponse()
            status, content = answer.status, _content(answer)
        except TimeoutError:
            raise self.error(step, f"no answer within {SILENCE:g} s", "check that the connectors run") from None
        except ssl.SSLCertVerificationError as error:
            remedy = "name the PEM file of who signed it in SSL_CERT_FILE"
            raise self.error(step, f"its certificate is not trusted: {error.verify_message}", remedy) from None
        except (OSError, HTTPException, ValueError) as error:
            what = f"{type(error).__name__}: {error}"
            raise self.error(step, what, "check the address, and that the connector runs") from None
        finally:
            connection.close()
        if len(content) > MOST_BYTES:
            raise self.error(step, f"an answer of more than {MOST_BYTES:,} bytes", "ask the provider for a part of it")
        if status != 200:
            raise self.error(step, f"status {status}, {self.words(content)}", _remedy(status, content))
        return answer.headers.get("Content-Type", ""), content

    def node(self, step: str, content: bytes) -> Node:
        """An answer as JSON-LD. Raises InputError where it is none."""
        try:
            node = json.loads(content)
        except (ValueError, RecursionError):
            node = None
        if not isinstance(node, dict):
            raise self.error(step, f"no JSON-LD, {self.words(content)}", ASK)
        return node

    def words(self, content: bytes) -> str:
        """The beginning of an answer, without the secrets that a server might repeat."""
        text = " ".join(content.decode(errors="replace").split())
        for secret in filter(None, self.secrets):
            text = text.replace(secret, "***")
        return repr(text[:LONGEST_TOLD])

    def error(self, step: str, what: str, remedy: str) -> InputError:
        """The error that names the server, the question, what went wrong, and the remedy."""
        return InputError(_printable(f"{self.told}: {step}: {what}; {remedy}"))


class Proxy:
    """The proxy of the reader's connector, which makes a message of each request and forwards it to the provider."""

    def __init__(self, address: str, told: str) -> None:
        """Raises InputError where the address lacks a part."""
        place = f"params.yaml: data.source {told}"
        try:
            url = urlsplit(address.removeprefix("ids+"))
            asked = {key: values[0] for key, values in parse_qs(url.query, strict_parsing=True).items()}
        except ValueError:
            asked = {}
        if not {"provider", "resource"} <= asked.keys() <= {"provider", "resource", "consumer"} or url.fragment:
            raise InputError(f"{place} names no resource of a data space; write {FORM}, with %26, %23, %2B for &, #, +")
        self.provider, self.resource = asked["provider"], asked["resource"]
        self.consumer = asked.get("consumer", CONSUMER)
        user, password = unquote(url.username or ""), unquote(url.password or "")
        self.path = url.path or "/proxy"
        self.server = Server(address.removeprefix("ids+"), user, password, told)

    def ask(self, message: str, **more: Any) -> bytes:
        """The payload of the provider's answer. Raises InputError where it rejects, or the answer is malformed."""
        body = {"multipart": "form", "Forward-To": self.provider, "messageType": message, **more}
        kind, content = self.server.ask("POST", self.path, message, body)
        try:
            header, payload = _unpacked(kind, content)
        except (ValueError, AttributeError, RecursionError):
            raise self.server.error(message, f"a malformed answer, {self.server.words(content)}", ASK) from None
        # Without a header there is the payload alone, or, where there is no payload, the name of the message.
        name = str(header.get("@type", "")) if header else payload[:100].decode(errors="replace").strip()
        if re.fullmatch(r"(ids:)?\w*RejectionMessage", name):
            why = json.dumps({key: value for key, value in header.items() if key.lower().endswith("reason")}).encode()
            raise self.server.error(message, f"{name} {self.server.words(why + payload)}", _remedy(0, why + payload))
        return payload

    def ask_node(self, message: str, **more: Any) -> Node:
        """As `ask`, for a payload of JSON-LD."""
        return self.server.node(message, self.ask(message, **more))


def read_resource(address: str, told: str) -> bytes:
    """The bytes of a resource; `told` is the address as errors show it. Accepts the contract that is offered for it.

    Raises InputError where any step fails.
    """
    proxy = Proxy(address, told)
    resource = _resource(proxy, resources_of(proxy.ask_node("DescriptionRequestMessage")))
    artifact, offer, permission = _offered(proxy, resource)
    request = {
        "@context": CONTEXT,
        "@type": "ids:ContractRequest",
        "@id": offer.get("@id"),
        "ids:permission": [permission],
        "ids:provider": offer.get("ids:provider"),
        "ids:obligation": offer.get("ids:obligation", []),
        "ids:prohibition": offer.get("ids:prohibition", []),
        "ids:consumer": {"@id": proxy.consumer},
    }
    agreement = proxy.ask_node("ContractRequestMessage", requestedElement=artifact["@id"], payload=request)
    if agreement.get("@type") != "ids:ContractAgreement" or not isinstance(agreement.get("@id"), str):
        what = f"no agreement, but {agreement.get('@type')}"
        raise proxy.server.error("ContractRequestMessage", what, "ask the provider, who may have to agree by hand")
    proxy.ask("ContractAgreementMessage", requestedArtifact=artifact["@id"], payload=agreement)
    wanted = {"requestedArtifact": artifact["@id"], "transferContract": agreement["@id"]}
    content = proxy.ask("ArtifactRequestMessage", **wanted)
    if BASE64.fullmatch(content):
        content = b64decode(content)
    size = value_of(artifact.get("ids:byteSize"))
    if size is not None and str(size) != str(len(content)):
        what = f"{len(content)} bytes of {artifact['@id']}, but {size} were announced"
        raise proxy.server.error("ArtifactRequestMessage", what, "read it again; if it stays so, ask the provider")
    constraints = len(nodes(permission, "ids:constraint"))
    told = f"{proxy.resource!r} is used under the agreement {agreement['@id']}, with {constraints} constraints"
    print(_printable(told))
    return content


def resources_of(connector: Node) -> list[Node]:
    """The resources that a connector's self-description offers."""
    return [
        node for catalog in nodes(connector, "ids:resourceCatalog") for node in nodes(catalog, "ids:offeredResource")
    ]


def artifacts_of(resource: Node) -> list[Node]:
    """The artifacts of a resource."""
    return [one for part in nodes(resource, "ids:representation") for one in nodes(part, "ids:instance")]


def titles_of(resource: Node) -> list[str]:
    """Its titles, one in each language."""
    return [str(value_of(title)) for title in as_list(resource.get("ids:title"))]


def nodes(node: Node, key: str) -> list[Node]:
    """The nodes below a key."""
    return [one for one in as_list(node.get(key)) if isinstance(one, dict)]


def as_list(value: Any) -> list[Any]:
    """JSON-LD writes one value without its list."""
    return value if isinstance(value, list) else [] if value is None else [value]


def value_of(literal: Any) -> Any:
    """The value of a literal, with a type or without."""
    return literal.get("@value") if isinstance(literal, dict) else literal


def _resource(proxy: Proxy, offered: list[Node]) -> Node:
    found = [node for node in offered if proxy.resource in (node.get("@id"), *titles_of(node))]
    if len(found) == 1:
        return found[0]
    if found:
        what = f"{len(found)} resources are called {proxy.resource!r}"
        remedy = f"write one's id in the place of its title: {_named(str(node.get('@id')) for node in found)}"
    else:
        what, remedy = f"no resource is called {proxy.resource!r}", "there are: "
        remedy += _named(title for node in offered for title in titles_of(node))
    raise proxy.server.error(f"the catalog of {proxy.provider}", what, remedy)


def _offered(proxy: Proxy, resource: Node) -> tuple[Node, Node, Node]:
    """The artifact of a resource, and the first contract offer whose permission is for it, with that."""
    step = f"{proxy.resource!r} of {proxy.provider}"
    artifacts = artifacts_of(resource)
    names = sorted({str(one.get("@id")) for one in artifacts})
    if len(names) != 1:
        what = f"it has {len(names)} artifacts ({_named(names)})"
        raise proxy.server.error(step, what, "ask the provider for a resource of one")
    for offer in nodes(resource, "ids:contractOffer"):
        for permission in nodes(offer, "ids:permission"):
            if names == [target.get("@id") for target in nodes(permission, "ids:target")]:
                return artifacts[0], offer, permission
    raise proxy.server.error(step, f"no contract is offered for {names[0]}", "ask the provider to offer one")


def _unpacked(kind: str, content: bytes) -> tuple[Node, bytes]:
    """The header and the payload of a multipart message; no header where a proxy has unpacked it."""
    if not kind.lower().startswith("multipart/"):
        return {}, content
    message = message_from_bytes(f"Content-Type: {kind}\r\n\r\n".encode("latin-1") + content)
    parts: dict[Any, Any] = {
        part.get_param("name", header="Content-Disposition"): part.get_payload(decode=True)
        for part in message.walk()
        if not part.is_multipart()
    }
    header = json.loads(parts.get("header") or b"")
    if message.defects or not isinstance(header, dict):
        raise ValueError
    return header, parts.get("payload") or b""


def _content(answer: HTTPResponse) -> bytes:
    """The whole of an answer, or its first bytes, one more than are taken."""
    content = bytearray()
    while len(content) <= MOST_BYTES and (part := answer.read(1 << 20)):
        content += part
    if answer.length and len(content) <= MOST_BYTES:
        raise IncompleteRead(b"", answer.length)
    return bytes(content)


def _printable(text: str) -> str:
    """What a server says, without what would move a terminal's cursor."""
    return "".join(sign if sign.isprintable() else " " for sign in text)


def _remedy(status: int, content: bytes) -> str:
    for reason in REMEDIES:
        if reason in content.decode(errors="replace"):
            return REMEDIES[reason]
    return "check the user and the password" if status in (401, 403) else ASK


def _named(names: Any) -> str:
    every = [*names]
    more = f" and {len(every) - MOST_NAMED} more" if len(every) > MOST_NAMED else ""
    return (", ".join(every[:MOST_NAMED]) or "none") + more
