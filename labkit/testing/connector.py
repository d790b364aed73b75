"""A server that answers as TRUE Connector's documents show: the proxy, the provider behind it, and the API.

No live connector was asked: these are the messages of its documents and their examples, and its published code's words
of a rejection.
"""

import json
import threading
import time
from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

USER, PASSWORD = "idsUser", "of/tests@1"  # pragma: allowlist secret
PROVIDER = "https://ecc-provider:8889/data"
CONNECTOR = "https://w3id.org/engrd/connector/provider"
AUTOGEN = "https://w3id.org/idsa/autogen"
CATALOG = f"{AUTOGEN}/resourceCatalog/6b2a6a4d-82d9-45a3-9893-a8b4f3591fc8"
ARTIFACT = "http://w3id.org/engrd/connector/artifact/test1.csv"
AGREEMENT = f"{AUTOGEN}/contractAgreement/1150fc17-dd70-41a9-9f5a-7e26ce082018"
CONTEXT = {"ids": "https://w3id.org/idsa/core/", "idsc": "https://w3id.org/idsa/code/"}
BOUNDARY = "zHv3rtkbHcAkL7bfHUoqUwUVn4aP4KB"
STATUS = {"NOT_AUTHORIZED": 401, "NOT_FOUND": 404, "INTERNAL_RECIPIENT_ERROR": 500, "TEMPORARILY_NOT_AVAILABLE": 503}

Node = dict[str, Any]


def resource(title: str, number: int, artifact: str) -> Node:
    """A resource as a self-description has it."""
    permission = {
        "@type": "ids:Permission",
        "@id": f"{AUTOGEN}/permission/{number}",
        "ids:action": [{"@id": "https://w3id.org/idsa/code/USE"}],
        "ids:title": [{"@value": "Example Usage Policy", "@type": "http://www.w3.org/2001/XMLSchema#string"}],
        "ids:target": {"@id": artifact},
    }
    offer = {
        "@type": "ids:ContractOffer",
        "@id": f"{AUTOGEN}/contractOffer/{number}",
        "ids:provider": {"@id": CONNECTOR},
        "ids:permission": [permission],
    }
    representation = {
        "@type": "ids:TextRepresentation",
        "@id": f"{AUTOGEN}/textRepresentation/{number}",
        "ids:instance": [{"@type": "ids:Artifact", "@id": artifact}],
        "ids:language": {"@id": "https://w3id.org/idsa/code/EN"},
    }
    return {
        "@type": "ids:DataResource",
        "@id": f"{AUTOGEN}/dataResource/{number}",
        "ids:contractOffer": [offer],
        "ids:representation": [representation],
        "ids:title": [{"@value": title, "@type": "http://www.w3.org/2001/XMLSchema#string"}],
    }


