"""What a person means by WHAT: a file, a hash, a version, a commit, a run of MLflow's or an execution."""

import os
import re
from collections.abc import Collection
from pathlib import Path
from typing import NamedTuple

from labkit.git_cli import commit_or_none
from labkit.lineage.around import writers
from labkit.lineage.graph import made_here
from labkit.lineage.mlflow_runs import run_tags
from labkit.lineage.nodes import Added, File, Graph, Made, Node, Promotion, Registered
from labkit.paths import lies_in
from labkit.process.errors import InputError
from labkit.process.tracking import md5_of
from labkit.publish.names import commit_named
from labkit.publish.occurrences import key_of, locks_of, record_of
from labkit.publish.replay import RECORD_TAG
from labkit.registry.models import VERSION, find_model

FEWEST_LETTERS = 6  # of a hash
EXECUTION = re.compile(r"\d{8}-\d{6}-\d+")  # labkit/launch/launcher.py
RUN = re.compile(r"[0-9a-f]{32}")


class Found(NamedTuple):
    """What was named, and the results of the dvc.lock that it is looked at in."""

    nodes: list[Node]
    lock: frozenset[Made]


def find(graph: Graph, what: str) -> Found:
    """What `what` names. Raises InputError where that is nothing, or more than one thing."""
    here = frozenset(made_here())
    if files := _path(graph, what, here) or _hash(graph, what):
        is_here = any(not _around(graph, file).isdisjoint(here) for file in files)
        return Found([*files], here if is_here else frozenset())
    if found := _registered(graph, what) or _commit(graph, what):
        return found
    if nodes := _execution(graph, what):
        return Found(nodes, frozenset(node for node in nodes if isinstance(node, Made)))
    if RUN.fullmatch(what):
        return Found(_of_runs(graph, f"attributes.run_id = '{what}'", f"run {what}"), frozenset())
    raise InputError(
        f"{what!r} is not a file or hash in a dvc.lock of a branch here, nor a version, commit, branch, tag or ID of "
        f"a run or an execution of MLflow's; try `git fetch --tags`, or a path as `dvc.lock` has it"
    )


def _path(graph: Graph, what: str, here: Collection[Made]) -> list[File]:
    """The file as it is here, else as the newest dvc.lock has it; of one in a folder the folder, of a folder its files.

    Raises InputError for a result that was edited since.
    """
    path = os.path.normpath(what)
    files = [file for file in graph if isinstance(file, File)]
    if named := _nearest(files, path):
        now = [file for file in named if not _around(graph, file).isdisjoint(here)]
        return [_as_it_is(graph, file) for file in now or named[-1:]]
    return [file for file in files if lies_in(file.path, [path]) and {*here} & {*graph.predecessors(file)}]


def _nearest(files: list[File], path: str) -> list[File]:
    """The files of the one path that is, or most closely holds, what a person named."""
    holding = [file for file in files if lies_in(path, [file.path])]
    longest = max((len(file.path) for file in holding), default=0)
    return [file for file in holding if len(file.path) == longest]


def _around(graph: Graph, file: File) -> set[Node]:
    """What made a file, and what read it, by itself or with the folder that it is in."""
    beside = {*graph.predecessors(file), *graph.successors(file)}
    return beside.union(*(graph.successors(folder) for folder in beside if isinstance(folder, File)))


def _as_it_is(graph: Graph, file: File) -> File:
    """A file that DVC keeps with the hash of what is here; raises InputError where no dvc.lock knows that."""
    place = Path(file.path)
    is_kept = writers(graph, file) or any(isinstance(one, Added) for one in graph.predecessors(file))
    if not is_kept or not place.exists() or (md5 := md5_of(place)) == file.md5:
        return file
    if (other := File(file.path, md5)) in graph:
        return other
    raise InputError(
        f"{file.path} here is not what dvc.lock recorded, nor any other known result; `dvc checkout {file.path}` "
        f"restores it, and {file.md5[:FEWEST_LETTERS]} names what was recorded"
    )


def _hash(graph: Graph, what: str) -> list[File]:
    if not re.fullmatch(rf"[0-9a-f]{{{FEWEST_LETTERS},32}}(\.dir)?", what):
        return []
    found = [file for file in graph if isinstance(file, File) and file.md5.startswith(what)]
    if len(hashes := {file.md5 for file in found}) > 1:
        raise InputError(f"{what} begins {len(hashes)} hashes ({', '.join(sorted(hashes)[:3])} ...); give more of it")
    if found and (commit := commit_or_none(what)):
        raise InputError(f"{what} begins the hash {found[0].md5} and the commit {commit}; give more of it")
    return found


def _registered(graph: Graph, what: str) -> Found | None:
    """A version, by its name or its stage; or a promotion, by the name of its tag."""
    known = {node.name: node for node in graph if isinstance(node, Registered | Promotion)}
    name = what.removesuffix(".0.0")  # a version that was withdrawn, too
    if name not in known and "@" in what and VERSION.fullmatch(what):
        model = find_model(what, offline=True)
        name = f"{model.name}@{model.version}"
    node = known.get(name)
    return Found([node], _lock(graph.nodes[node]["tag"].commit)) if node else None


def _commit(graph: Graph, what: str) -> Found | None:
    """The results of a commit, branch or tag."""
    if not commit_or_none(what):
        return None
    commit, _ = commit_named(what)
    lock = _lock(commit)
    if not (known := [made for made in lock if made in graph]):
        raise InputError(f"{what} ({commit[:10]}) has no results in dvc.lock that are known here")
    return Found(list(known), lock)


def _lock(commit: str) -> frozenset[Made]:
    (texts,) = locks_of([commit])
    return frozenset(Made(*one) for one in texts.items())


def _execution(graph: Graph, what: str) -> list[Node]:
    """What one execution made: of a runner's, its commit tells; of one here, whose results a person commits, MLflow."""
    results = [node for node in graph if isinstance(node, Made)]
    made = [one for one in results if what in {commit.execution(one.stage) for commit in graph.nodes[one]["commits"]}]
    if not made and EXECUTION.fullmatch(what):
        return _of_runs(graph, f"tags.`lab.execution` = '{what}'", f"execution {what}")
    return list(made)


def _of_runs(graph: Graph, wanted: str, name: str) -> list[Node]:
    """The results that runs in MLflow made, or those that they are nested in: their tags name the records."""
    tags = run_tags(wanted, name)
    hashes = {value for told in tags for tag, value in told.items() if tag.startswith("lab.out.")}
    keys = {told.get(RECORD_TAG) for told in tags}
    results = [node for node in graph if isinstance(node, Made)]
    likely = [node for node in results if not hashes.isdisjoint(file.md5 for file in graph.successors(node))]
    made = [node for node in likely if key_of(record_of(node.stage, node.text)) in keys]  # which takes longer
    if not made:
        raise InputError(f"{name} is bound to no result here: `python -m lab publish` binds runs to results")
    return list(made)
