"""Announce the results of a commit in an International Data Space: the experiment, as a resource of a connector.

By the self-description API of a TRUE Connector, as its documents show it. It has never met a live connector.
"""

import os
from typing import Any
from urllib.parse import quote, urlsplit
from uuid import uuid4

from labkit.git_cli import file_in, git
from labkit.pipeline.records import commit_of
from labkit.process.data_space import CONTEXT, Node, Server, artifacts_of, nodes, resources_of, titles_of
from labkit.process.errors import InputError
from labkit.process.strict_yaml import parse_yaml
from labkit.publish.claims import claims_of

API = "/api/offeredResource/"
AUTOGEN, CODE = "https://w3id.org/idsa/autogen", "https://w3id.org/idsa/code"
ENGLISH = {"@id": f"{CODE}/EN"}
XML = "http://www.w3.org/2001/XMLSchema#"


def announce(connector: str, revision: str = "HEAD") -> str:
    """Add the experiment to the connector's first catalog, or replace what was said of it; what was done, in words.

    The contracts that are offered for it stay. Raises InputError where the commit has no results, the connector
    refuses, or another resource has the experiment's name.
    """
    commit = commit_of(revision)
    name, said = _name(commit), next(claims_of([commit]))
    if not said:
        raise InputError(f"{revision} has no results to announce; `make run`, then commit dvc.lock and lab/results")
    server, path = _server(connector)
    catalog = (nodes(_asked(server, "GET", path or "/"), "ids:resourceCatalog") or [{}])[0]
    if not isinstance(catalog.get("@id"), str):
        raise server.error("its self-description", "it has no catalog of resources", "add one to it")
    described = _described(name, commit, said)
    former = _former(server, catalog, described)
    resource = former | described | {"@id": former.get("@id") or f"{AUTOGEN}/textResource/{uuid4()}"}
    answer = _asked(server, "PUT" if former else "POST", path + API, resource, catalog=catalog["@id"])
    if resource["@id"] not in [node.get("@id") for node in resources_of(answer)]:
        raise server.error(API, "it answered, and did not keep the resource", "ask who runs the connector")
    return f"{name} is announced{' again' * bool(former)} as of {commit[:10]}: {resource['@id']}"


def _former(server: Server, catalog: Node, described: Node) -> Node:
    """What was announced before; empty where nothing was. Raises InputError where that is no experiment."""
    title = titles_of(described)[0]
    found = [node for node in nodes(catalog, "ids:offeredResource") if title in titles_of(node)]
    if any(_artifacts(node) != _artifacts(described) for node in found):
        remedy = "change project.name in params.yaml, or remove the resource"
        raise server.error("its catalog", f"the resource {title!r} is no experiment", remedy)
    return found[0] if found else {}


def _server(connector: str) -> tuple[Server, str]:
    if "@" in connector:
        raise InputError(
            "the connector's address has an @; give its user and password by IDS_API_USER and IDS_API_PASSWORD"
        )
    for variable in ("IDS_API_USER", "IDS_API_PASSWORD"):
        if not os.environ.get(variable):
            raise InputError(f"the environment has no {variable}; set it to that of {connector}'s API")
    server = Server(connector, os.environ["IDS_API_USER"], os.environ["IDS_API_PASSWORD"], connector)
    return server, urlsplit(connector).path.rstrip("/")


def _asked(server: Server, method: str, path: str, body: Any = None, **headers: str) -> Node:
    _, content = server.ask(method, path, f"{method} {path}", body, Accept="application/json", **headers)
    return server.node(f"{method} {path}", content)


def _name(commit: str) -> str:
    """The experiment's name in the commit's params.yaml."""
    content = parse_yaml(file_in(commit, "params.yaml") or b"", f"params.yaml of {commit[:10]}")
    project = content.get("project") if isinstance(content, dict) else None
    name = project.get("name") if isinstance(project, dict) else None
    if not name:
        raise InputError(f"params.yaml of {commit[:10]} has no project.name; give the experiment a name")
    return str(name)


def _artifacts(resource: Node) -> list[Any]:
    return [artifact.get("@id") for artifact in artifacts_of(resource)]


def _described(name: str, commit: str, said: dict[str, str]) -> Node:
    time = {"@value": git("log", "-1", "--format=%cI", commit), "@type": f"{XML}dateTimeStamp"}
    told = "; ".join(f"{key}: {value}" for key, value in {**said, "Commit": commit}.items())
    return {
        "@context": CONTEXT,
        "@type": "ids:TextResource",
        "ids:title": [_text(name)],
        "ids:description": [_text(told)],
        "ids:keyword": [_text("experiment")],
        "ids:version": commit[:10],
        "ids:language": [ENGLISH],
        "ids:contentType": {"@id": f"{CODE}/SCHEMA_DEFINITION"},
        "ids:created": time,
        "ids:modified": time,
        "ids:representation": [
            {
                "@type": "ids:TextRepresentation",
                "@id": f"{AUTOGEN}/textRepresentation/{uuid4()}",
                "ids:instance": [{"@type": "ids:Artifact", "@id": f"mlflow:{quote(name)}", "ids:creationDate": time}],
                "ids:language": ENGLISH,
                "ids:created": time,
            }
        ],
    }


def _text(value: str) -> Node:
    return {"@value": value, "@type": f"{XML}string"}
