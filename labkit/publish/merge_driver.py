"""Merge dvc.lock by stage whenever Git merges, rebases or cherry-picks, so that nobody merges it by hand.

    python -m labkit.publish.merge_driver --install     what `make setup` calls; the hook after a checkout, too
    python -m labkit.publish.merge_driver %O %A %B      what Git calls: the base, ours, theirs; the answer goes to ours

Where it is not installed, .gitattributes makes Git refuse to merge dvc.lock rather than merge it by lines: the line
that names the driver is in the clone's own attributes, since Git takes lines for a driver that it does not know.
"""

import shutil
import sys
from pathlib import Path

from labkit.git_cli import git
from labkit.pipeline.records import DVC_LOCK, merge_records, read_records, write_records
from labkit.process.errors import InputError
from labkit.process.files import replacing

POST_CHECKOUT = Path(__file__).with_name("post_checkout.sh")
HOOK_MARK = "# lab:"
ATTRIBUTE = f"{DVC_LOCK} merge=dvc-lock"
SETTINGS = {
    "rebase.backend": "merge",  # the other one patches by lines, and asks no driver
    "merge.dvc-lock.name": "dvc.lock by stage",
    "merge.dvc-lock.driver": ".venv/bin/python -m labkit.publish.merge_driver %O %A %B",
}


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


def merge_files(base: Path, ours: Path, theirs: Path) -> None:
    """Merge three dvc.locks into the file `ours`. Raises InputError when one of them is none."""
    before, here, there = (read_records(file.read_text(encoding="utf-8")) for file in (base, ours, theirs))
    # In a rebase, Git calls the upstream ours, and theirs what the person has committed.
    merged = merge_records(before, there, here) if is_rebasing() else merge_records(before, here, there)
    ours.write_text(write_records(merged), encoding="utf-8")


def is_rebasing() -> bool:
    """Whether this is a merge within a rebase."""
    return any(Path(git("rev-parse", "--git-path", folder)).exists() for folder in ("rebase-merge", "rebase-apply"))


def main() -> None:
    """Install the merge driver, or run it."""
    try:
        if sys.argv[1:] == ["--install"]:
            install()
        else:
            base, ours, theirs = map(Path, sys.argv[1:])
            merge_files(base, ours, theirs)
    except (InputError, RuntimeError) as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    main()
