"""Read a model's tags: its versions, who was champion when, and which tags are not counted and why.

The counter in a tag's name orders them: clocks are wrong, and a tagger may write any time.
"""

import re
from collections.abc import Iterable
from typing import NamedTuple

from labkit.git_cli import GitError
from labkit.process.errors import InputError
from labkit.registry.settings import source_of
from labkit.registry.tags import REFUSED, STAGE, TAGS, Tag, fetch_tags, has_origin, read_tags, up_to_slash

PROMOTE, ROLLBACK = "promote", "rollback"
VERSION_KEYS = ("Reason", "Person", "Before", "Goals")
ASSIGNMENT_KEYS = (*VERSION_KEYS, "Action", "Version", "Compared")
MADE_BY = "tags are made by `python -m lab register`, `promote` and `rollback`"

MOST_GAP = 1000  # between two numbers: names that are taken are passed over, but none may use up all that there are
FAR = f"its number is more than {MOST_GAP} above {{}}, the last one before it; {MADE_BY}"


class Version(NamedTuple):
    """A registered version."""

    number: int
    tag: Tag
    withdrawn: bool = False

    def __str__(self) -> str:
        """As people write it."""
        return f"v{self.number}"


class Step(NamedTuple):
    """A step of the champion's history: an assignment, the end of one (without a version), or a refusal.

    `counter` is that of the tag; a refusal has that of the promotion that was not to be, and `attempt` above 0.
    """

    counter: int
    attempt: int
    tag: Tag
    version: Version | None

    @property
    def refused(self) -> bool:
        """Whether nothing moved."""
        return self.attempt > 0


class Fault(NamedTuple):
    """A tag with which something is wrong; nearly always it is not counted then."""

    ref: str
    reason: str
    counted: bool = False

    def __str__(self) -> str:
        """The fault as people read it."""
        return f"{self.ref} {'counts, but' if self.counted else 'is not counted:'} {self.reason}"


class Registry(NamedTuple):
    """A model's registry. `taken` is every ref of the model, counted or not: none can be made again."""

    name: str
    versions: dict[int, Version]
    steps: list[Step]
    faults: list[Fault]
    taken: set[str]
    deprecated: str

    @property
    def champion(self) -> Version | None:
        """The version that serves now; none where the last step left none, or the version was withdrawn."""
        moves = [step for step in self.steps if not step.refused]
        version = moves[-1].version if moves else None
        return None if version is None or version.withdrawn else version

    def next_version(self) -> str:
        """The ref of the next version."""
        number = max(self.versions, default=0) + 1
        while version_ref(self.name, number) in self.taken:
            number += 1
        return version_ref(self.name, number)

    def next_counter(self) -> int:
        """The counter of the next assignment: above all that were ever used, so that it is the last word."""
        counters = [step.counter for step in self.steps if not step.refused]
        counter = max(counters, default=0) + 1
        while {assignment_ref(self.name, counter), assignment_ref(self.name, counter, "!")} & self.taken:
            counter += 1
        return counter

    def next_refusal(self, counter: int) -> str:
        """The ref of another refusal of the promotion with this counter."""
        attempt = 1
        while refusal_ref(self.name, counter, attempt) in self.taken:
            attempt += 1
        return refusal_ref(self.name, counter, attempt)

    def of_commit(self, commit: str) -> Version | None:
        """The version that a commit is."""
        return next((one for one in self.versions.values() if one.tag.commit == commit), None)


def version_ref(name: str, number: int) -> str:
    """The ref of a version."""
    return f"{TAGS}{name}@v{number}.0.0"


def assignment_ref(name: str, counter: int, cancel: str = "") -> str:
    """The ref of an assignment."""
    return f"{TAGS}{name}#{STAGE}{cancel}#{counter}"


def refusal_ref(name: str, counter: int, attempt: int) -> str:
    """The ref of a refusal."""
    return f"{REFUSED}{name}#{STAGE}#{counter}.{attempt}"


def read_registry(name: str, offline: bool = False) -> Registry:
    """The registry as `origin` has it; as this clone knows it where there is no `origin`, or `offline`.

    Raises GitError when the server can't be reached, InputError as `fetch_tags`.
    """
    shared = fetch_tags(name) if has_origin() and not offline else None
    tags = read_tags(name)
    faults, counted = [], []
    for tag in tags:
        reason = "" if shared is None or tag.ref in shared else f"`origin` does not have it; {MADE_BY}"
        if reason := reason or _no_annotated(tag):
            faults.append(Fault(tag.ref, reason))
        else:
            counted.append(tag)
    return _state(name, counted, faults, {tag.ref for tag in tags} | {*map(up_to_slash, shared or ())})


def _no_annotated(tag: Tag) -> str:
    if tag.kind == "tag":
        return ""
    found = "it is a lightweight tag, which names no person and no reason" if tag.kind == "commit" else f"a {tag.kind}"
    return f"{found}; {MADE_BY}"


