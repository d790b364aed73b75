"""Each rule of both formats: a sound description is taken, and one that breaks the rule is refused."""

import io
import tarfile
from pathlib import Path
from typing import Any

import pytest
import yaml

from labkit.process.errors import InputError
from runtimes.krt.archive import write_archive
from runtimes.krt.check import problems
from runtimes.krt.manifest import Release, kai_yaml, krt_yml
from runtimes.krt.rules_kai import amount, kai_problems
from runtimes.krt.rules_kre import krt_problems

pytestmark = pytest.mark.unittest

RELEASE = Release("wine", 1, "wine v1", "wine:v1")
PROTO = """
syntax = "proto3";
message Request { double x = 1; }
message Response { double y = 1; }
service Entrypoint {
  rpc Predict (Request) returns (Response);  // service Other { }
}
"""


def changed(text: str, changes: dict[str, Any]) -> str:
    """A YAML text with values set at dotted paths; an index is a number, and None removes the key."""
    content = yaml.safe_load(text)
    for path, value in changes.items():
        *parents, last = [int(part) if part.isdigit() else part for part in path.split(".")]
        place = content
        for part in parents:
            place = place[part]
        if value is None:
            del place[last]
        elif last == "+":
            place.append(value)
        else:
            place[last] = value
    return yaml.safe_dump(content)


def krt(folder: Path, manifest: str = "", proto: str = PROTO, **more: bytes) -> Path:
    """A .krt with this manifest and proto; a name in `more` is a path with __ for a slash."""
    path = folder / "it.krt"
    given = {"krt.yml": (manifest or krt_yml(RELEASE)).encode(), "public_input.proto": proto.encode()}
    others = {name.replace("__", "/"): content for name, content in more.items()}
    write_archive(path, {**given, "src/model/main.py": b"", **others})
    return path


NODE = {"name": "other", "image": "i", "src": "src/model/main.py", "subscriptions": ["entrypoint"]}
WORKFLOW = {"name": "predict", "entrypoint": "Predict", "exitpoint": "other", "nodes": [NODE]}

MANIFESTS = {
    "version 1": ({"krtVersion": "v1"}, "krtVersion"),
    "no version": ({"version": None}, "version"),
    "a version in capitals": ({"version": "Wine-v1"}, "version"),
    "a version that ends with -": ({"version": "wine-"}, "version"),
    "a version with a line end": ({"version": "wine\n"}, "version"),
    "a version of 20 signs": ({"version": "a" * 20}, "version"),
    "no description": ({"description": None}, "description"),
    "an unknown key": ({"colour": "red"}, "colour"),
    "an unknown key of a node": ({"workflows.0.nodes.0.colour": "red"}, "colour"),
    "another proto": ({"entrypoint.proto": "other.proto"}, "entrypoint.proto"),
    "no image of the entrypoint": ({"entrypoint.image": None}, "image"),
    "a variable in small letters": ({"config": {"variables": ["key"]}}, "variables"),
    "no workflow": ({"workflows": []}, "workflows"),
    "two workflows of one name": ({"workflows.+": WORKFLOW}, "workflow 'predict' is there twice"),
    "an entrypoint that is no rpc": ({"workflows.0.entrypoint": "Train"}, "not an rpc"),
    "an exitpoint that is no node": ({"workflows.0.exitpoint": "end"}, "none of its nodes"),
    "no node": ({"workflows.0.nodes": []}, "nodes"),
    "two nodes of one name": ({"workflows.0.nodes.+": NODE | {"name": "model"}}, "node 'model' is there twice"),
    "a node called entrypoint": (
        {"workflows.0.nodes.+": NODE | {"name": "entrypoint", "subscriptions": ["model"]}},
        "KRE's own",
    ),
    "a source that is not there": ({"workflows.0.nodes.0.src": "src/main.py"}, "not a file"),
    "a source that is a folder": ({"workflows.0.nodes.0.src": "src/model"}, "not a file"),
    "no subscription": ({"workflows.0.nodes.0.subscriptions": []}, "subscriptions"),
    "an unknown subscription": ({"workflows.0.nodes.0.subscriptions.0": "etl.mails"}, "which is not a node"),
    "a subscription to itself": ({"workflows.0.nodes.0.subscriptions.0": "model"}, "to itself"),
    "a subscription twice": ({"workflows.0.nodes.0.subscriptions.+": "entrypoint"}, "is there twice"),
    "a store of another scope": ({"workflows.0.nodes.0.objectStore": {"name": "a", "scope": "product"}}, "scope"),
    "no replicas": ({"workflows.0.nodes.0.replicas": 0}, "replicas"),
}


def test_a_sound_krt_has_no_problems(tmp_path: Path) -> None:
    assert krt_problems(krt(tmp_path)) == []
    two = changed(krt_yml(RELEASE), {"workflows.0.nodes.+": NODE | {"subscriptions": ["model.early", "entrypoint"]}})
    assert krt_problems(krt(tmp_path, two)) == []


