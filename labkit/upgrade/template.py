"""The template's repository: its versions, and the one that this lab came from.

A new lab records nothing: "Use this template" gives its first commit the very files of one of the template's commits,
and so does downloading it, so that commit is found by its tree. An upgrade records the commit that it went to in
labkit.lock, which a squashed or rebased pull request keeps as well.
"""

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

from labkit.git_cli import GitError, ask_server, commit_or_none, git
from labkit.process.errors import InputError

LOCK = "labkit.lock"
LABKIT = "labkit"
REFS = "refs/labkit/template"

Record = dict[str, str]


def read_record() -> Record:
    """Read labkit.lock: `template`, a URL, `commit` and `version`; nothing before the first upgrade."""
    try:
        record = json.loads(Path(LOCK).read_text(encoding="utf-8"))
        return {key: str(record[key]) for key in ("template", "commit", "version") if key in record}
    except FileNotFoundError:
        return {}
    except (TypeError, ValueError):
        raise InputError(f"{LOCK} is not as an upgrade writes it; `git checkout {LOCK}`") from None


def address(given: str | None, record: Record) -> str:
    """Where the template is. Raises InputError when nobody said so, or when the address holds a secret."""
    if not (source := given or record.get("template")):
        raise InputError("this lab does not know where its template is: give its address, --from URL")
    parts = urlsplit(source if "://" in source else "")
    if parts.query or ("@" in parts.netloc and (parts.password is not None or parts.scheme != "ssh")):
        raise InputError(
            "--from holds a user, a password or a token, and is kept in a file; leave it out, Git asks for it"
        )
    return source


def is_local(source: str) -> bool:
    """Whether an address holds on this machine alone, so that others have no use for it."""
    return source.startswith("file:") or Path(source).exists()


@contextmanager
def fetched(source: str) -> Iterator[None]:
    """Have the template's branches and versions in this repository for a while. Raises InputError when it is away."""
    refs = [f"+refs/{kind}:{REFS}/{kind}" for kind in ("heads/*", "tags/v*")]
    try:
        ask_server("fetch", "--quiet", "--no-tags", "--no-write-fetch-head", "--", source, *refs, server=source)
    except GitError as error:
        why = str(error).removeprefix("git fetch failed: ").splitlines()[0]
        raise InputError(f"the template at {source} can't be fetched ({why}); correct --from, or try again") from None
    try:
        yield
    finally:
        delete_refs(REFS)


def delete_refs(folder: str) -> None:
    """Delete the refs below a folder of them."""
    git("update-ref", "--stdin", given=git("for-each-ref", "--format=delete %(refname)", folder) + "\n")


def versions() -> list[str]:
    """The template's versions, newest first; no release candidates."""
    tags = git("for-each-ref", "--sort=-version:refname", "--format=%(refname:lstrip=4)", f"{REFS}/tags").split()
    return [tag for tag in tags if re.fullmatch(r"v\d+(\.\d+)*", tag)]


def newest() -> str:
    """The template's newest version. Raises InputError when there is none."""
    if not (known := versions()):
        raise InputError("the template has no version yet (a tag such as v1.2.0); name a branch or a commit")
    return known[0]


def template_commit(version: str) -> str:
    """The template's commit of a version, a branch or the beginning of a commit's name. Raises InputError."""
    names = [f"{REFS}/{place}{version}" for place in ("tags/", "tags/v", "heads/")]
    if re.fullmatch(r"[0-9a-f]{7,40}", version):
        names.append(version)
    for name in names:
        commit = commit_or_none(name)
        # It may be a commit of the lab's own.
        if commit and git("for-each-ref", "--count=1", f"--contains={commit}", REFS):
            return commit
    known = ", ".join(versions()) or "none yet"
    raise InputError(f"the template has no version {version!r}; its versions: {known}; a branch or a commit will do")


def name_of(commit: str) -> str:
    """The version of a commit of the template, else the beginning of its name."""
    listed = ["for-each-ref", "--count=1", f"--points-at={commit}", "--format=%(refname:lstrip=4)", f"{REFS}/tags"]
    return git(*listed) or commit[:10]


def is_in(commit: str, other: str) -> bool:
    """Whether `other` is `commit`, or came after it."""
    return git("rev-list", "--count", commit, f"^{other}") == "0"


def origin(record: Record, wanted: str) -> str:
    """The template's commit that this lab came from, or was last upgraded to. Raises InputError when it isn't found."""
    if recorded := record.get("commit"):
        try:
            return template_commit(recorded)
        except InputError:
            raise InputError(
                f"{LOCK}: the template has no commit {recorded}; correct --from, or give --base VERSION"
            ) from None
    try:
        return git("merge-base", "HEAD", wanted)  # a clone or a fork
    except GitError:
        return first_commits_origin()


def first_commits_origin() -> str:
    """The template's commit whose files, or at least whose labkit/, the lab began with. Raises InputError.

    The oldest of several: a change of the template's that the lab has already merges without a word, one that is
    wrongly taken for had never comes.
    """
    firsts = git("rev-list", "--max-parents=0", "HEAD").split()
    theirs = git("rev-list", f"--glob={REFS}").split()
    for part in ("", LABKIT):
        asked = "".join(f"{commit}:{part}\n" for commit in [*firsts, *theirs])
        trees = git("cat-file", "--batch-check=%(objectname)", given=asked).splitlines()
        commits = dict(zip(trees[len(firsts) :], theirs, strict=True))
        for tree in trees[: len(firsts)]:
            if tree in commits:
                return commits[tree]
    raise InputError("no version of the template has the files that this lab began with; give the one: --base VERSION")
