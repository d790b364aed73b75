"""Keep one comment on a pull request up to date."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import requests

from labkit.git_cli import git
from labkit.github import PullRequest, append_summary, on_runner, parse_pull_request, pull_request_of_event
from labkit.process.errors import InputError
from labkit.report.pull_request import branch_page

MARKER = "<!-- what this branch changes: python -m lab pull-request -->"
SECONDS = 30


def show_changes(base: str, drawings: Path | None) -> None:
    """Print what the branch changes; on GitHub's machines comment with it on the pull request that has the commit.

    A pull request's own job has the page in its summary too, and a fork's there alone. `base` is the pull request's
    where none is given. Raises GitError and InputError as `branch_page` does, InputError when GitHub takes no comment.
    """
    token = os.environ.get("GITHUB_TOKEN", "")
    try:
        found = pull_request_of_event()
        own_job = found is not None
        if found is None and on_runner():
            found = _pull_request_of(git("rev-parse", "HEAD"), token)
            if found is None:
                print("No open pull request has this commit.")
                return
        page = branch_page(base or (found.base if found else "origin/HEAD"), drawings)
        print(page)
        if own_job:
            append_summary(page)
        if found and found.is_of_fork:
            print("A job of a fork's pull request may not comment: the page is in the job's summary alone.")
        elif found:
            print(f"Commented: {_comment(found.number, page, token)}")
    except requests.ConnectionError:
        raise InputError(f"no comment on the pull request: {os.environ['GITHUB_API_URL']} does not answer") from None
    except requests.RequestException as error:
        raise InputError(f"no comment on the pull request: {error}") from None


def _comment(number: int, page: str, token: str) -> str:
    """Put the page into the comment that an earlier job made, or into a new one; return where it is."""
    comments = f"{_repository()}/issues/{number}/comments"
    with _session(token) as github:
        own = next((one for one in _all(github, comments) if _is_ours(one)), None)
        method, url = ("PATCH", f"{_repository()}/issues/comments/{own['id']}") if own else ("POST", comments)
        answer = github.request(method, url, json={"body": f"{MARKER}\n{page}"}, timeout=SECONDS)
        answer.raise_for_status()
        return str(answer.json()["html_url"])


def _pull_request_of(commit: str, token: str) -> PullRequest | None:
    """The open pull request whose branch has the commit, the first of several."""
    with _session(token) as github:
        found = [one for one in _all(github, f"{_repository()}/commits/{commit}/pulls") if one["state"] == "open"]
    return parse_pull_request(found[0]) if found else None


def _repository() -> str:
    return f"{os.environ['GITHUB_API_URL']}/repos/{os.environ['GITHUB_REPOSITORY']}"


def _session(token: str) -> requests.Session:
    github = requests.Session()
    github.headers.update({"Authorization": f"Bearer {token}", "Accept": "application/vnd.github+json"})
    return github


def _all(github: requests.Session, url: str) -> Iterator[dict[str, Any]]:
    """All that there are, page by page."""
    while url:
        answer = github.get(url, params={} if "page=" in url else {"per_page": "100"}, timeout=SECONDS)
        answer.raise_for_status()
        yield from answer.json()
        url = answer.links.get("next", {}).get("url", "")


def _is_ours(comment: dict[str, Any]) -> bool:
    """Whether a job made the comment: a person may quote the marker."""
    return bool(comment["user"]["type"] == "Bot" and comment["body"].startswith(MARKER))
