"""Describe each node of the graph by its kind."""

from datetime import UTC, datetime
from math import isfinite
from typing import Any

from labkit.goals import Verdict
from labkit.launch.run_name import changes
from labkit.lineage.added import Addition, origin_of
from labkit.lineage.around import writers
from labkit.lineage.nodes import Added, File, Graph, Judged, Made, Node, Promotion, Registered, parsed
from labkit.process.credentials import without_credentials
from labkit.publish.occurrences import Commit

SHORT = 7


def facts(graph: Graph, node: Node) -> dict[str, Any]:
    """What is known of a node, as JSON takes it."""
    match node:
        case File():
            origin = "code" if node.is_code else "made" if writers(graph, node) else "raw"
            return {"kind": "file", "path": node.path, "md5": node.md5, "origin": origin}
        case Made():
            return {"kind": "result", "stage": node.stage, **_of_result(graph, node)}
        case Added():
            return {"kind": "added", "path": node.path, "source": origin_of(node), **_of_addition(graph, node)}
        case Judged():
            return {"kind": "goal", **_of_verdict(graph.nodes[node]["verdict"])}
        case Registered() | Promotion():
            tag = graph.nodes[node]["tag"]
            kind = "version" if isinstance(node, Registered) else "promotion"
            return {"kind": kind, "name": node.name, "commit": tag.commit, "date": tag.date, **_trailers(tag)}


def title(graph: Graph, node: Node) -> tuple[str, str]:
    """A node in short: its name, and what to know of it."""
    told = facts(graph, node)
    match node:
        case File():
            return node.path, f"{node.md5[:SHORT]}{' raw data' if told['origin'] == 'raw' else ''}"
        case Made():
            commits = told["commits"]
            where = f"{commits[0][:SHORT]} {told['date']} {told['subject']:.50}" if commits else "not committed"
            return node.stage, " ".join([where, *(f"[{change}]" for change in told["changed"])])
        case Added():
            source = f"from {told['source']}" if told["source"] else ""
            return node.path, f"{told['commits'][0][:SHORT]} {told['date']} {told['subject']:.50} {source}".rstrip()
        case Judged():
            reached = told["unknown"] or f"{told['value']:.4g}: {graph.nodes[node]['verdict'].word}"
            return f"goal: {node.goal}", f"{told['metric']} {told['threshold']}: {reached}"
        case _:
            goals = f"goals: {told['goals']}" if "goals" in told else ""
            return node.name, "; ".join(filter(None, [told.get("reason", ""), goals, told.get("refused", "")]))


def _of_verdict(verdict: Verdict) -> dict[str, Any]:
    """A goal, and what was reached; no value where that is not known."""
    goal, value = verdict.goal, verdict.value if isfinite(verdict.value) else None
    told = {"goal": goal.goal, "file": goal.file, "metric": goal.metric, "threshold": goal.threshold}
    return told | {"value": value, "met": verdict.met, "ambition": goal.ambition, "unknown": verdict.unknown}


def _of_result(graph: Graph, made: Made) -> dict[str, Any]:
    """The commits that brought a result, oldest first, its parameters, and what of them differs from the one before."""
    told = graph.nodes[made]
    commits: list[Commit] = told["commits"]
    params, before = (_params(record) for record in (made.record, parsed(told["before"])))
    known = {"commits": [commit.name for commit in commits], "params": params, "changed": changes(before, params)}
    return known | (_of_commit(commits[0], made.stage) if commits else {})


def _of_commit(commit: Commit, stage: str) -> dict[str, Any]:
    """What a commit tells of a result that it brought."""
    run = {key.lower(): commit.told[key] for key in ("Tag", "Run", "Machine") if key in commit.told}
    execution = {"execution": name} if (name := commit.execution(stage)) else {}
    return {"date": _date(commit.time), "subject": _readable(commit.subject), "code": commit.code, **run, **execution}


def _of_addition(graph: Graph, added: Added) -> dict[str, Any]:
    """The commit that brought a .dvc file."""
    commit: Addition = graph.nodes[added]["addition"]
    return {"commits": [commit.name], "date": _date(commit.time), "subject": _readable(commit.subject)}


def _date(time: int) -> str:
    return datetime.fromtimestamp(time, UTC).strftime("%Y-%m-%d")


def _readable(text: str) -> str:
    """A person's words, without passwords and control characters."""
    return "".join(one if one.isprintable() else " " for one in without_credentials(text))


def _params(record: dict[str, Any]) -> dict[str, Any]:
    files = record.get("params")
    params = files.get("params.yaml") if isinstance(files, dict) else None
    return _without_credentials(params) if isinstance(params, dict) else {}


def _without_credentials(value: Any) -> Any:
    """A value whose texts are told without passwords."""
    if isinstance(value, dict):
        return {name: _without_credentials(one) for name, one in value.items()}
    if isinstance(value, list):
        return [_without_credentials(one) for one in value]
    return without_credentials(value) if isinstance(value, str) else value


def _trailers(tag: Any) -> dict[str, str]:
    return {key.lower(): value for key, value in tag.trailers.items()}