def _state(name: str, tags: list[Tag], faults: list[Fault], taken: set[str]) -> Registry:
    versions: dict[int, Version] = {}
    steps: list[Step] = []
    withdrawn, deprecated, others = set[int](), "", []
    for tag in tags:
        rest = tag.ref.removeprefix(TAGS).removeprefix(name)
        if found := re.fullmatch(r"@v([1-9]\d{0,17})\.0\.0(!(?:#\d+)?)?", rest):
            number = int(found[1])
            if found[2]:
                withdrawn.add(number)
            elif reason := _no_version(tag):
                faults.append(Fault(tag.ref, reason))
            else:
                versions[number] = Version(number, tag)
        elif re.fullmatch(r"@deprecated(#\d+)?", rest):
            deprecated = tag.ref
        else:
            others.append(tag)
    versions = {n: one._replace(withdrawn=n in withdrawn) for n, one in sorted(versions.items())}
    versions = _without_far(versions, faults)
    for tag in others:
        step = _step(name, tag, versions)
        if isinstance(step, Step):
            steps.append(step)
        elif step:
            faults.append(Fault(tag.ref, step))
    steps = _steps_without_far(steps, faults)
    # Of an assignment and an end with the same counter, the end counts: it is the safe one.
    steps.sort(key=lambda step: (step.counter, not step.refused, step.attempt, step.version is None))
    return Registry(name, versions, steps, faults + _gaps(steps), taken, deprecated)


def _last_sound(numbers: Iterable[int]) -> int:
    """The last of the numbers of which none is more than MOST_GAP above the one before it."""
    last = 0
    for number in sorted(numbers):
        if number > last + MOST_GAP:
            break
        last = number
    return last


def _without_far(versions: dict[int, Version], faults: list[Fault]) -> dict[int, Version]:
    """The versions whose numbers are sound; the others are added to the faults."""
    last = _last_sound(versions)
    faults += [Fault(one.tag.ref, FAR.format(last)) for number, one in versions.items() if number > last]
    return {number: one for number, one in versions.items() if number <= last}


def _steps_without_far(steps: list[Step], faults: list[Fault]) -> list[Step]:
    """The refusals, and the moves whose counters are sound; the others are added to the faults."""
    last = _last_sound(step.counter for step in steps if not step.refused)
    faults += [Fault(step.tag.ref, FAR.format(last)) for step in steps if not step.refused and step.counter > last]
    return [step for step in steps if step.refused or step.counter <= last]


def _gaps(steps: list[Step]) -> list[Fault]:
    """The assignments that followed on another champion than the one before them: a tag between is gone."""
    moves = [step for step in steps if not step.refused]
    found = []
    for last, step in zip([None, *moves], moves, strict=False):
        before = last.version if last else None
        told = step.tag.trailers.get("Before")
        known = {str(before or "none"), *(["none"] if before and before.withdrawn else [])}
        if step.version and told not in known:
            reason = f"it names {told} as the champion before, not {before or 'none'}: a tag between them is gone"
            found.append(Fault(step.tag.ref, reason, counted=True))
    return found


def _no_version(tag: Tag) -> str:
    """Why an annotated tag with a version's name is none."""
    if lacking := _lacking(tag, VERSION_KEYS):
        return lacking
    try:
        source_of(tag.commit)
    except (InputError, GitError) as error:
        return f"its commit is not a result: {error}"
    return ""


def _step(name: str, tag: Tag, versions: dict[int, Version]) -> Step | str:
    """The step that a tag is, or why it is none; nothing is said of another stage's."""
    if tag.ref.startswith(REFUSED):
        found = re.fullmatch(rf"{re.escape(name)}#{STAGE}#([1-9]\d{{0,17}})\.([1-9]\d{{0,17}})", tag.name)
        if not found:
            return "it is not called NAME#champion#COUNTER.ATTEMPT"
        reason = _lacking(tag, ("Person", "Version", "Refused"))
        return reason or Step(int(found[1]), int(found[2]), tag, _version_of(tag, versions))
    found = re.fullmatch(rf"#{STAGE}(!?)#([1-9]\d{{0,17}})", tag.name.removeprefix(name))
    if not found:
        is_ours = re.match(rf"(@|#{STAGE}\b)", tag.name.removeprefix(name))
        wanted = f"{name}@v3.0.0 is a version, {name}#{STAGE}#7 an assignment"
        return f"its name is not one of the registry's: {wanted}; {MADE_BY}" if is_ours else ""
    counter = int(found[2])
    if found[1]:
        return Step(counter, 0, tag, None)
    version = _version_of(tag, versions)
    if lacking := _lacking(tag, ASSIGNMENT_KEYS):
        return lacking
    if version is None:
        return f"its trailer Version is {tag.trailers['Version']!r}, which is not a version that counts"
    if version.tag.commit != tag.commit:
        return f"it is on {tag.commit[:10]}, but {version} is {version.tag.commit[:10]}"
    return Step(counter, 0, tag, version)


def _version_of(tag: Tag, versions: dict[int, Version]) -> Version | None:
    found = re.fullmatch(r"v([1-9]\d{0,17})", tag.trailers.get("Version", ""))
    return versions.get(int(found[1])) if found else None


def _lacking(tag: Tag, keys: tuple[str, ...]) -> str:
    lacking = [key for key in keys if key not in tag.trailers]
    return f"its message lacks the trailer{'s' * (len(lacking) > 1)} {', '.join(lacking)}; {MADE_BY}" if lacking else ""
