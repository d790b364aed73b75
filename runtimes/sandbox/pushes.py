"""What was pushed to the origin of a sandbox, which of it the runner has taken, and why something starts no run."""

from pathlib import Path, PurePosixPath
from typing import NamedTuple

import yaml

from labkit.git_cli import git_in
from labkit.process.files import replacing
from runtimes.sandbox.state import Sandbox

WORKFLOW = ".github/workflows/experiments.yml"
WIDE = ".github/workflows/wide.yml"  # each stage as a job
TAGS = "refs/tags/"


class Push(NamedTuple):
    """A ref, and the object that it was pushed with: a commit, an annotated tag, or zeros where it was deleted."""

    ref: str
    sha: str

    @property
    def tag(self) -> str:
        """The name of the tag; empty where another ref was pushed, or a tag deleted."""
        return self.ref.removeprefix(TAGS) if self.ref.startswith(TAGS) and self.sha.strip("0") else ""


def pushed(sandbox: Sandbox) -> list[Push]:
    """All pushes to the origin, in their order."""
    lines = (sandbox.origin / "pushes").read_text(encoding="utf-8").splitlines()
    return [Push(ref, sha) for _, sha, ref in (line.split(" ", 2) for line in lines)]


def waiting(sandbox: Sandbox) -> list[Push]:
    """The pushes to the origin that the runner has not taken yet."""
    return pushed(sandbox)[handled(sandbox) :]


def handled_file(sandbox: Sandbox) -> Path:
    """Holds the number of pushes that the runner has taken."""
    return sandbox.origin / "pushes.handled"


def handled(sandbox: Sandbox) -> int:
    """The number of pushes that the runner has taken."""
    file = handled_file(sandbox)
    return int(file.read_text()) if file.exists() else 0


def taken(sandbox: Sandbox) -> None:
    """Count one more push as taken."""
    with replacing(handled_file(sandbox)) as beside:
        beside.write_text(str(handled(sandbox) + 1))


def workflow_of(sandbox: Sandbox, sha: str, tag: str) -> str:
    """The workflow file that a tag starts, by those of the commit that was pushed; empty where it starts none."""
    return next((file for file in (WORKFLOW, WIDE) if _starts(tag_patterns(_text(sandbox, sha, file)), tag)), "")


def no_run(sandbox: Sandbox, push: Push) -> str:
    """Why a push starts no run, by the workflow files of the commit that was pushed; empty where it starts one."""
    if not push.tag:
        return "no tag was pushed"
    if workflow_of(sandbox, push.sha, push.tag):
        return ""
    if not (text := _text(sandbox, push.sha, WORKFLOW)):
        return f"it was pushed with no {WORKFLOW}"
    if not (patterns := tag_patterns(text)):
        return f"at its commit, {WORKFLOW} names no tags under `on.push.tags`"
    slash = ", and * stands for no slash" if "/" in push.tag else ""
    return f"at its commit, {WORKFLOW} runs for tags like {', '.join(patterns)}{slash}"


def _starts(patterns: list[str], tag: str) -> bool:
    # Absolute, so that a pattern is held to the whole name, and its * to what lies between two slashes, as GitHub's.
    return any(PurePosixPath(f"/{tag}").match(f"/{pattern}") for pattern in patterns)


def _text(sandbox: Sandbox, sha: str, file: str) -> str:
    try:
        return git_in(sandbox.origin, "show", f"{sha}^{{commit}}:{file}")
    except RuntimeError:
        return ""


def tag_patterns(workflow: str) -> list[str]:
    """The patterns under `on.push.tags` of a workflow file; none where it has none, or is not to be read."""
    try:
        content = yaml.safe_load(workflow)
        patterns = content.get("on", content.get(True))["push"]["tags"]  # YAML 1.1 takes a bare `on` for true
    except (yaml.YAMLError, KeyError, TypeError, AttributeError):
        return []
    return [str(pattern) for pattern in (patterns if isinstance(patterns, list) else [patterns])]