@dataclass
class Connector:
    """What it offers and does; a test changes that. `unpacks` is its application.extractPayloadFromResponse."""

    content: bytes = b"length,target\n1.5,rose\n2,lily\n"
    unpacks: bool = True
    silent: float = 0
    rejections: dict[str, str] = field(default_factory=dict)  # reasons, by the message that they answer
    instead: dict[str, tuple[int, str, bytes]] = field(default_factory=dict)  # status, type and body, by the message
    offered: list[Node] = field(
        default_factory=lambda: [
            resource("CSV resource", 1, ARTIFACT),
            resource("World class literature", 2, "http://w3id.org/engrd/connector/artifact/big"),
        ]
    )
    asked: list[str] = field(default_factory=list)
    agreed: list[str] = field(default_factory=list)
    url: str = ""

    @property
    def host(self) -> str:
        """Its host and port."""
        return urlsplit(self.url).netloc

    def description(self) -> Node:
        """Its self-description."""
        catalog = {"@type": "ids:ResourceCatalog", "@id": CATALOG, "ids:offeredResource": self.offered}
        return {"@context": CONTEXT, "@type": "ids:BaseConnector", "@id": CONNECTOR, "ids:resourceCatalog": [catalog]}

    def proxied(self, body: Node) -> tuple[int, str, bytes]:
        """Status, type and body of the answer to a message that the proxy is to forward."""
        kind = body.get("messageType", "")
        self.asked.append(kind)
        if kind in self.instead:
            return self.instead[kind]
        if body.get("multipart") != "form" or body.get("Forward-To") != PROVIDER:
            return 500, "text/plain", b"Message could not be processed"
        reason = self.rejections.get(kind, "")
        name, payload = ("ids:RejectionMessage", b"") if reason else self._answer(kind, body)
        if name == "ids:RejectionMessage":
            reason = reason or "NOT_AUTHORIZED"
            return STATUS[reason], "text/plain", f"Rejection occured with reason: {reason}".encode()
        if self.unpacks:
            return 200, "application/json", payload or name.removeprefix("ids:").encode()
        return (
            200,
            f"multipart/form-data; boundary={BOUNDARY}",
            multipart({"@context": CONTEXT, "@type": name}, payload),
        )

    def _answer(self, kind: str, body: Node) -> tuple[str, bytes]:
        payload: Any = body.get("payload") or {}
        if kind == "DescriptionRequestMessage":
            return "ids:DescriptionResponseMessage", json.dumps(self.description()).encode()
        if kind == "ContractRequestMessage":
            (permission,) = payload["ids:permission"]
            offers = [offer for one in self.offered for offer in one["ids:contractOffer"]]
            if payload["@type"] != "ids:ContractRequest" or [permission] not in [o["ids:permission"] for o in offers]:
                return "ids:RejectionMessage", b""
            agreement = {"@context": CONTEXT, "@type": "ids:ContractAgreement", "@id": AGREEMENT}
            return "ids:ContractAgreementMessage", json.dumps({**agreement, "ids:permission": [permission]}).encode()
        if kind == "ContractAgreementMessage":
            self.agreed.append(payload["ids:permission"][0]["ids:target"]["@id"])
            return "ids:MessageProcessedNotificationMessage", b""
        is_agreed = body.get("transferContract") == AGREEMENT and body.get("requestedArtifact") in self.agreed
        if kind == "ArtifactRequestMessage" and is_agreed:
            return "ids:ArtifactResponseMessage", self.content
        return "ids:RejectionMessage", b""

    def kept(self, method: str, catalog: str | None, body: Node) -> tuple[int, Node]:
        """The API's answer to a resource that is to be added (POST) or replaced (PUT)."""
        known = [one["@id"] for one in self.offered]
        if catalog != CATALOG:
            return 404, {"message": f"Catalog with id '{catalog}' not found"}
        if body.get("@context") != CONTEXT or not body["ids:representation"][0]["ids:instance"][0]["@id"]:
            return 400, {"message": "Error while processing request\nCould not transform input"}
        if (body["@id"] in known) != (method == "PUT"):
            told = "already exists" if method == "POST" else "does not exist"
            return 400, {"message": f"Resource with id '{body['@id']}' {told}"}
        self.offered = [one for one in self.offered if one["@id"] != body["@id"]] + [body]
        return 200, self.description()


def multipart(header: Node, payload: bytes) -> bytes:
    """A message of multipart/form-data, as the connector writes it."""
    parts = {"header": ("application/ld+json", json.dumps(header).encode()), "payload": ("text/plain", payload)}
    text = b""
    for name, (kind, content) in parts.items():
        text += f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"\r\nContent-Type: {kind}\r\n'.encode()
        text += (
            f"Content-Transfer-Encoding: 8bit\r\nContent-Length: {len(content)}\r\n\r\n".encode() + content + b"\r\n"
        )
    return text + f"--{BOUNDARY}--\r\n".encode()


@contextmanager
def serve_connector() -> Iterator[Connector]:
    """The connector, on a free port of this machine."""
    connector = Connector()
    basic = f"Basic {b64encode(f'{USER}:{PASSWORD}'.encode()).decode()}"

    class Handler(BaseHTTPRequestHandler):
        def answer(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers.get("Content-Length") or 0)) or b"{}")
            time.sleep(connector.silent)
            if self.headers.get("Authorization") != basic:
                self.reply(401, "text/plain", f"no such user: {self.headers.get('Authorization')}".encode())
            elif (self.command, self.path) == ("POST", "/proxy"):
                self.reply(*connector.proxied(body))
            elif (self.command, self.path) == ("GET", "/"):
                self.reply(200, "application/json", json.dumps(connector.description()).encode())
            elif self.path == "/api/offeredResource/":
                status, told = connector.kept(self.command, self.headers.get("catalog"), body)
                self.reply(status, "application/json", json.dumps(told).encode())
            else:
                self.reply(404, "application/json", b'{"status": 404}')

        do_GET = do_POST = do_PUT = answer  # noqa: N815  (their names are the library's)

        def reply(self, status: int, kind: str, body: bytes) -> None:
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *arguments: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    connector.url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield connector
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
