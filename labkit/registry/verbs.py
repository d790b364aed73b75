"""Register a version, make one the champion, take that back: decided by Git, then shown by MLflow."""

import re
import sys

from labkit.git_cli import GitError, git
from labkit.goals import Verdict, tally
from labkit.pipeline.records import commit_of
from labkit.process.errors import InputError
from labkit.registry.models import version_in
from labkit.registry.results import (
    committed_goals,
    compare_results,
    disagreement,
    judge_results,
    refuse_goals_of_this_clone_alone,
    refuse_lost,
)
from labkit.registry.settings import registered_in, source_of
from labkit.registry.state import PROMOTE, ROLLBACK, Registry, Step, Version, assignment_ref, read_registry
from labkit.registry.tags import STAGE, make_tag, person


class RefusedError(InputError):
    """A promotion that was refused, which is recorded."""


def register(revision: str = "HEAD", reason: str = "") -> Registry:
    """Register a commit's results as the next version, unless it is one; the registry after that.

    `revision` may be a version. Raises InputError where the commit has no results, they are not of its own code, or
    others could not get them.
    """
    registry = _registry()
    commit = _commit_of(revision, registry)
    if known := registry.of_commit(commit):
        print(f"{registry.name} {known} is {commit[:10]} already")
        return registry
    _refuse_deprecated(registry)
    source = source_of(commit)
    if told := disagreement(commit, source.stage):
        raise InputError(f"{told}; `dvc repro`, commit, and register that")
    refuse_lost(commit, source)
    ref = registry.next_version()
    goals, judged = _goals(commit)
    number = ref.rpartition("@")[2].split(".")[0]
    trailers = {
        "Reason": reason or git("log", "-1", "--format=%s", commit) or "none given",
        "Person": person(),
        "Before": f"v{max(registry.versions)}" if registry.versions else "none",
        **goals,
    }
    make_tag(ref, commit, f"Register {registry.name} {number}", trailers)
    after = read_registry(registry.name)
    if after.of_commit(commit) is None:
        raise InputError(f"{ref} was made, but {commit[:10]} is not a version; {_why_not(after, ref)}")
    print(f"{registry.name} {number} is {commit[:10]}; goals: {tally(judged)}")
    return after


def promote(wanted: str, reason: str, force: bool = False) -> Registry:
    """Make a version the champion; the registry after that.

    Raises RefusedError, and records it, when a goal is missed, dvc.lock is not of the version's code, or the version is
    worse than the champion beyond noise or can't be compared with it; `force` overrules the comparison alone.
    """
    registry = _registry()
    _refuse_deprecated(registry)
    version, before = version_in(registry, wanted), registry.champion
    if before and version.number == before.number:
        print(f"{registry.name} {version} is the champion already")
        return registry
    _need(reason)
    goals, judged = _goals(version.tag.commit)
    refuse_goals_of_this_clone_alone(goals["Goals-Commit"])
    compared, doubt = _compared(version, before)
    trailers = {
        "Reason": reason,
        "Person": person(),
        "Action": PROMOTE,
        "Version": str(version),
        "Before": str(before or "none"),
        **goals,
        "Compared": compared,
    }
    if missed := unmet(judged):
        raise _refusal(registry, version, trailers, f"{missed}; a goal can't be forced")
    if told := disagreement(version.tag.commit, source_of(version.tag.commit).stage):
        raise _refusal(registry, version, trailers, f"{told}; register a commit of a run")
    if doubt and not force:
        raise _refusal(registry, version, trailers, f"{doubt}; `--force` overrules that, and is recorded")
    after = _assign(registry, version, trailers | {"Forced": doubt})
    print(f"{registry.name} {version} is the champion; goals: {tally(judged)}; compared: {compared}")
    return after


def rollback(reason: str, wanted: str = "") -> Registry:
    """Make a former champion the champion again: the one before, or `wanted`; the registry after that.

    No goals are judged: a mistake in them, or in the data behind them, must not hold up the way back.
    """
    registry = _registry()
    _need(reason)
    moves = [step for step in registry.steps if not step.refused]
    before, former = registry.champion, former_champions(moves)
    usable = [one for one in former if not registry.versions[one.number].withdrawn]
    version = version_in(registry, wanted) if wanted else (usable[-1] if usable else None)
    if version is None:
        raise InputError(f"{registry.name} has no earlier champion to return to; `python -m lab promote` one")
    if version.number not in {step.version.number for step in moves if step.version}:
        raise InputError(f"{registry.name} {version} has never been the champion; `python -m lab promote {version}`")
    if before and version.number == before.number:
        raise InputError(f"{registry.name} {version} is the champion; name another")
    trailers = {
        "Reason": reason,
        "Person": person(),
        "Action": ROLLBACK,
        "Version": str(version),
        "Before": str(before or "none"),
        "Goals": "not judged for a rollback",
        "Compared": "not for a rollback",
    }
    after = _assign(registry, version, trailers)
    print(f"{registry.name} {version} is the champion again")
    return after


