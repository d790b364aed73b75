"""The registry's tags: GTO's names, and trailers in the message. Git alone says what was registered and promoted.

    NAME@v3.0.0             a version, on the commit of its results; GTO takes semantic versions alone
    NAME#champion#7         an assignment, on the commit of the version that it makes the champion
    NAME@v3.0.0!#8          withdraws a version; NAME#champion!#8 leaves no champion; NAME@deprecated#8 ends the model
    refs/lab/refused/...    a promotion that was refused. It is pushed as a tag is, but it is none: GTO, the list of
                            tags and `git clone` pass it by, and no two of them can conflict, as Git's notes do.

A tag is made as an object, and gets its name here once the remote has taken it: who loses a race has nothing to undo.
"""

import re
import shlex
from collections import Counter
from typing import NamedTuple

from labkit.git_cli import GitError, ask_server, git, git_or_empty
from labkit.process.credentials import without_credentials
from labkit.process.errors import InputError

STAGE = "champion"
REFUSED = "refs/lab/refused/"
TAGS = "refs/tags/"
KEYS = ("Reason", "Person", "Action", "Version", "Before", "Goals", "Goals-Commit", "Compared", "Forced", "Refused")
FIELDS = (
    *("refname", "tag", "objecttype", "objectname", "*objectname", "*objecttype", "taggername", "taggerdate:iso"),
    *("contents:subject", "contents:trailers:only,unfold"),  # by key=, Git 2.39 gives each key those of all before it
)


class Tag(NamedTuple):
    """An annotated tag, or what is only called like one: `kind` is the type of its object.

    `trailers` has the keys of KEYS alone.
    """

    ref: str
    kind: str
    id: str
    commit: str
    person: str
    date: str
    subject: str
    trailers: dict[str, str]

    @property
    def name(self) -> str:
        """What follows refs/tags/ or refs/lab/refused/."""
        return self.ref.removeprefix(TAGS).removeprefix(REFUSED)


def patterns(name: str) -> list[str]:
    """The refs of a model, as Git's patterns."""
    return [f"{TAGS}{name}@*", f"{TAGS}{name}#*", f"{REFUSED}{name}#*"]


def up_to_slash(ref: str) -> str:
    """A ref without what follows a slash in its name, which no tag of the registry has: Git then has it as a folder."""
    prefix = REFUSED if ref.startswith(REFUSED) else TAGS
    return prefix + ref.removeprefix(prefix).partition("/")[0]


def has_origin() -> bool:
    """Whether there is a remote to decide races. Without one, this clone decides."""
    return "origin" in git_or_empty("remote").split()


def fetch_tags(name: str) -> dict[str, str]:
    """Fetch the model's tags from `origin`: the ids of their objects by ref.

    Raises GitError when the server can't be reached, InputError where a tag here differs from that of `origin`.
    """
    listed = ask_server("ls-remote", "--refs", "origin", *patterns(name)).splitlines()
    there = {ref: object_id for object_id, ref in (line.split("\t") for line in listed)}
    here = ids_here(name)
    for ref in there.keys() & here.keys():
        if there[ref] != here[ref]:
            raise InputError(
                f"{ref} here differs from that of `origin`, which counts; "
                f"`git update-ref -d {shlex.quote(ref)}` removes it"
            )
    if lacking := {ref for ref in there if up_to_slash(ref) == ref} - here.keys():
        ask_server("fetch", "--quiet", "--no-tags", "origin", *(f"{ref}:{ref}" for ref in sorted(lacking)))
    return there


def ids_here(name: str) -> dict[str, str]:
    """The ids of the objects of the model's tags in this clone, by ref."""
    listed = git("for-each-ref", "--format=%(refname) %(objectname)", *patterns(name)).splitlines()
    return dict(line.rsplit(" ", 1) for line in listed)


def read_tags(name: str) -> list[Tag]:
    """The model's tags in this clone, whatever they are worth."""
    shown = "".join(f"%({field})%00" for field in FIELDS)  # no message can hold that byte
    values = git("for-each-ref", f"--format={shown}", *patterns(name)).split("\0")[:-1]
    return [_tag(*values[at : at + len(FIELDS)]) for at in range(0, len(values), len(FIELDS))]


def _tag(ref: str, tag: str, kind: str, object_id: str, commit: str, pointed_at: str, *said: str) -> Tag:
    ref = ref.strip("\n")
    person, date, subject, told = said
    if kind == "tag" and tag != ref.removeprefix(TAGS).removeprefix(REFUSED):
        kind = f"copy of the tag {_readable(tag)}"  # else one promotion could be played again under a later counter
    if kind == "tag" and pointed_at != "commit":
        kind = f"tag of a {pointed_at}"
    trailers = [(key, _readable(value)) for key, _, value in (line.partition(": ") for line in told.splitlines())]
    count = Counter(key for key, _ in trailers)
    # What is said twice, in whatever words, is said by nobody: the commands do not.
    kept = {key: value for key, value in trailers if key in KEYS and value and count[key] == 1}
    return Tag(ref, kind, object_id, commit, _readable(person), date[:16], _readable(subject), kept)


def _readable(text: str) -> str:
    """A field on one line, without control characters."""
    known = text.encode(errors="surrogateescape").decode(errors="replace")
    return " ".join("".join(one if one.isprintable() else " " for one in known).split())


def person() -> str:
    """Who does it, by Git's settings: name and address. Raises InputError where Git does not know."""
    try:
        return git("var", "GIT_COMMITTER_IDENT").rsplit(" ", 2)[0]
    except GitError as error:
        raise InputError(f"Git does not know who you are: {' '.join(str(error).split())[:200]}") from None


def make_tag(ref: str, commit: str, subject: str, trailers: dict[str, str]) -> None:
    """Tag a commit, if nobody has taken the name: on `origin` first, then here; nothing is left where that fails.

    Raises InputError when another has been quicker, GitError in Git's words when the server does not take it.
    """
    lines = [f"{key}: {_line(value)}" for key, value in trailers.items() if value]
    tag_name = ref.removeprefix(TAGS).removeprefix(REFUSED)
    head = f"object {commit}\ntype commit\ntag {tag_name}\ntagger {git('var', 'GIT_COMMITTER_IDENT')}"
    made = git("mktag", given="\n".join([head, "", subject, "", *lines, ""]))
    if has_origin():
        _push(made, ref)
    git("update-ref", ref, made, "0" * len(made))


def _push(made: str, ref: str) -> None:
    try:
        ask_server("push", "--quiet", "--no-verify", "origin", f"{made}:{ref}")
    except GitError as error:
        there = ask_server("ls-remote", "--refs", "origin", ref).partition("\t")[0]
        if there == made:  # its answer was lost on the way
            return
        if there:
            raise InputError(
                f"somebody else was quicker: `origin` has {ref} already; nothing was changed here. "
                "`python -m lab history` shows what was done, then decide again"
            ) from None
        raise GitError(f"{error}; nothing was changed here") from None


def _line(value: str) -> str:
    """A value on one line, since a trailer ends where the line does; without passwords, since it is published."""
    return without_credentials(re.sub(r"\s+", " ", value).strip())
