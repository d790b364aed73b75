"""Compare a receipt that somebody else made with this repository. Nothing is run, and nothing is pulled."""

import hashlib
from collections.abc import Iterable, Iterator
from pathlib import PurePosixPath
from typing import NamedTuple

from labkit.dvc_adapter.folders import hash_of
from labkit.dvc_adapter.repository import Project, open_project
from labkit.dvc_adapter.storage import cached_file, raw_data_hashes
from labkit.git_cli import GitError, file_in, git
from labkit.pipeline.input_changes import some
from labkit.pipeline.records import Records, read_records, records_of
from labkit.process.errors import InputError
from labkit.proof.outcomes import Reproduction, hashes, is_read, verdict_of
from labkit.proof.receipt import CODE, DECIDING, VERIFIER, Descriptor, Statement, digests_of, tests_of


class Finding(NamedTuple):
    """What is wrong with a receipt: it contradicts itself or the repository, or could not be compared with that."""

    words: str
    contradicts: bool = True


def check_receipt(statement: Statement, commit: str | None = None) -> list[Finding]:
    """What is wrong with a receipt, which is to be of `commit`, where one is given; nothing where all of it holds."""
    if commit and commit != statement.commit:
        return [Finding(f"it is of commit {statement.commit}, and not of {commit}")]
    found = [*_of_itself(statement)]
    try:
        if (kind := git("cat-file", "-t", statement.commit)) != "commit":
            return [*found, Finding(f"{statement.commit} is a {kind}, and no commit")]
        tree = git("rev-parse", f"{statement.commit}^{{tree}}")
    except GitError:
        return [*found, Finding(f"commit {statement.commit} is not here; `git fetch` may bring it", contradicts=False)]
    if tree != statement.subject[0].digest["gitTree"]:
        found.append(Finding(f"the tree of commit {statement.commit} is {tree}, and not the one that it names"))
    try:
        records = read_records(records_of(statement.commit))
    except InputError as error:
        return [*found, Finding(str(error), contradicts=False)]
    found += _of_commit(statement, records)
    found += _of_deciding_files(statement)
    with open_project(statement.commit) as project:
        raw = {path: recorded for path, recorded in raw_data_hashes(project).items() if is_read(path, records)}
        found += _of_raw_data(statement, raw)
        found += _of_files(project, statement)
    return found


def verdict_on(findings: Iterable[Finding], statement: Statement) -> Reproduction:
    """The verdict that a receipt leads to: its own, if all of it holds."""
    found = list(findings)
    if any(finding.contradicts for finding in found):
        return Reproduction.DIFFERS
    return verdict_of([*statement.outcomes]) if not found else Reproduction.UNKNOWN


def _of_itself(statement: Statement) -> Iterator[Finding]:
    """Where its verdicts do not follow from its hashes."""
    for field, value in tests_of(statement.outcomes).items():
        if getattr(statement.predicate, field) != value:
            yield Finding(f"its {field} is not what its outcomes say")
    for one in statement.outcomes:
        is_same = bool(one.made) and one.made == one.recorded
        if (one.verdict is Reproduction.REPRODUCED and not is_same) or (
            one.verdict is Reproduction.DIFFERS and is_same
        ):
            yield Finding(f"{one.name} is called {one.verdict}, and its hashes say otherwise")
    yield from _of_its_files(statement)


def _of_its_files(statement: Statement) -> Iterator[Finding]:
    """Where the files that it names are not those of its hashes."""
    made = {one.output: one for one in statement.outcomes if one.made}
    for output, one in made.items():
        if _hash_of(statement.subject[1:], output) != one.made:
            yield Finding(f"{one.name}: the files that it names are not those of the hash {one.made}")
    if stray := [one.name for one in statement.subject[1:] if not any(_lies_in(one.name, output) for output in made)]:
        yield Finding(f"no output is made of {some(stray)}")


def _of_commit(statement: Statement, records: Records) -> Iterator[Finding]:
    """Where its code or records are not those of the commit."""
    for one in statement.predicate.configuration:
        text = None if one.name == VERIFIER else file_in(statement.commit, one.name)
        if text is not None and one.digest.get("sha256") != hashlib.sha256(text).hexdigest():
            yield Finding(f"{one.name} of the commit has another sha256")
    hashed = [(stage, hashes(record, "outs")) for stage, record in records.items()]
    recorded = {(stage, path): md5 for stage, outs in hashed for path, md5 in outs.items() if md5}
    told = {(one.stage, one.output): one.recorded for one in statement.outcomes if one.output and one.recorded}
    for stage, output in sorted(recorded.keys() | told.keys()):
        if recorded.get((stage, output)) != told.get((stage, output)):
            yield Finding(f"{stage}: {output}: dvc.lock of the commit does not record what it says")


def _of_deciding_files(statement: Statement) -> Iterator[Finding]:
    """Where it leaves out what decides the bytes."""
    named = {one.name for one in statement.predicate.configuration}
    if lacking := [file for file in _deciding_files(statement.commit) if file not in named]:
        yield Finding(f"it does not name {some(lacking)} of the commit, which decides the bytes")


def _deciding_files(commit: str) -> list[str]:
    """The files of a commit that are called as in DECIDING, whose `*` stands for one folder or name."""
    files = [PurePosixPath(line) for line in git("ls-tree", "-r", "-z", "--name-only", commit).split("\0")]
    return [str(file) for file in files if any(_is_called(file, pattern) for pattern in DECIDING)]


def _is_called(file: PurePosixPath, pattern: str) -> bool:
    return len(file.parts) == len(PurePosixPath(pattern).parts) and file.match(pattern)


def _of_raw_data(statement: Statement, raw: dict[str, str]) -> Iterator[Finding]:
    claims = verdict_of(statement.outcomes) is not Reproduction.UNKNOWN  # else it may itself say that they were missing
    for path, recorded in raw.items():
        if _hash_of(statement.predicate.configuration, path) != recorded:
            yield Finding(f"{path}: its raw data are not those of the commit", contradicts=claims)


def _of_files(project: Project, statement: Statement) -> Iterator[Finding]:
    """Where a file that DVC's cache has, by its md5, has another sha256 than it says."""
    reproduced = [one.output for one in statement.outcomes if one.verdict is Reproduction.REPRODUCED]
    made = [one for one in statement.subject if any(_lies_in(one.name, output) for output in reproduced)]
    read = [one for one in statement.predicate.configuration if file_in(statement.commit, one.name) is None]
    not_here = []
    for one in (one for one in (*made, *read) if one.name not in (CODE, VERIFIER)):
        place = cached_file(project, one.digest["md5"]) if "md5" in one.digest else None
        if place is None:
            not_here.append(one.name)
        elif digests_of(place)["sha256"] != one.digest.get("sha256"):
            yield Finding(f"{one.name} here has another sha256")
    if not_here:
        told = f"DVC's cache does not have {some(not_here)}; `dvc fetch --all-commits` may bring them"
        yield Finding(f"the sha256 of {len(not_here)} files could not be checked: {told}", contradicts=False)


def _hash_of(files: Iterable[Descriptor], output: str) -> str | None:
    """DVC's hash of an output with these files among others; None where there is none."""
    below = {one.name[len(output) + 1 :]: one.digest.get("md5", "") for one in files if _lies_in(one.name, output)}
    return hash_of(below) if below else None


def _lies_in(name: str, output: str) -> bool:
    """As text: as a path, an output that a forged receipt calls "" or "." would hold every file."""
    return name == output or name.startswith(f"{output}/")
