"""The GitHub Actions run of this process, read from the runner's variables."""

import json
import os
from pathlib import Path
from typing import Any, NamedTuple


class GitHubRun(NamedTuple):
    """A run: its id with its attempt, its page, the repository's page, and the tag that asked for it."""

    name: str
    url: str
    repository_url: str
    tag: str


class PullRequest(NamedTuple):
    """A pull request, the commit it goes into, and whether its branch is another repository's, which may not write."""

    number: int
    base: str
    is_of_fork: bool


def on_runner() -> bool:
    """Whether this is a job of GitHub Actions, or of act."""
    return os.environ.get("GITHUB_ACTIONS") == "true"


def was_cancelled() -> bool:
    """Whether this job was cancelled while the pipeline ran, as the workflow tells."""
    return os.environ.get("LAB_RUN_OUTCOME") == "cancelled"


def github_run() -> GitHubRun | None:
    """This run, or None on a laptop."""
    run = os.environ.get("GITHUB_RUN_ID")
    if not run:
        return None
    attempt = os.environ["GITHUB_RUN_ATTEMPT"]
    repository = f"{os.environ['GITHUB_SERVER_URL']}/{os.environ['GITHUB_REPOSITORY']}"
    url = f"{repository}/actions/runs/{run}/attempts/{attempt}"
    return GitHubRun(f"{run}.{attempt}", url, repository, os.environ["GITHUB_REF_NAME"])


def pull_request_of_event() -> PullRequest | None:
    """The pull request that this job was started for, or None."""
    event = os.environ.get("GITHUB_EVENT_PATH")
    if os.environ.get("GITHUB_EVENT_NAME") != "pull_request" or not event:
        return None
    return parse_pull_request(json.loads(Path(event).read_text(encoding="utf-8"))["pull_request"])


def parse_pull_request(told: dict[str, Any]) -> PullRequest:
    """Parse a pull request of GitHub's API."""
    head, base = ((told[side]["repo"] or {}).get("full_name") for side in ("head", "base"))  # a fork may be gone
    return PullRequest(told["number"], told["base"]["sha"], head != base)


def append_summary(text: str) -> bool:
    """Put Markdown on this run's page; False on a laptop, which has no such page."""
    page = os.environ.get("GITHUB_STEP_SUMMARY")
    if page:
        with Path(page).open("a", encoding="utf-8") as file:
            file.write(text)
    return bool(page)


def error_line(title: str, text: str) -> str:
    """Format a problem as an annotation, which GitHub shows at the top of the run."""
    for character, code in (("%", "%25"), ("\r", "%0D"), ("\n", "%0A")):
        title, text = title.replace(character, code), text.replace(character, code)
    return f"::error title={title.replace(':', '%3A').replace(',', '%2C')}::{text}"
