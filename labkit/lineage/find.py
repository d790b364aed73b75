"""What a person means by WHAT: a file, a hash, a version, a commit, a run of MLflow's or an execution."""

import os
import re
from collections.abc import Collection
from typing import NamedTuple

from labkit.git_cli import git_or_empty
from labkit.lineage.graph import File, Graph, Made, Node, Promotion, Registered, made_here
from labkit.paths import lies_in
from labkit.process.errors import InputError
from labkit.publish.names import VERSION, commit_named, version_named
from labkit.publish.occurrences import locks_of

FEWEST_LETTERS = 6  # of a hash
EXECUTION = re.compile(r"\d{8}-\d{6}-\d+")  # labkit/launch/launcher.py
RUN = re.compile(r"[0-9a-f]{32}")


class Found(NamedTuple):
    """What was named, and the results of the dvc.lock that it is looked at in."""

    nodes: list[Node]
    lock: frozenset[Made]


def find(graph: Graph, what: str) -> Found:
    """What `what` names. Raises InputError where that is nothing, or a hash is that of several contents."""
    here = frozenset(made_here())
    if nodes := _path(graph, what, here) or _hash(graph, what):
        return Found(nodes, here)
    if found := _registered(graph, what) or _commit(graph, what):
        return found
    if EXECUTION.fullmatch(what):
        nodes = _of_runs(graph, f"tags.`lab.execution` = '{what}'", f"execution {what}")
        return Found(nodes, frozenset(node for node in nodes if isinstance(node, Made)))
    if RUN.fullmatch(what):
        return Found(_of_runs(graph, f"attributes.run_id = '{what}'", f"run {what}"), frozenset())
    raise InputError(
        f"{what!r} is no file or hash in a dvc.lock of any branch here, no version, commit, branch or tag, and has not "
        f"the form of a run or an execution of MLflow's; try `git fetch --tags`, or a path as `dvc.lock` has it"
    )


def _path(graph: Graph, what: str, here: Collection[Made]) -> list[Node]:
    """The file as dvc.lock here has it, else as the newest dvc.lock that has it; of one in a folder, the folder."""
    path = os.path.normpath(what)
    named = [file for file in graph if isinstance(file, File) and lies_in(path, [file.path])]
    if not named:
        return []
    now = [file for file in named if {*here} & {*graph.predecessors(file), *graph.successors(file)}]
    return list(now or named[-1:])


def _hash(graph: Graph, what: str) -> list[Node]:
    if not re.fullmatch(rf"[0-9a-f]{{{FEWEST_LETTERS},32}}(\.dir)?", what):
        return []
    found = [file for file in graph if isinstance(file, File) and file.md5.startswith(what)]
    if len(hashes := {file.md5 for file in found}) > 1:
        raise InputError(f"{what} begins {len(hashes)} hashes ({', '.join(sorted(hashes)[:3])} ...); give more of it")
    return list(found)


def _registered(graph: Graph, what: str) -> Found | None:
    """A version, by its name or its stage; or a promotion, by the name of its tag."""
    if "@" in what and VERSION.fullmatch(what):
        model = version_named(what)
        what = f"{model.name}@{model.version}"
    for node in graph:
        if isinstance(node, Registered | Promotion) and node.name == what:
            return Found([node], _lock(graph.nodes[node]["tag"].commit))
    return None


def _commit(graph: Graph, what: str) -> Found | None:
    """The results of a commit, branch or tag."""
    if not git_or_empty("rev-parse", "--verify", "--quiet", "--end-of-options", f"{what}^{{commit}}"):
        return None
    commit, _ = commit_named(what)
    lock = _lock(commit)
    if not (known := [made for made in lock if made in graph]):
        raise InputError(f"{what} ({commit[:10]}) has no results in dvc.lock that are known here")
    return Found(list(known), lock)


def _lock(commit: str) -> frozenset[Made]:
    (texts,) = locks_of([commit])
    return frozenset(Made(*one) for one in texts.items())


def _of_runs(graph: Graph, wanted: str, name: str) -> list[Node]:
    """The results that runs in MLflow made, by the hashes in their tags."""
    from labkit.tracking.tracker import configure

    configure()
    import mlflow

    from labkit.tracking.uploader import connect, explain

    try:
        store = connect()
        runs = mlflow.search_runs([store.experiment], wanted, output_format="list")
    except InputError:
        raise
    except Exception as error:  # of whatever kind MLflow raises
        raise InputError(f"{name}: {explain(error)}") from None
    if not runs:
        raise InputError(f"MLflow has no {name}")
    hashes = {value for run in runs for tag, value in run.data.tags.items() if tag.startswith("lab.out.")}
    made = {
        node
        for file in graph
        if isinstance(file, File) and file.md5 in hashes
        for node in graph.predecessors(file)
        if isinstance(node, Made) and {one.md5 for one in graph.successors(node)} <= hashes
    }
    if not made:
        raise InputError(f"{name} is bound to no result here: `python -m lab publish` binds runs to results")
    return list(made)
