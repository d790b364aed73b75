"""Where raw data came from, as the .dvc files tell that `dvc add` and the imports wrote: Git keeps their history."""

from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import NamedTuple

from labkit.git_cli import commit_or_none, git, read_blobs
from labkit.lineage.around import writers
from labkit.lineage.nodes import Added, File, Graph, Made, entries_of, parsed
from labkit.paths import overlaps
from labkit.process.credentials import without_credentials


class Addition(NamedTuple):
    """The commit that brought a version of a .dvc file, its time in seconds, and its first line."""

    name: str
    time: int
    subject: str


def join_added(graph: Graph) -> None:
    """Join raw data to the .dvc files that stood in the commits whose results first read them."""
    if not (raw := _raw(graph)) or not (versions := _versions()):
        return
    names = {added.path for added in versions}
    for file in raw:
        at = _first_commit(graph, file)
        near = sorted(name for name in names if overlaps(str(PurePosixPath(name).parent), [file.path]))
        for name, content in zip(near, read_blobs([f"{at}:./{name}" for name in near]), strict=True):
            added = Added(name, (content or b"").decode(errors="replace"))
            for out in _outs(added) if added in versions else ():
                _join(graph, added, versions[added], out, file)


def _raw(graph: Graph) -> list[File]:
    """The data that no result wrote."""
    return [node for node in graph if isinstance(node, File) and not node.is_code and not writers(graph, node)]


def _join(graph: Graph, added: Added, addition: Addition, out: File, file: File) -> None:
    """Join a .dvc file to what it brought, if that is the file, a folder of it, or a part of it."""
    if out != file and (out.path == file.path or not overlaps(out.path, [file.path])):
        return
    graph.add_node(added, addition=addition)
    graph.add_edge(added, out)
    if out != file:
        graph.add_edge(out, file)
    _join_import(graph, added, out)


def _join_import(graph: Graph, added: Added, out: File) -> None:
    """Join a lab's import of its own result, such as a registered model's, to that."""
    for dep in entries_of(parsed(added.text), "deps"):
        if (result := File(str(dep.get("path")), out.md5)) in graph and "repo" in dep:
            graph.add_edge(result, added)


def origin_of(added: Added) -> str:
    """Where an import took its data from; empty for `dvc add`."""
    for dep in entries_of(parsed(added.text), "deps"):
        repository = dep.get("repo")
        if not isinstance(repository, dict):
            return without_credentials(str(dep.get("path")))
        revision = repository.get("rev") or repository.get("rev_lock")
        return without_credentials(f"{dep.get('path')} of {repository.get('url')} at {revision}")
    return ""


def _versions() -> dict[Added, Addition]:
    """Each content that each .dvc file has had in any branch, with the commit that first brought it."""
    head = ["HEAD"] if commit_or_none() else []
    command = ("log", "--full-history", "--topo-order", "--reverse", "--no-merges", "--diff-filter=AMR", "--name-only")
    printed = git(*command, "--format=%x00%H%x01%ct%x01%s%x01", "--branches", "--remotes", *head, "--", "*.dvc")
    brought = []
    for entry in printed.split("\0")[1:]:
        name, time, said = entry.split("\x01", 2)
        subject, _, files = said.rpartition("\x01")
        brought += [(file, Addition(name, int(time), subject)) for file in files.split("\n") if file.endswith(".dvc")]
    texts = read_blobs([f"{addition.name}:./{file}" for file, addition in brought])
    found: dict[Added, Addition] = {}
    for (file, addition), text in zip(brought, texts, strict=True):
        found.setdefault(Added(file, (text or b"").decode(errors="replace")), addition)
    return found


def _first_commit(graph: Graph, file: File) -> str:
    """The oldest commit with a result that read these bytes; HEAD where none is committed yet."""
    commits = (graph.nodes[made]["commits"] for made in graph.successors(file) if isinstance(made, Made))
    first = min((told[0] for told in commits if told), key=lambda commit: commit.time, default=None)
    return first.name if first else "HEAD"


def _outs(added: Added) -> Iterator[File]:
    folder = PurePosixPath(added.path).parent
    for out in entries_of(parsed(added.text), "outs"):
        if out.get("path") and out.get("md5"):
            yield File((folder / str(out["path"])).as_posix(), str(out["md5"]))