@pytest.mark.parametrize(("changes", "told"), MANIFESTS.values(), ids=MANIFESTS)
def test_a_manifest_that_breaks_a_rule_is_refused(tmp_path: Path, changes: dict[str, Any], told: str) -> None:
    problems = krt_problems(krt(tmp_path, changed(krt_yml(RELEASE), changes)))
    assert [told in problem for problem in problems] == [True], problems


def test_a_key_that_is_there_twice_is_refused(tmp_path: Path) -> None:
    (problem,) = krt_problems(krt(tmp_path, krt_yml(RELEASE) + "version: wine-v2\n"))
    assert "version" in problem


PROTOS = {
    "another service": (PROTO.replace("service Entrypoint", "service Entry"), "one service, called Entrypoint"),
    "two services": (PROTO + "service Other { }", "one service"),
    "an option in the service": (PROTO.replace("rpc", "option deprecated = true; rpc"), "more than rpcs"),
    "a message without its end": (PROTO.replace("= 1; }", "= 1;", 1), "braces do not match"),
    "a message of a package": (PROTO.replace("(Request)", "(lab.Request)"), "lab.Request must be a message"),
    "a message of another file": (PROTO.replace("(Response)", "(Answer)"), "Answer must be a message"),
}


@pytest.mark.parametrize(("proto", "told"), PROTOS.values(), ids=PROTOS)
def test_a_proto_that_breaks_a_rule_is_refused(tmp_path: Path, proto: str, told: str) -> None:
    problems = krt_problems(krt(tmp_path, proto=proto))
    assert [told in problem for problem in problems] == [True], problems


def packed(folder: Path, names: list[str], kind: bytes = tarfile.REGTYPE, mode: str = "w:gz") -> Path:
    """The sound archive's files under these names, in this order; those beyond them are empty, of a kind."""
    contents = {"krt.yml": krt_yml(RELEASE).encode(), "public_input.proto": PROTO.encode(), "src/model/main.py": b""}
    path = folder / "it.krt"
    with tarfile.open(path, mode) as archive:  # type: ignore[call-overload]
        for name in names:
            entry = tarfile.TarInfo(name)
            known = contents.get(name)
            entry.type = tarfile.DIRTYPE if name in ("src", "src/model") else tarfile.REGTYPE if known else kind
            if name == "src/model/main.py":
                entry.type = tarfile.REGTYPE
            entry.size = len(known or b"")
            archive.addfile(entry, io.BytesIO(known or b""))
    return path


SOUND = ["krt.yml", "public_input.proto", "src", "src/model", "src/model/main.py"]
LAYOUTS = {
    "a link": ([*SOUND, "src/link"], tarfile.SYMTYPE, "links are not taken"),
    "a pipe": ([*SOUND, "src/pipe"], tarfile.FIFOTYPE, "links are not taken"),
    "a file before its folder": (
        ["krt.yml", "public_input.proto", "src", "src/model/main.py"],
        b"0",
        "must come before",
    ),
    "a file in a file": ([*SOUND, "notes", "notes/more"], b"0", "must come before"),
    "an entry with ./": ([*SOUND, "./notes"], b"0", "must not begin with ./"),
    "a path that leads out": ([*SOUND, "../notes"], b"0", "leads out"),
    "an absolute path": ([*SOUND, "/notes"], b"0", "leads out"),
    "an entry twice": ([*SOUND, "krt.yml"], b"0", "is there twice"),
    "a second krt.yml": ([*SOUND, "src/krt.yml"], b"0", "exactly one krt.yml"),
    "no krt.yml": (SOUND[1:], b"0", "exactly one krt.yml"),
    "no proto": ([SOUND[0], *SOUND[2:]], b"0", "public_input.proto is missing"),
}


def test_a_manifest_that_is_a_link_is_refused(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "it.krt", "w:gz") as archive:
        entry = tarfile.TarInfo("krt.yml")
        entry.type, entry.linkname = tarfile.SYMTYPE, "nowhere"
        archive.addfile(entry)
    assert krt_problems(tmp_path / "it.krt") == ["krt.yml: it is neither a file nor a folder; links are not taken"]


@pytest.mark.parametrize(("names", "kind", "told"), LAYOUTS.values(), ids=LAYOUTS)
def test_an_archive_that_breaks_a_rule_is_refused(tmp_path: Path, names: list[str], kind: bytes, told: str) -> None:
    problems = krt_problems(packed(tmp_path, names, kind))
    assert any(told in problem for problem in problems), problems


def test_what_is_no_gzip_tar_is_refused(tmp_path: Path) -> None:
    assert krt_problems(packed(tmp_path, SOUND)) == []
    assert "not a gzip tar" in krt_problems(packed(tmp_path, SOUND, mode="w:xz"))[0]
    whole = packed(tmp_path, SOUND).read_bytes()
    other_checksum = whole[:-8] + bytes([whole[-8] ^ 1]) + whole[-7:]
    for broken in (whole[:100], whole[:-8], other_checksum):
        (tmp_path / "it.krt").write_bytes(broken)
        assert "not a gzip tar" in krt_problems(tmp_path / "it.krt")[0]


