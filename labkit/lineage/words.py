"""What is told of each node of the graph, by its kind."""

from typing import Any

from labkit.git_cli import git_or_empty
from labkit.launch.run_name import changes
from labkit.lineage.graph import File, Graph, Made, Node, Promotion, Registered, parsed

SHORT = 7


def facts(graph: Graph, node: Node) -> dict[str, Any]:
    """What is known of a node, as JSON takes it."""
    match node:
        case File():
            origin = "code" if node.is_code else "made" if any(True for _ in graph.predecessors(node)) else "raw"
            return {"kind": "file", "path": node.path, "md5": node.md5, "origin": origin}
        case Made():
            return {"kind": "result", "stage": node.stage, **_of_result(graph, node)}
        case Registered() | Promotion():
            tag = graph.nodes[node]["tag"]
            kind = "version" if isinstance(node, Registered) else "promotion"
            return {"kind": kind, "name": node.name, "commit": tag.commit, "date": tag.date, **_told(tag)}


def title(graph: Graph, node: Node) -> tuple[str, str]:
    """A node in short: what it is, and what is to be known of it."""
    told = facts(graph, node)
    match node:
        case File():
            return node.path, f"{node.md5[:SHORT]}{' raw data' if told['origin'] == 'raw' else ''}"
        case Made():
            commits = told["commits"]
            where = f"{commits[0][:SHORT]} {subject(commits[0]):.50}" if commits else "not committed"
            return node.stage, " ".join([where, *(f"[{change}]" for change in told["changed"])])
        case _:
            goals = f"goals: {told['goals']}" if "goals" in told else ""
            return node.name, "; ".join(filter(None, [told.get("reason", ""), goals, told.get("refused", "")]))


def subject(commit: str) -> str:
    """The first line of a commit's message."""
    return git_or_empty("log", "-1", "--format=%s", commit).strip()


def _of_result(graph: Graph, made: Made) -> dict[str, Any]:
    """The commits that brought a result, oldest first, its parameters, and what of them differs from the one before."""
    told = graph.nodes[made]
    commits = told["commits"]
    named = {key.lower(): value for key, value in (commits[0].told if commits else {}).items()}
    params, before = (_params(record) for record in (made.record, parsed(told["before"])))
    return {"commits": [commit.name for commit in commits], "params": params, "changed": changes(before, params)} | {
        "code": commits[0].code if commits else None,
        **named,
    }


def _params(record: dict[str, Any]) -> dict[str, Any]:
    return dict(record.get("params", {}).get("params.yaml", {}))


def _told(tag: Any) -> dict[str, str]:
    return {key.lower(): value for key, value in tag.trailers.items()}
