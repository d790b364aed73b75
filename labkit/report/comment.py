"""One comment on a pull request, which each later page takes the place of."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import requests

from labkit.github import open_pull_request
from labkit.process.errors import InputError

MARKER = "<!-- what this branch changes: python -m lab pull-request -->"
SECONDS = 30


def show_page(page: str) -> None:
    """Print the page; in a job of GitHub's put it on the job's page, and in one of a pull request comment with it.

    Raises InputError when GitHub takes no comment that this job may make.
    """
    print(page)
    if summary := os.environ.get("GITHUB_STEP_SUMMARY"):
        with Path(summary).open("a", encoding="utf-8") as file:
            file.write(page)
    pull_request, token = open_pull_request(), os.environ.get("GITHUB_TOKEN", "")
    if pull_request and pull_request.is_of_fork:
        print("A job of a fork's pull request may not comment: the page is in the job's summary alone.")
    elif pull_request and token:
        try:
            print(f"Commented: {comment(pull_request.number, page, token)}")
        except requests.RequestException as error:
            raise InputError(f"GitHub did not take the comment: {error}; the page is in the job's summary") from None


def comment(number: int, page: str, token: str) -> str:
    """Put the page into the comment that an earlier job made, or into a new one; return where it is.

    Raises requests.RequestException when GitHub refuses, or is away.
    """
    repository = f"{os.environ['GITHUB_API_URL']}/repos/{os.environ['GITHUB_REPOSITORY']}"
    comments = f"{repository}/issues/{number}/comments"
    with requests.Session() as github:
        github.headers.update({"Authorization": f"Bearer {token}", "Accept": "application/vnd.github+json"})
        own = next((one for one in _comments(github, comments) if _is_ours(one)), None)
        method, url = ("PATCH", f"{repository}/issues/comments/{own['id']}") if own else ("POST", comments)
        answer = github.request(method, url, json={"body": f"{MARKER}\n{page}"}, timeout=SECONDS)
        answer.raise_for_status()
        return str(answer.json()["html_url"])


def _comments(github: requests.Session, url: str) -> Iterator[dict[str, Any]]:
    """All comments, page by page."""
    while url:
        answer = github.get(url, params={} if "page=" in url else {"per_page": "100"}, timeout=SECONDS)
        answer.raise_for_status()
        yield from answer.json()
        url = answer.links.get("next", {}).get("url", "")


def _is_ours(one: dict[str, Any]) -> bool:
    """Whether a job made the comment: a person may quote the marker."""
    return bool(one["user"]["type"] == "Bot" and one["body"].startswith(MARKER))
