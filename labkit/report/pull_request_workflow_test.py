"""The job of a pull request, run by act from the real workflow file: the page, and one comment that is updated.

GitHub itself is not here. A server of a few lines stands for its comments; two actions, which come from GitHub, are
replaced: one would bring a Python, the other keep a file. act copies the folder that it is started in for `checkout`.
"""

import json
import shlex
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest
import yaml

from labkit.paths import ROOT
from labkit.report.comment import MARKER
from labkit.report.conftest import QUOTE, GitHub
from labkit.testing.fixtures import Shell

pytestmark = [pytest.mark.integration, pytest.mark.nightly]

WORKFLOW = ROOT / ".github/workflows/pull_request.yml"
STUBS = {
    "setup-python": "[{run: 'true', shell: bash}]",
    "upload-artifact": "[{run: 'if test -e plots.html; then cp plots.html \"$KEPT\"; fi', shell: bash}]",
}
# What `make setup` would install is what the tests run in.
MAKE = """#!/bin/sh
mkdir -p .venv && ln -sfn {venv}/* .venv/ && rm .venv/made && cp Pipfile.lock .venv/made
exec {make} "$@"
"""


class Job(NamedTuple):
    """What came of the job: its log, its summary, and the plots that it would have uploaded."""

    log: str
    summary: str
    plots: Path


@pytest.fixture
def run_job(tmp_path: Path, finished_lab: Path, shell: Shell, github: GitHub) -> Callable[[str], Job]:
    """Run the job of pull request 5, the branch `topic` of the given repository, into main, with results in Git."""
    lab = Path(shutil.copytree(finished_lab, tmp_path / "lab", symlinks=True))
    commit = "git add --all && git commit --quiet --no-verify --message"
    shell(
        f"git switch --quiet -c topic && sed -i 's/metric: auto/metric: accuracy/' params.yaml && {commit} errors", lab
    )
    shell(f"git switch --quiet main && echo >> README.md && {commit} meanwhile", lab)
    checkout = tmp_path / "checkout"  # as GitHub's: the merge, and neither data nor a DVC cache
    shell(f"git clone --quiet {lab} {checkout} && cd {checkout} && git merge --quiet --no-ff origin/topic", tmp_path)
    shell("mkdir bin stubs", tmp_path)
    for name, steps in STUBS.items():
        (tmp_path / "stubs" / name).mkdir()
        (tmp_path / "stubs" / name / "action.yml").write_text(
            f"name: {name}\nruns: {{using: composite, steps: {steps}}}"
        )
    (tmp_path / "bin/make").write_text(MAKE.format(venv=ROOT / ".venv", make=shutil.which("make")))
    (tmp_path / "bin/make").chmod(0o755)
    used = [step["uses"] for step in yaml.safe_load(WORKFLOW.read_text())["jobs"]["changes"]["steps"] if "uses" in step]
    stubs = {action: tmp_path / "stubs" / action.split("@")[0].split("/")[1] for action in used}
    replaced = [f"{action}={stub}" for action, stub in stubs.items() if stub.exists()]

    def run(repository: str) -> Job:
        sides = {
            "head": {"sha": shell("git rev-parse topic", lab).stdout.strip(), "repo": {"full_name": repository}},
            "base": {"sha": shell("git rev-parse main", lab).stdout.strip(), "repo": {"full_name": "sandbox/lab"}},
        }
        (tmp_path / "event.json").write_text(json.dumps({"number": 5, "pull_request": {"number": 5, **sides}}))
        variables = {"GITHUB_API_URL": github.url, "GITHUB_REPOSITORY": "sandbox/lab", "KEPT": str(tmp_path)}
        variables |= {"GITHUB_SERVER_URL": "https://github.example", "GITHUB_RUN_ATTEMPT": "1"}
        words = ["act", "pull_request", "--json", "--workflows", str(WORKFLOW), "--eventpath", f"{tmp_path}/event.json"]
        words += ["--platform", "ubuntu-24.04=-self-hosted", "--no-cache-server", "--container-daemon-socket", "-"]
        words += ["--action-cache-path", str(tmp_path / "work"), "--secret", "GITHUB_TOKEN=the-jobs-token"]
        words += [word for name, value in variables.items() for word in ("--env", f"{name}={value}")]
        words += [word for replacement in replaced for word in ("--local-repository", replacement)]
        path = shell("echo $PATH", tmp_path).stdout.strip()
        done = shell(shlex.join(words) + " < /dev/null", checkout, check=False, PATH=f"{tmp_path / 'bin'}:{path}")
        assert done.returncode == 0, done.stdout + done.stderr
        entries = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
        summary = "".join(entry["content"] for entry in entries if entry.get("command") == "summary")
        return Job("".join(entry.get("msg", "") for entry in entries), summary, tmp_path / "plots.html")

    return run


def test_a_pull_request_has_one_comment_that_is_updated(run_job: Callable[[str], Job], github: GitHub) -> None:
    first = run_job("sandbox/lab")
    comment = github.comments[-1]
    assert comment["body"] == f"{MARKER}\n{first.summary}"
    assert "`selection.metric auto -> accuracy`" in comment["body"]
    assert "| `logistic_regression` | 0.9646 (=) [0.913, 0.986] |" in comment["body"]
    assert "| `select_best_model` | **not run yet**: selection.metric" in comment["body"]
    assert "`plots.html` in [this run's artifacts](<https://github.example/sandbox/lab/actions/runs/" in comment["body"]
    assert "<svg" in first.plots.read_text()
    comment["body"] = f"{MARKER}\nof an earlier commit"
    run_job("sandbox/lab")
    assert github.asked == ["POST", "PATCH"]
    assert comment["body"] == f"{MARKER}\n{first.summary}"
    assert github.comments[0] == QUOTE  # that of the person


@pytest.mark.nightly
def test_for_a_fork_the_page_is_in_the_summary_alone(run_job: Callable[[str], Job], github: GitHub) -> None:
    job = run_job("someone/lab")
    assert "`selection.metric auto -> accuracy`" in job.summary
    assert "may not comment" in job.log
    assert github.asked == []
