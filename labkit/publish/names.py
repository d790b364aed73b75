"""What commit a person means by a name."""

from labkit.git_cli import commit_or_none
from labkit.pipeline.records import commit_of
from labkit.process.errors import InputError
from labkit.publish.history import results_commit_of
from labkit.registry.models import VERSION, RegisteredModel, find_model


def commit_named(name: str) -> tuple[str, str]:
    """The commit of a commit, branch, tag or registered version, of the tag of a run its results commit; and a note.

    Raises InputError where there is none, GitError where `origin` is asked for a version and can't be reached.
    """
    try:
        commit = commit_of(name)
    except InputError:
        if not VERSION.fullmatch(name):
            raise
        commit = version_named(name).version.tag.commit
    if commit_or_none(f"refs/tags/{name}"):
        if results := results_commit_of(name, commit):
            return results, f"the results commit of the run of {commit[:7]}"
        if name.startswith("run-"):
            return commit, "no results commit of its run is here: `git fetch` brings it, if the runner made one"
    return commit, ""


def version_named(name: str) -> RegisteredModel:
    """The registered version of a name; `origin` is asked for one that is not here. Raises as `find_model`."""
    try:
        return find_model(name, offline=True)
    except InputError:  # a version that another person registered since
        return find_model(name)
