"""The rules of KRE v2 for a .krt, those too that the engine does not check itself."""

import gzip
import re
import tarfile
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from runtimes.krt.rules import NAME, Described, Text, parsed, twice

MANIFEST = "krt.yml"
PROTO = "public_input.proto"

Name = Annotated[str, StringConstraints(pattern=NAME, max_length=19)]
Variable = Annotated[str, StringConstraints(pattern=r"^[A-Z0-9]([_A-Z0-9]*[A-Z0-9])?$")]


class ObjectStore(Described):
    """Where a node keeps objects."""

    name: Name
    scope: Literal["workflow", "project"]


class Node(Described):
    """What runs, from which source, and whose messages it hears."""

    name: Name
    image: Text
    src: Text
    subscriptions: list[Text] = Field(min_length=1)
    gpu: bool = False
    replicas: int = Field(1, ge=1)
    object_store: ObjectStore | None = None


class Workflow(Described):
    """Nodes between an rpc and the node that answers."""

    name: Name
    entrypoint: Text
    exitpoint: Text
    nodes: list[Node] = Field(min_length=1)


class Entrypoint(Described):
    """The protobuf, and what serves it."""

    proto: Text
    image: Text


class Config(Described):
    """What the platform has to give, by name."""

    variables: list[Variable] | None = None
    files: list[Variable] | None = None


class Krt(Described):
    """krt.yml."""

    krt_version: Literal["v2"]
    version: Name
    description: Text
    entrypoint: Entrypoint
    config: Config | None = None
    workflows: list[Workflow] = Field(min_length=1)


def krt_problems(path: Path) -> list[str]:
    """What is wrong with a .krt."""
    try:
        with gzip.open(path) as whole:  # to the checksum at its end, which tarfile does not reach
            while whole.read(1 << 20):
                pass
        with tarfile.open(path, "r:gz") as archive:
            entries = archive.getmembers()
            texts = {
                entry.name: file.read()
                for entry in entries
                if entry.name in (MANIFEST, PROTO) and entry.isfile() and (file := archive.extractfile(entry))
            }
    except (tarfile.TarError, gzip.BadGzipFile, EOFError, zlib.error) as error:
        return [f"{path.name} is not a gzip tar: {error}"]
    return [*_layout(entries), *_described(entries, texts)]


def _layout(entries: Sequence[tarfile.TarInfo]) -> Iterator[str]:
    seen: dict[str, bool] = {}
    for entry in entries:
        if problem := _misplaced(entry, seen):
            yield f"{entry.name}: {problem}"
        seen[entry.name] = entry.isdir()
    manifests = [entry.name for entry in entries if PurePosixPath(entry.name).name == MANIFEST]
    if manifests != [MANIFEST]:
        yield f"exactly one {MANIFEST} must be there, at the root; found {', '.join(manifests) or 'none'}"


def _misplaced(entry: tarfile.TarInfo, seen: dict[str, bool]) -> str:
    """What is wrong with an entry's place; `seen` are those before it, and whether they are folders."""
    path = PurePosixPath(entry.name)
    if entry.name in seen:
        return "it is there twice"
    if entry.name.startswith("./") or not path.parts:
        return "an entry must not begin with ./"
    if path.is_absolute() or ".." in path.parts:
        return "it leads out of the archive"
    if not (entry.isfile() or entry.isdir()):
        return "it is neither a file nor a folder; links are not taken"
    if len(path.parts) > 1 and not seen.get(str(path.parent)):
        return "its folder's entry must come before it"
    return ""


def _described(entries: Sequence[tarfile.TarInfo], texts: dict[str, bytes]) -> list[str]:
    if MANIFEST not in texts:
        return []
    krt, problems = parsed(Krt, texts[MANIFEST], MANIFEST)
    if krt is None:
        return problems
    files = {entry.name for entry in entries if entry.isfile()}
    proto = krt.entrypoint.proto
    if proto != PROTO:
        problems.append(f"entrypoint.proto is {proto!r}; it must be {PROTO}, at the root")
    if PROTO not in files:
        problems.append(f"{PROTO} is missing at the root")
    rpcs, wrong = _rpcs(texts.get(PROTO, b""))
    problems += wrong
    for workflow in krt.workflows:
        problems += _workflow(workflow, files, rpcs)
    return problems + twice("workflow", (one.name for one in krt.workflows))


def _workflow(workflow: Workflow, files: set[str], rpcs: set[str]) -> Iterator[str]:
    place = f"workflow {workflow.name}"
    names = {node.name for node in workflow.nodes}
    yield from (f"{place}: {found}" for found in twice("node", (node.name for node in workflow.nodes)))
    if rpcs and workflow.entrypoint not in rpcs:
        yield f"{place}: entrypoint {workflow.entrypoint!r} is not an rpc of {PROTO}; it has {', '.join(sorted(rpcs))}"
    if workflow.exitpoint not in names:
        yield f"{place}: exitpoint {workflow.exitpoint!r} is none of its nodes"
    for node in workflow.nodes:
        if node.name == "entrypoint":
            yield f"{place}: a node can't be called entrypoint, which is KRE's own"
        if node.src not in files:
            yield f"{place}: {node.name}: src {node.src!r} is not a file of the archive"
        for subscription in node.subscriptions:
            wanted = subscription.split(".")[0]
            if wanted == node.name:
                yield f"{place}: {node.name} subscribes to itself"
            elif wanted != "entrypoint" and wanted not in names:
                yield f"{place}: {node.name} subscribes to {subscription!r}, which is not a node"
        yield from (f"{place}: {node.name}: {found}" for found in twice("subscription", node.subscriptions))


def _rpcs(text: bytes) -> tuple[set[str], list[str]]:
    """The rpcs of the proto's service Entrypoint, and what is wrong with it."""
    plain = re.sub(r"//[^\n]*|/\*.*?\*/", " ", text.decode(errors="replace"), flags=re.DOTALL)
    if plain.count("{") != plain.count("}"):
        return set(), [f"{PROTO}: its braces do not match"]
    services = re.findall(r"\bservice\s+(\w+)\s*\{((?:[^{}]|\{[^{}]*\})*)\}", plain)
    if [name for name, _ in services] != ["Entrypoint"]:
        found = ", ".join(name for name, _ in services) or "none"
        return set(), [f"{PROTO}: it must have one service, called Entrypoint; found {found}"]
    rpc = r"\brpc\s+(\w+)\s*\(\s*(stream\s+)?([\w.]+)\s*\)\s*returns\s*\(\s*(stream\s+)?([\w.]+)\s*\)\s*(?:;|\{\s*\})"
    body, messages = services[0][1], set(re.findall(r"\bmessage\s+(\w+)", plain))
    found_rpcs = re.findall(rpc, body)
    problems = [f"{PROTO}: service Entrypoint holds more than rpcs"] if re.sub(rpc, "", body).strip() else []
    for name, _, asked, _, answered in found_rpcs:
        problems += [
            f"{PROTO}: rpc {name}: {message} must be a message of this file, named without a package"
            for message in (asked, answered)
            if message not in messages
        ]
    return {name for name, *_ in found_rpcs}, problems
