"""Which pushed tag starts a run, and the reason why another starts none."""

from pathlib import Path

import pytest

from labkit.git_cli import git_in
from runtimes.sandbox import state
from runtimes.sandbox.pushes import TAGS, WIDE, WORKFLOW, Push, no_run, tag_patterns, workflow_of

IDENTITY = ("-c", "user.name=test", "-c", "user.email=test@localhost.example")


@pytest.mark.unittest
@pytest.mark.parametrize(
    ("workflow", "patterns"),
    [
        ("on:\n  push:\n    tags: [run-*, try-*]", ["run-*", "try-*"]),
        ("'on': {push: {tags: run-*}}", ["run-*"]),
        ("on: {push: {branches: [main]}}", []),
        ("on: push", []),
        ("on: [push", []),
        ("", []),
    ],
)
def test_the_patterns_of_a_workflow_file(workflow: str, patterns: list[str]) -> None:
    assert tag_patterns(workflow) == patterns


@pytest.mark.integration
def test_the_pushed_commit_decides_whether_a_tag_starts_a_run(tmp_path: Path) -> None:
    sandbox = state.new(tmp_path, 9010, 5010)
    sandbox.origin.mkdir()
    git_in(sandbox.origin, "init", "--quiet")
    git_in(sandbox.origin, *IDENTITY, "commit", "--quiet", "--allow-empty", "-m", "Nothing")
    without = git_in(sandbox.origin, "rev-parse", "HEAD")
    (sandbox.origin / WORKFLOW).parent.mkdir(parents=True)
    (sandbox.origin / WORKFLOW).write_text("on: {push: {tags: [run-*]}}")
    (sandbox.origin / WIDE).write_text("on: {push: {tags: [wide-*]}}")
    git_in(sandbox.origin, "add", "--all")
    git_in(sandbox.origin, *IDENTITY, "commit", "--quiet", "-m", "A workflow")
    git_in(sandbox.origin, *IDENTITY, "tag", "--annotate", "-m", "Run", "run-1")
    commit, annotated, tree = git_in(sandbox.origin, "rev-parse", "HEAD", "run-1", "HEAD^{tree}").splitlines()

    def reason(ref: str, sha: str) -> str:
        return no_run(sandbox, Push(ref, sha))

    assert reason(TAGS + "run-1", commit) == reason(TAGS + "run-1", annotated) == ""
    assert workflow_of(sandbox, commit, "run-1") == WORKFLOW
    assert workflow_of(sandbox, commit, "wide-1") == WIDE
    runs_for = f"at its commit, {WORKFLOW} runs for tags like run-*"
    assert reason(TAGS + "rnu-1", commit) == runs_for
    assert reason(TAGS + "run-1/2", commit) == runs_for + ", and * stands for no slash"
    assert reason(TAGS + "run-1", without) == reason(TAGS + "run-1", tree) == f"it was pushed with no {WORKFLOW}"
    assert reason(TAGS + "run-1", "0" * 40) == reason("refs/heads/run-1", commit) == "no tag was pushed"
