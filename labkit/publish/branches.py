"""Push results to the branch that the tag came from, whatever happened to it meanwhile, or to one of their own."""

import logging
import shlex
from collections import Counter
from typing import NamedTuple

from tenacity import before_sleep_log, retry, retry_if_exception_type, stop_after_attempt, wait_exponential_jitter

from labkit.git_cli import GitError, ask_server, git, is_shallow
from labkit.publish.results_commit import merge_results, published

TRIES = 6
RESULTS_BRANCHES = "results/"

logger = logging.getLogger(__name__)


class Landing(NamedTuple):
    """Where the results are, in words, and the command that brings them, if there is one.

    A branch may be called anything: the command is safe in a shell, and neither is Markdown.
    """

    where: str
    command: str = ""

    def __str__(self) -> str:
        """As a log shows it."""
        return f"{self.where}: {self.command}" if self.command else f"{self.where}."


@retry(
    retry=retry_if_exception_type(GitError),
    stop=stop_after_attempt(4),
    wait=wait_exponential_jitter(1, max=10),
    before_sleep=before_sleep_log(logger, logging.WARNING),
    reraise=True,
)
def fetch() -> None:
    """Fetch all branches of the remote. Raises GitError when it can't be reached, after some tries."""
    whole = ["--unshallow"] if is_shallow() else []
    refs = "+refs/heads/*:refs/remotes/origin/*"
    ask_server("fetch", "--quiet", "--prune", *whole, "origin", refs)


def branch_of(commit: str) -> str | None:
    """The remote's branch that has the fewest commits since `commit`; None where no branch or more than one has."""
    listed = git("for-each-ref", "--contains", commit, "--format=%(refname:strip=3)", "refs/remotes/origin/")
    branches = [name for name in listed.splitlines() if name != "HEAD" and not name.startswith(RESULTS_BRANCHES)]
    since = {name: int(git("rev-list", "--count", f"{commit}..refs/remotes/origin/{name}")) for name in branches}
    nearest = [name for name in branches if since[name] == min(since.values())]
    return nearest[0] if len(nearest) == 1 else None


def push_results(results: str, side_branch: str) -> Landing:
    """Push the results commit to its branch, or to `side_branch`; return where it is.

    Nothing is rewritten and nothing lost: a branch that moved gets a merge commit. Raises GitError when the remote
    takes it nowhere; run again, it goes on from there.
    """
    code = git("rev-parse", f"{results}^")
    refusals: Counter[str] = Counter()
    for _ in range(TRIES):
        fetch()
        if there := published(results):
            return Landing(f"Nothing new: the remote has these results in {there[:10]}")
        branch = branch_of(code)
        if branch is None:
            return push_aside(results, side_branch, "the tag is on no branch, or on two equally near ones")
        tip = git("rev-parse", f"refs/remotes/origin/{branch}")
        if refusals[tip] == 2:
            return push_aside(results, side_branch, f"{branch} refuses pushes")
        try:
            push(results if tip == code else merge_results(tip, results), branch)
        except GitError as error:
            logger.warning("%s", error)
            refusals[tip] += 1
        else:
            return Landing(f"Results are on {branch}", "git pull --rebase && dvc pull")
    return push_aside(results, side_branch, f"{branch} moved {TRIES} times meanwhile")


def push_aside(results: str, side_branch: str, reason: str) -> Landing:
    """Push the results commit to a branch of its own."""
    push(results, side_branch)
    command = f"git fetch && git merge {shlex.quote(f'origin/{side_branch}')}"
    return Landing(f"Results are on {side_branch} ({reason})", command)


def push(commit: str, branch: str) -> None:
    """Push a commit to a branch of the remote, without hooks. Raises GitError when it refuses."""
    ask_server("push", "--quiet", "--no-verify", "origin", f"{commit}:refs/heads/{branch}")
