"""`python -m lab verify`: run a commit again and compare, or check a receipt of that. CI reads the exit code."""

import hashlib
import platform
import sys
import time
import traceback
from contextlib import chdir
from importlib.metadata import version
from math import inf
from pathlib import Path
from typing import Any

from labkit.dvc_adapter.folders import files_here
from labkit.dvc_adapter.repository import Project, open_project
from labkit.dvc_adapter.states import declared_here
from labkit.dvc_adapter.storage import raw_data_hashes
from labkit.git_cli import file_in, git, git_or_empty
from labkit.github import github_run
from labkit.launch.kernels import choice_in
from labkit.launch.machine import other_bytes, this_machine
from labkit.paths import RECEIPTS, ROOT
from labkit.pipeline.records import DVC_LOCK, Records, commit_of, read_records, records_of
from labkit.process.errors import InputError
from labkit.process.files import replacing
from labkit.process.flat import is_number
from labkit.proof.check import check_receipt, verdict_on
from labkit.proof.differences import RELATIVE, folder_differences
from labkit.proof.outcomes import EXIT_CODES, Outcome, Reproduction, is_read, judge, verdict_of
from labkit.proof.page import headline, page_of
from labkit.proof.receipt import (
    DECIDING,
    RECORDS,
    VERIFIER,
    Descriptor,
    Statement,
    Verifier,
    descriptors,
    make_statement,
    read_statement,
    write_statement,
)
from labkit.proof.rerun import Rerun, clean_clone, recorded_output, run_again
from labkit.terminal import printable

CLEAN = (
    "It ran in a new clone, without dvc.lock, with a DVC cache that held the raw data alone. DVC and what starts the "
    "processes are those of the verifier."
)
MADE_AGAIN = (
    " The environments of the processes were made again in an empty folder from the commit's locks; their packages "
    "came from uv's cache or an index, each checked against its hash."
)
OF_THE_VERIFIER = " No process has an environment of its own: the commands ran with the verifier's packages."


