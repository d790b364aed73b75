"""The registry as this clone knows it: the versions of the model, and the champion's history. No server is asked."""

from labkit.git_cli import GitError
from labkit.pipeline.records import commit_of
from labkit.process.errors import InputError
from labkit.registry.settings import registered_in
from labkit.registry.state import Registry, read_registry


def registry_here() -> Registry | None:
    """The registry of the model that HEAD names; None where it names none, or has no version yet."""
    try:
        registry = read_registry(registered_in(commit_of("HEAD"))[1].name, offline=True)
    except (InputError, GitError):
        return None
    return registry if registry.versions or registry.steps else None


def marks_of(registry: Registry | None) -> dict[str, list[str]]:
    """What each commit is in the registry: `v3`, `champion`."""
    found: dict[str, list[str]] = {}
    for version in registry.versions.values() if registry else []:
        told = ["withdrawn"] if version.withdrawn else ["champion"] if registry and version == registry.champion else []
        found.setdefault(version.tag.commit, []).extend([str(version), *told])
    return found


def is_of_registry(tag: str, registry: Registry | None) -> bool:
    """Whether a tag is one of the registry's own, which the page shows as marks."""
    return registry is not None and tag.startswith((f"{registry.name}@", f"{registry.name}#"))
