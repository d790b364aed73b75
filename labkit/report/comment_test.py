"""Commenting on the pull request that has the commit of an experiment; GitHub's answers are those of conftest.py."""

from pathlib import Path
from typing import Any

import pytest

from labkit.git_cli import git
from labkit.process.errors import InputError
from labkit.report.comment import MARKER, show_changes
from labkit.report.conftest import BOT, QUOTE, GitHub

pytestmark = pytest.mark.integration


@pytest.fixture
def job(on: Path, github: GitHub, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> dict[str, Any]:
    """A job that a tag on the branch `ran` has started; the pull request of that branch."""
    git("checkout", "--quiet", "ran")
    for name, value in {
        "ACTIONS": "true",
        "EVENT_NAME": "push",
        "API_URL": github.url,
        "REPOSITORY": "sandbox/lab",
        "TOKEN": "the-jobs-token",
        "STEP_SUMMARY": str(tmp_path / "summary.md"),
    }.items():
        monkeypatch.setenv(f"GITHUB_{name}", value)
    sides = {"head": {"repo": {"full_name": "sandbox/lab"}}, "base": {"repo": {"full_name": "sandbox/lab"}}}
    sides["base"]["sha"] = git("rev-parse", "origin/main")  # type: ignore[assignment]
    return {"number": 5, "state": "open", **sides}


def test_an_experiment_brings_the_comment_of_its_pull_request_up_to_date(
    job: dict[str, Any], github: GitHub, tmp_path: Path
) -> None:
    ours: dict[str, Any] = {
        "id": 3,
        "user": BOT,
        "body": f"{MARKER}\nnot run yet",
        "html_url": "https://github.example/3",
    }
    github.comments.append(ours)
    github.pulls.extend([{**job, "number": 4, "state": "closed"}, job])
    show_changes("", None)
    assert github.asked == ["PATCH"]
    assert ours["body"].startswith(f"{MARKER}\n## What this branch changes\n\n**Complete**; `forest` selected")
    assert github.comments[0] == QUOTE
    assert not (tmp_path / "summary.md").exists()  # which has the page of the run


def test_where_no_pull_request_has_the_commit_nothing_is_said_on_github(
    job: dict[str, Any], github: GitHub, capsys: pytest.CaptureFixture[str]
) -> None:
    show_changes("", None)
    assert github.asked == []
    assert capsys.readouterr().out == "No open pull request has this commit.\n"


@pytest.mark.parametrize(("name", "value"), [("TOKEN", "another"), ("API_URL", "http://127.0.0.1:1")])
def test_a_github_that_refuses_or_is_away_is_one_clear_error(
    job: dict[str, Any], name: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(f"GITHUB_{name}", value)
    with pytest.raises(InputError, match="no comment on the pull request: "):
        show_changes("", None)


def test_on_a_laptop_the_page_is_printed(on: Path, capsys: pytest.CaptureFixture[str]) -> None:
    git("checkout", "--quiet", "ran")
    show_changes("", None)
    assert "| ★ `forest` | 0.1000 (-0.1000) |" in capsys.readouterr().out