def verify_revision(revision: str = "", receipt: Path | None = None, to: Path = RECEIPTS) -> int:
    """Verify a revision, or check a receipt, of that revision where one is given; return the exit code.

    0 where all is reproduced, 1 where something differs or the receipt is contradicted, 2 where it could not be
    checked: for bad input too, since 1 would claim that the results differ.
    """
    try:
        if receipt:
            return _check(receipt, commit_of(revision) if revision else None)
        commit = commit_of(revision or "HEAD")
        refuse_changes(revision or "HEAD", commit)
        return _verify(commit, to)
    except (InputError, RuntimeError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
    except Exception:  # a fault of this program says nothing of the results
        traceback.print_exc()
    return EXIT_CODES[Reproduction.UNKNOWN]


def refuse_changes(revision: str, commit: str) -> None:
    """Raise InputError for a revision, not given as a commit's whole hash, that is checked out with changes."""
    if commit == revision or commit != git_or_empty("rev-parse", "HEAD").strip():
        return
    if changed := git("status", "--porcelain", "--untracked-files=no"):
        files = ", ".join(line[2:].strip() for line in changed.splitlines()[:3])
        raise InputError(
            f"{files}: changed since {revision}, and a commit is what is verified: commit that, or "
            f"`python -m lab verify {commit}` verifies the commit without it"
        )


def _verify(commit: str, to: Path) -> int:
    recorded = read_records(records_of(commit))
    if not recorded:
        raise InputError(f"{commit} has no {DVC_LOCK}, so no results to verify; run `dvc repro` and commit {DVC_LOCK}")
    with clean_clone(commit) as clone:
        with chdir(clone), open_project() as project:
            declared = declared_here(project)
        tolerances = {stage: tolerance_of(stage, one.meta) for stage, one in declared.items()}
        frozen = [stage for stage, one in declared.items() if one.frozen]
        rerun = run_again(clone, recorded, [out for one in declared.values() for out in one.outs])
        outcomes = judge(recorded, rerun.records, {stage: one.outs for stage, one in declared.items()}, rerun.not_run)
        outcomes = [unknown_if_frozen(one) if one.stage in frozen else one for one in outcomes]
        outcomes = [measured(one, clone, commit, tolerances.get(one.stage, RELATIVE)) for one in outcomes]
        statement = _statement(commit, clone, recorded, rerun, outcomes)
    place, page = to / f"{commit[:12]}.json", page_of(statement)
    for path, text in ((place, write_statement(statement)), (place.with_suffix(".md"), page)):
        with replacing(path) as beside:
            beside.write_text(text, encoding="utf-8")
    print(page)
    print(f"{headline(outcomes)}; the receipt is {place}", file=sys.stderr)
    return EXIT_CODES[verdict_of(outcomes)]


def unknown_if_frozen(outcome: Outcome) -> Outcome:
    """Make the outcome of a frozen stage unknown: DVC runs none, whatever else has written its output."""
    reason = f"its stage is frozen, so that nothing ran; `dvc unfreeze {outcome.stage}`, and commit"
    return outcome.model_copy(update={"verdict": Reproduction.UNKNOWN, "made": "", "reason": reason})


def measured(outcome: Outcome, clone: Path, commit: str, relative: float) -> Outcome:
    """The outcome with how far its files are from the recorded ones, where it differs and those can be had."""
    if outcome.verdict is not Reproduction.DIFFERS:
        return outcome
    before = clone.parent / "recorded" / outcome.output
    if not recorded_output(commit, outcome.output, before):
        told = "by how much is not known: neither DVC's cache nor the remote has the recorded files"
        return outcome.model_copy(update={"reason": "; ".join(filter(None, [outcome.reason, told]))})
    files = [*folder_differences(outcome.output, before, clone / outcome.output, relative)]
    return outcome.model_copy(update={"files": files})


def tolerance_of(stage: str, meta: Any) -> float:
    """The relative tolerance of a stage's numbers: `tolerance` in its `meta`, else NumPy's.

    Raises InputError when it is not a positive number.
    """
    value = meta.get("tolerance", RELATIVE) if isinstance(meta, dict) else RELATIVE
    if not is_number(value) or not 0 < value < inf:
        raise InputError(f"dvc.yaml: stages.{stage}.meta.tolerance is {value!r}; give a positive number, such as 0.001")
    return float(value)


def _statement(commit: str, clone: Path, recorded: Records, rerun: Rerun, outcomes: list[Outcome]) -> Statement:
    with open_project(commit) as project:
        raw = [path for path in raw_data_hashes(project) if is_read(path, recorded)]
    deciding = [path.relative_to(clone).as_posix() for pattern in DECIDING for path in clone.glob(pattern)]
    lock = hashlib.sha256(file_in(commit, DVC_LOCK) or b"").hexdigest()
    with chdir(ROOT):
        machinery, changed = git("rev-parse", "HEAD:./labkit"), git("status", "--porcelain", "--", "labkit")
    verifier = _verifier(rerun, recorded, bool(changed))
    with chdir(clone), open_project() as project:
        read, made = _files(project, raw), _files(project, [one.output for one in outcomes if one.made])
    return make_statement(
        {"gitCommit": commit, "gitTree": git("rev-parse", f"{commit}^{{tree}}")},
        outcomes,
        descriptors(clone, made),
        [
            Descriptor(name=RECORDS, digest={"sha256": lock}),
            *descriptors(clone, [*read, *deciding]),
            Descriptor(name=VERIFIER, digest={"gitTree": machinery}, annotations=verifier.model_dump()),
        ],
        url=run.url if (run := github_run()) else None,
    )


def _files(project: Project, places: list[str]) -> list[str]:
    """The files at or below places of the working folder, as DVC sees them."""
    files = []
    for place in map(Path, places):
        if place.is_file():
            files.append(place.as_posix())
        elif place.is_dir():
            files += [f"{place.as_posix()}/{file}" for file in files_here(project, place)]
    return files


def _verifier(rerun: Rerun, recorded: Records, changed: bool) -> Verifier:
    machine = this_machine()
    choices = {
        stage: choice_in(stage, [part for part in params.values() if isinstance(part, dict)])
        for stage, record in (recorded | rerun.records).items()
        if isinstance(params := record.get("params", {}).get("params.yaml", {}), dict)
    }
    return Verifier(
        verified_at=time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        **machine._asdict(),
        system=platform.platform(),
        python=platform.python_version(),
        dvc=version("dvc"),
        choices={stage: choice._asdict() for stage, choice in choices.items()},
        environments=rerun.environments,
        clean=CLEAN + (MADE_AGAIN if rerun.environments else OF_THE_VERIFIER),
        notes=other_bytes(machine, choices),
        changed=changed,
    )


def _check(receipt: Path, commit: str | None) -> int:
    try:
        statement = read_statement(receipt.read_bytes(), receipt)
    except OSError as error:
        raise InputError(f"{receipt} can't be read: {error.strerror}") from None
    found = check_receipt(statement, commit)
    for finding in found:
        print(printable(f"{'contradicted' if finding.contradicts else 'could not check'}: {finding.words}"))
    held = "nothing here contradicts it" if found else "all of it holds here"
    if any(finding.contradicts for finding in found):
        held = "do not rely on it"
    print(f"{receipt}: {statement.commit[:12]}: {headline(statement.outcomes)}; {held}")
    return EXIT_CODES[verdict_on(found, statement)]