def former_champions(moves: list[Step]) -> list[Version]:
    """The champions to go back to, the last of them first to be taken: a rollback takes what it left off the pile."""
    pile: list[Version] = []
    for step in moves:
        if step.version is None:
            continue
        numbers = [one.number for one in pile]
        if step.tag.trailers["Action"] == ROLLBACK and step.version.number in numbers:
            del pile[len(numbers) - numbers[::-1].index(step.version.number) :]
        else:
            pile.append(step.version)
    return pile[:-1] if moves and moves[-1].version else pile


def unmet(judged: list[Verdict]) -> str:
    """Why hard goals do not hold; empty where all do. One that can't be judged does not hold."""
    said = []
    for goal, value, met, unknown in judged:
        if not goal.ambition and not met:
            reached = f"is {value:.4g}, wanted {goal.threshold}" if met is False else f"can't be judged: {unknown}"
            said.append(f"goal {goal.goal!r}: {goal.metric} {reached}")
    return "; ".join(said)


def _registry() -> Registry:
    _, told = registered_in(commit_of("HEAD"))
    registry = read_registry(told.name)
    for fault in registry.faults:
        print(f"warning: {fault}", file=sys.stderr)
    return registry


def _commit_of(revision: str, registry: Registry) -> str:
    return version_in(registry, revision).tag.commit if re.fullmatch(r"v\d+", revision) else commit_of(revision)


def _refuse_deprecated(registry: Registry) -> None:
    if registry.deprecated:
        raise InputError(f"{registry.name} is deprecated by {registry.deprecated}; give the model another name")


def _need(reason: str) -> None:
    if not reason.strip():
        raise InputError("--reason is empty; say why, in a sentence: it is kept in Git")


def _goals(commit: str) -> tuple[dict[str, str], list[Verdict]]:
    """The goals' verdict as trailers, and in full."""
    judge = committed_goals()
    judged = judge_results(commit, judge)
    verdict = tally(judged) if judged else "none asked"
    return {"Goals": "; ".join(filter(None, [verdict, unmet(judged)])), "Goals-Commit": judge}, judged


def _compared(version: Version, champion: Version | None) -> tuple[str, str]:
    """The comparison with the champion in words, and what speaks against the version, if something does."""
    if champion is None:
        return "not, there is no champion", ""
    try:
        comparison = compare_results(version.tag.commit, champion.tag.commit)
    except InputError as error:
        return f"not possible: {error}", f"it can't be compared with {champion}: {error}"
    if comparison is None:
        return "not, dvc.yaml names no predictions", ""
    told = f"with {champion}: {comparison}"
    return told, f"it is worse than {champion} beyond noise: {comparison}" if comparison.worse else ""


def _refusal(registry: Registry, version: Version, trailers: dict[str, str], why: str) -> RefusedError:
    """Record a refusal."""
    told = f"{registry.name} {version} was not promoted: {why}"
    subject = f"Refuse {registry.name} {version} as {STAGE}"
    try:
        ref = registry.next_refusal(registry.next_counter())
        make_tag(ref, version.tag.commit, subject, trailers | {"Refused": why})
    except (InputError, GitError) as error:
        return RefusedError(f"{told}; that is not recorded: {error}")
    return RefusedError(told)


def _assign(registry: Registry, version: Version, trailers: dict[str, str]) -> Registry:
    """Make a version the champion; the registry after that. Raises InputError where it is not the champion then."""
    ref = assignment_ref(registry.name, registry.next_counter())
    subject = f"{trailers['Action'].capitalize()} {registry.name} {version} to {STAGE}"
    make_tag(ref, version.tag.commit, subject, trailers)
    after = read_registry(registry.name)
    if after.champion is None or after.champion.number != version.number:
        raise InputError(f"{ref} was made, but the champion is {after.champion or 'none'}; {_why_not(after, ref)}")
    return after


def _why_not(registry: Registry, ref: str) -> str:
    """Why a tag that was just made does not have the last word."""
    reasons = [str(fault) for fault in registry.faults if fault.ref == ref] or ["another tag came after it"]
    return f"{reasons[0]}; `python -m lab history` shows all"