def limits(**given: tuple[str, str]) -> dict[str, Any]:
    """Resource limits with some replaced."""
    both = {"CPU": ("250m", "1"), "memory": ("512Mi", "2Gi")} | given
    return {name: {"request": request, "limit": limit} for name, (request, limit) in both.items()}


TASK = {"name": "task", "type": "task", "image": "i", "subscriptions": ["entrypoint"], "resourceLimits": limits()}
TRIGGER, EXIT = "workflows.0.processes.0", "workflows.0.processes.1"
PRODUCTS = {
    "a version without v": ({"version": "1.0.0"}, "version"),
    "a version with a line end": ({"version": "v1.0.0\n"}, "version"),
    "an unknown key": ({"colour": "red"}, "colour"),
    "no workflow": ({"workflows": []}, "workflows"),
    "a workflow of another type": ({"workflows.0.type": "batch"}, "type"),
    "a name of 21 signs": ({"workflows.0.name": "a" * 21}, "name"),
    "no exit": ({EXIT + ".type": "task"}, "at least one exit"),
    "a process of another type": ({EXIT + ".type": "end"}, "type"),
    "no image": ({EXIT + ".image": ""}, "image"),
    "no subscription": ({EXIT + ".subscriptions": []}, "subscriptions"),
    "a trigger that hears a task": (
        {"workflows.0.processes.+": TASK, TRIGGER + ".subscriptions": ["task"]},
        "trigger, which can't subscribe to task",
    ),
    "an exit that hears an exit": (
        {"workflows.0.processes.+": TASK | {"name": "end", "type": "exit", "subscriptions": ["model"]}},
        "exit, which can't subscribe to exit",
    ),
    "an unknown subscription": ({EXIT + ".subscriptions.0": "etl"}, "which is not a process"),
    "a subscription to itself": ({EXIT + ".subscriptions.0": "model"}, "to itself"),
    "a subscription twice": ({EXIT + ".subscriptions.+": "entrypoint"}, "is there twice"),
    "two processes of one name": ({"workflows.0.processes.+": TASK | {"name": "entrypoint"}}, "is there twice"),
    "no limits": ({EXIT + ".resourceLimits": None}, "resourceLimits"),
    "cores as a word": ({EXIT + ".resourceLimits": limits(CPU=("one", "1"))}, "CPU.request"),
    "milli-cores of two digits": ({EXIT + ".resourceLimits": limits(CPU=("25m", "1"))}, "CPU.request"),
    "memory without a unit": ({EXIT + ".resourceLimits": limits(memory=("512", "1Gi"))}, "memory.request"),
    "fewer cores than asked for": ({EXIT + ".resourceLimits": limits(CPU=("2", "500m"))}, "is less than"),
    "less memory than asked for": ({EXIT + ".resourceLimits": limits(memory=("1Gi", "1000M"))}, "is less than"),
    "a port beyond all": ({TRIGGER + ".networking.targetPort": 70_000}, "targetPort"),
    "another protocol": ({TRIGGER + ".networking.protocol": "TCP"}, "protocol"),
    "a store of another scope": ({EXIT + ".objectStore": {"name": "a", "scope": "project"}}, "scope"),
}


@pytest.mark.parametrize(("changes", "told"), PRODUCTS.values(), ids=PRODUCTS)
def test_a_product_that_breaks_a_rule_is_refused(changes: dict[str, Any], told: str) -> None:
    problems = kai_problems(changed(kai_yaml(RELEASE), changes).encode())
    assert any(told in problem for problem in problems), problems


def test_a_sound_product_has_no_problems() -> None:
    assert kai_problems(kai_yaml(RELEASE).encode()) == []
    tasks = changed(kai_yaml(RELEASE), {"workflows.0.processes.+": TASK, EXIT + ".subscriptions.+": "task.late"})
    assert kai_problems(tasks.encode()) == []
    assert "not a mapping" in kai_problems(b"[]")[0]


@pytest.mark.parametrize(
    ("quantity", "value"), [("250m", 0.25), ("1.5", 1.5), ("2k", 2e3), ("1Ki", 1024), ("3Gi", 3 * 2**30), ("2T", 2e12)]
)
def test_a_quantity_is_what_kubernetes_takes_it_for(quantity: str, value: float) -> None:
    assert amount(quantity) == value


def test_a_file_is_held_to_the_rules_of_its_format(tmp_path: Path) -> None:
    product = tmp_path / "product.yaml"
    product.write_text(kai_yaml(RELEASE), encoding="utf-8")
    assert problems(product) == problems(krt(tmp_path)) == []
    product.rename(tmp_path / "product.krt")
    assert problems(tmp_path / "product.krt") != []
    with pytest.raises(InputError, match=r"product\.yaml can't be read: No such file or directory"):
        problems(product)
