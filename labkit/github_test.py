"""What GitHub tells a job, and the page of a run, which other steps of the job write to as well."""

import json
from pathlib import Path

import pytest

from labkit.github import GitHubRun, PullRequest, append_summary, github_run, pull_request_of_event

pytestmark = pytest.mark.unittest


def test_a_summary_goes_after_what_is_on_the_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = tmp_path / "summary.md"
    page.write_text("before\n")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(page))
    assert append_summary("é")
    assert page.read_text(encoding="utf-8") == "before\né"


def test_a_laptop_has_no_such_page(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GITHUB_STEP_SUMMARY", raising=False)
    assert not append_summary("text")


@pytest.mark.parametrize(("head", "from_fork"), [("me/lab", False), ("you/lab", True), (None, True)])
def test_a_job_knows_its_pull_request_and_whether_that_is_a_fork_s(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, head: str | None, from_fork: bool
) -> None:
    event = tmp_path / "event.json"
    sides = {"head": {"repo": head and {"full_name": head}}, "base": {"repo": {"full_name": "me/lab"}, "sha": "abc"}}
    event.write_text(json.dumps({"pull_request": {"number": 7, **sides}}))
    monkeypatch.setenv("GITHUB_EVENT_PATH", str(event))
    monkeypatch.setenv("GITHUB_EVENT_NAME", "pull_request")
    assert pull_request_of_event() == PullRequest(7, "abc", from_fork)
    monkeypatch.setenv("GITHUB_EVENT_NAME", "push")
    assert pull_request_of_event() is None


def test_a_job_knows_its_run_and_a_laptop_has_none(monkeypatch: pytest.MonkeyPatch) -> None:
    server = {"SERVER_URL": "https://github.com", "REPOSITORY": "me/lab", "REF_NAME": "run-example-1"}
    for name, value in {**server, "RUN_ID": "12", "RUN_ATTEMPT": "2"}.items():
        monkeypatch.setenv(f"GITHUB_{name}", value)
    repository = "https://github.com/me/lab"
    assert github_run() == GitHubRun("12.2", f"{repository}/actions/runs/12/attempts/2", repository, "run-example-1")
    monkeypatch.delenv("GITHUB_RUN_ID")
    assert github_run() is None
