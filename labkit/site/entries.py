"""The commits that recorded results, of all branches: what each asked, who did, and which one came before it."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from labkit.git_cli import commit_or_none, git, git_or_empty
from labkit.process.credentials import without_credentials
from labkit.publish.history import experiments_everywhere
from labkit.publish.occurrences import commits_with_results, everywhere

AGREES, UNPROVEN, FORGED = "agrees", "unproven", "forged"
FIELDS = ("%H", "%P", "%cI", "%an", "%s", "%b", "%(trailers)")
HEADS, REMOTES = "refs/heads/", "refs/remotes/"


class Entry(NamedTuple):
    """A commit that recorded results, and the nearest one before it in its history that did; empty where none did.

    Of a runner's commit, `person`, `subject` and `body` are those of the code that it ran. `record` is what its message
    claims, held against its results; empty where it claims nothing. `told` is what its trailers tell of the run.
    """

    commit: str
    before: str
    branch: str
    tags: list[str]
    date: str
    person: str
    subject: str
    body: str
    record: str
    forged: list[str]
    told: dict[str, str]


class _Logged(NamedTuple):
    commit: str
    parents: list[str]
    date: str
    person: str
    subject: str
    body: str


def read_entries() -> list[Entry]:
    """Read all entries, the newest first. Raises GitError outside of a repository."""
    recorded, claimed = commits_with_results(), experiments_everywhere()
    logged = _log()
    parents = {one.commit: one.parents for one in logged.values()}
    branches, tags = branches_of(parents, _tips()), _tags()
    before = nearest_before(parents, recorded)
    found = []
    for name in (name for name in reversed(logged) if name in recorded):
        commit, forged = recorded[name]
        claim, own = claimed.get(name), logged[name]
        asked = logged.get(claim.code, own) if claim and claim.proven else own
        record = FORGED if forged else "" if claim is None else AGREES if claim.proven else UNPROVEN
        subject, body = map(without_credentials, (asked.subject, asked.body))
        words = (own.date, asked.person, subject, body)
        place = (before[name], branches[name], tags.get(name, []))
        found.append(Entry(name, *place, *words, record, forged, commit.told))
    return found


def nearest_before(parents: Mapping[str, Sequence[str]], recorded: Mapping[str, object]) -> dict[str, str]:
    """The nearest commit before each that is `recorded`; `parents` has every commit after its parents."""
    nearest: dict[str, str] = {}
    before: dict[str, str] = {}
    for commit, its in parents.items():
        before[commit] = next((nearest[one] for one in its if nearest.get(one)), "")
        nearest[commit] = commit if commit in recorded else before[commit]
    return before


def branches_of(parents: Mapping[str, Sequence[str]], tips: Mapping[str, str]) -> dict[str, str]:
    """The branch of each commit: the first that has it, of `tips`, which has the newest commit of each."""
    found: dict[str, str] = {}
    for branch, tip in tips.items():
        waiting = [tip]
        while waiting:
            if (commit := waiting.pop()) not in found and commit in parents:
                found[commit] = branch
                waiting += parents[commit]
    return found


def _log() -> dict[str, _Logged]:
    """Every commit of all branches, after its parents."""
    if not (revisions := everywhere()):
        return {}
    told = git("log", "-z", "--date-order", "--reverse", f"--format={'%x00'.join(FIELDS)}", *revisions).split("\0")
    entries = zip(*(told[place :: len(FIELDS)] for place in range(len(FIELDS))), strict=False)
    return {
        commit: _Logged(commit, parents.split(), date, person, subject, body.removesuffix(trailers).strip())
        for commit, parents, date, person, subject, body, trailers in entries
    }


def _tips() -> dict[str, str]:
    """The newest commit of each branch: the one that others start from first, the remote's only if it differs."""
    listed = git("for-each-ref", "--format=%(refname) %(objectname)", HEADS, REMOTES).splitlines()
    tips = dict(line.rsplit(" ", 1) for line in listed)
    default = git_or_empty("symbolic-ref", "--quiet", "refs/remotes/origin/HEAD").strip()
    current = git_or_empty("symbolic-ref", "--quiet", "HEAD").strip()
    first = [default.replace(f"{REMOTES}origin/", HEADS), f"{HEADS}main", f"{HEADS}master", current, default]
    ordered = [*(ref for ref in first if ref in tips), *(ref for ref in tips if not ref.endswith("/HEAD"))]
    found = {ref.removeprefix(HEADS).removeprefix(REMOTES): tips[ref] for ref in dict.fromkeys(ordered)}
    head = commit_or_none()
    return found if current or not head else found | {"no branch": head}


def _tags() -> dict[str, list[str]]:
    """The tags of each commit."""
    shape = "--format=%(objectname) %(*objectname) %(refname:strip=2)"
    found: dict[str, list[str]] = {}
    for line in git("for-each-ref", shape, "refs/tags").splitlines():
        own, peeled, name = line.split(" ", 2)
        found.setdefault(peeled or own, []).append(name)
    return found
