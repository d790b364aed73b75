"""dvc.lock's records: for each stage, what was run on what, and what came of it. A record is taken whole or not at all.

Git's merge of two dvc.locks by lines makes records of runs that never were, and DVC then calls them up to date.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from labkit.dvc_adapter.lock_text import parse_lock, written_lock
from labkit.git_cli import commit_or_none, git, git_or_empty
from labkit.paths import lies_in
from labkit.process.errors import InputError
from labkit.process.flat import leaves
from labkit.process.params import PARAMS_FILE
from labkit.process.tracking import md5_of

DVC_LOCK = "dvc.lock"

Records = dict[str, Any]


def read_records(text: str | bytes) -> Records:
    """The records of a dvc.lock's text by stage; none in an empty text. Raises InputError when it can't be read."""
    try:
        return parse_lock(text)
    except ValueError:
        raise InputError(f"{DVC_LOCK} can't be read; `git checkout {DVC_LOCK}` restores the one committed") from None


def commit_of(revision: str) -> str:
    """The commit that a revision names. Raises InputError where there is none, or a name is also how another begins."""
    is_hash = re.fullmatch("[0-9a-f]{7,64}", revision)
    begun = git_or_empty("rev-parse", f"--disambiguate={revision}").split() if is_hash else []
    commit = commit_or_none(revision)
    named = git_or_empty("rev-parse", "--verify", "--quiet", "--end-of-options", revision).strip()  # a tag's own hash
    if begun and not {commit, named} & {*begun}:
        why = "a branch or tag has this name" if commit else f"{len(begun)} objects begin so"
        raise InputError(f"{revision!r} may be another commit than you mean: {why}; write the whole hash")
    if commit is None:
        raise InputError(f"{revision!r} is not a commit here; try `git fetch --tags`")
    return commit


def records_of(commit: str) -> str:
    """The text of dvc.lock in a commit; none where it has none."""
    return git("show", f"{commit}:./{DVC_LOCK}") + "\n" if git("ls-tree", commit, "--", DVC_LOCK) else ""


def recorded_params(records: Records) -> Iterator[tuple[tuple[str, ...], str, Any]]:
    """Each parameter that results were made with: its place in dvc.lock, its name and its value."""
    for stage, record in records.items():
        for file, values in record.get("params", {}).items():
            where = "" if file == str(PARAMS_FILE) else f"{file}: "
            for key, value in leaves(values):
                yield ("stages", stage, "params", file, *key), f"{where}{'.'.join(key)}", value


def edited(file: Path) -> bool:
    """Whether a result here differs from what dvc.lock records of it, or of its folder."""
    lock = Path(DVC_LOCK)
    records = read_records(lock.read_bytes()) if lock.exists() else {}
    outs = [out for record in records.values() for out in record.get("outs", []) if lies_in(file, [out["path"]])]
    return any(Path(out["path"]).exists() and md5_of(Path(out["path"])) != out.get("md5") for out in outs)


def write_records(records: Records) -> str:
    """The text of a dvc.lock, the same bytes as DVC's own."""
    return written_lock(records)


def merge_records(base: Records, ours: Records, theirs: Records) -> Records:
    """Merge by stage: a record that one side changed since `base` is that side's; one that both changed is ours.

    A record of a run on other code or parameters than the merged ones stays the record of that run:
    `dvc status` then says what changed, and `dvc repro` runs it.
    """
    merged = {}
    for stage in [*ours, *(stage for stage in theirs if stage not in ours)]:
        our, their = ours.get(stage), theirs.get(stage)
        record = their if our == base.get(stage) or (our is None and their != base.get(stage)) else our
        if record is not None:
            merged[stage] = record
    return merged


def changed_twice(base: Records, ours: Records, theirs: Records) -> list[str]:
    """The stages whose record both sides changed since `base`."""
    both = [stage for stage in ours if stage in theirs and ours[stage] != theirs[stage]]
    return [stage for stage in both if base.get(stage) not in (ours[stage], theirs[stage])]
