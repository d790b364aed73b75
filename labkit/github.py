"""The run of GitHub Actions that this process is part of, as the runner's variables tell it."""

import json
import os
from pathlib import Path
from typing import NamedTuple


class GitHubRun(NamedTuple):
    """A run: its id with its attempt, its page, the repository's page, and the tag that asked for it."""

    name: str
    url: str
    repository_url: str
    tag: str


class PullRequest(NamedTuple):
    """A pull request, and whether its branch is in another repository, whose jobs may write nothing here."""

    number: int
    is_of_fork: bool


def on_runner() -> bool:
    """Whether this is a job of GitHub Actions, or of act."""
    return os.environ.get("GITHUB_ACTIONS") == "true"


def github_run() -> GitHubRun | None:
    """This run, or None on a laptop."""
    run = os.environ.get("GITHUB_RUN_ID")
    if not run:
        return None
    attempt = os.environ["GITHUB_RUN_ATTEMPT"]
    repository = f"{os.environ['GITHUB_SERVER_URL']}/{os.environ['GITHUB_REPOSITORY']}"
    url = f"{repository}/actions/runs/{run}/attempts/{attempt}"
    return GitHubRun(f"{run}.{attempt}", url, repository, os.environ["GITHUB_REF_NAME"])


def open_pull_request() -> PullRequest | None:
    """The pull request that this job was started for, or None."""
    event = os.environ.get("GITHUB_EVENT_PATH")
    if os.environ.get("GITHUB_EVENT_NAME") != "pull_request" or not event:
        return None
    told = json.loads(Path(event).read_text(encoding="utf-8"))["pull_request"]
    head, base = ((told[side]["repo"] or {}).get("full_name") for side in ("head", "base"))
    return PullRequest(told["number"], is_of_fork=head != base)


def error_line(title: str, text: str) -> str:
    """A problem as the line that GitHub shows at the top of the run."""
    for character, code in (("%", "%25"), ("\r", "%0D"), ("\n", "%0A")):
        title, text = title.replace(character, code), text.replace(character, code)
    return f"::error title={title.replace(':', '%3A').replace(',', '%2C')}::{text}"
