"""Merge dvc.lock by stage whenever Git merges, rebases or cherry-picks, so that nobody merges it by hand.

    python -m labkit.publish.merge_driver --install     what `make setup` calls; the hook after a checkout, too
    python -m labkit.publish.merge_driver %O %A %B      what Git calls: the base, ours, theirs; the answer goes to ours

Where both sides have a new record of a stage, the person's own is kept. Git does not say which side that is: in a
rebase and in `git stash pop` it is theirs. So the driver asks where each side is committed, and keeps what is nowhere.
The other side's is then always in a commit. Where neither is, that is a conflict.

Where it is not installed, .gitattributes makes Git refuse to merge dvc.lock rather than merge it by lines: the line
that names the driver is in the clone's own attributes, since Git takes lines for a driver that it does not know.
"""

import os
import re
import shutil
import sys
from pathlib import Path

from labkit.git_cli import git
from labkit.pipeline.records import DVC_LOCK, changed_twice, merge_records, read_records, write_records
from labkit.process.errors import InputError
from labkit.process.files import replacing

POST_CHECKOUT = Path(__file__).with_name("post_checkout.sh")
HOOK_MARK = "# lab:"
ATTRIBUTE = f"{DVC_LOCK} merge=dvc-lock"
# A worktree that `git worktree add` made has no environment of its own, but the clone that it belongs to has.
PYTHON = 'PATH=".venv/bin:$(git rev-parse --git-common-dir)/../.venv/bin:$PATH" python'
SETTINGS = {
    "rebase.backend": "merge",  # the other one patches by lines, and asks no driver
    "merge.dvc-lock.name": "dvc.lock by stage",
    "merge.dvc-lock.driver": f"{PYTHON} -m labkit.publish.merge_driver %O %A %B",
}
EMPTY = (
    "A cherry-pick that is empty now ends with `git cherry-pick --skip`; an empty revert has nothing to undo. "
    f"`git checkout COMMIT -- {DVC_LOCK}` takes all records of the other commit."
)
NEXT = "`dvc repro` runs what the merged code and parameters change; then commit its dvc.lock."
MERGED = "GITHEAD_"  # so `git merge` names what it merges: a commit that was fetched by URL is on no branch
REPLAYED = re.compile(r"(?:p|pick|r|reword|e|edit|s|squash|f|fixup) (?:-[cC] )?([0-9a-f]{4,})\b")


def install() -> None:
    """Make the driver and the hook known to this clone; a second time changes nothing, and a hook of one's own stays.

    Raises GitError outside of a repository.
    """
    for name, value in SETTINGS.items():
        git("config", name, value)
    attributes = Path(git("rev-parse", "--git-path", "info/attributes"))
    lines = attributes.read_text(encoding="utf-8").splitlines() if attributes.exists() else []
    if ATTRIBUTE not in lines:
        attributes.parent.mkdir(parents=True, exist_ok=True)
        with replacing(attributes) as beside:
            beside.write_text("\n".join([*lines, ATTRIBUTE, ""]), encoding="utf-8")
    hook = Path(git("rev-parse", "--git-path", "hooks")) / "post-checkout"
    if not hook.exists() or any(ours in hook.read_text(encoding="utf-8") for ours in (HOOK_MARK, "pre-commit")):
        hook.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(POST_CHECKOUT, hook)
        hook.chmod(0o755)


def merge_files(base: Path, ours: Path, theirs: Path) -> str:
    """Merge three dvc.locks into the file `ours`; return what a person should know of it, or nothing.

    Raises InputError when one of them is none, or when nobody can tell which record to keep.
    """
    before, here, there = (read_records(file.read_bytes()) for file in (base, ours, theirs))
    twice = ", ".join(changed_twice(before, here, there))
    own = own_side(ours, theirs, twice) if twice else ours
    merged = merge_records(before, here, there) if own == ours else merge_records(before, there, here)
    ours.write_text(write_records(merged), encoding="utf-8")
    if not twice:
        return ""
    told = f"{DVC_LOCK}: both sides have a new record of {twice}"
    if own == theirs:
        return f"{told}: your incoming record is kept; the other one is in a commit"
    return f"{told}: the one here is kept. {NEXT if _merged() else EMPTY}"


def own_side(ours: Path, theirs: Path, stages: str) -> Path:
    """The person's own of two dvc.locks with new records of `stages`: what a rebase replays, or what is in no commit.

    Ours where both are in commits. Raises InputError when neither is.
    """
    if is_replayed(theirs):
        return theirs
    uncommitted = [file for file in (ours, theirs) if not is_committed(file)]
    if len(uncommitted) == 2:
        raise InputError(
            f"{DVC_LOCK}: both sides have a new record of {stages}, and neither is in a commit. Take one,"
            f" `git checkout --ours {DVC_LOCK}` or `git checkout --theirs {DVC_LOCK}`, then `git add {DVC_LOCK}`"
        )
    return uncommitted[0] if uncommitted else ours


def is_replayed(file: Path) -> bool:
    """Whether this is the dvc.lock of the commit that a rebase replays right now."""
    done = Path(git("rev-parse", "--git-path", "rebase-merge/done"))
    last = done.read_text(encoding="utf-8").splitlines()[-1] if done.exists() else ""
    commit = REPLAYED.match(last)
    return bool(commit and _object(file) in git("ls-tree", "-r", commit[1]))


def is_committed(file: Path) -> bool:
    """Whether a branch, a tag, HEAD or what is merged has this dvc.lock in its history; a stash does not count."""
    revisions = ["HEAD", "--branches", "--tags", "--remotes", *_merged()]
    found = ("log", "-1", "-m", "--full-history", "--format=%H", f"--find-object={_object(file)}")
    return bool(git(*found, *revisions, "--", f":(top,glob)**/{DVC_LOCK}"))


def _merged() -> list[str]:
    """The commits that `git merge` merges; none in a cherry-pick, a revert and a rebase."""
    return [name.removeprefix(MERGED) for name in os.environ if name.startswith(MERGED)]


def _object(file: Path) -> str:
    return git("hash-object", "--no-filters", "--", str(file))


def main() -> None:
    """Install the merge driver, or run it."""
    try:
        if sys.argv[1:] == ["--install"]:
            install()
        else:
            base, ours, theirs = map(Path, sys.argv[1:])
            if told := merge_files(base, ours, theirs):
                print(told, file=sys.stderr)
    except (InputError, RuntimeError) as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    main()
