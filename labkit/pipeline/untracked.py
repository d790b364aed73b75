"""What the pipeline reads and Git does not track: a commit without it is one that nobody else can run.

    python -m labkit.pipeline.untracked      the hook of each commit that changes what is in PIPELINE or lab/results

It refuses that, and copies of results that are not those of dvc.lock.

`git commit --all` leaves out new files: a process, the `.dvc` file of raw data, the `.gitignore` beside it.
"""

import shlex
import sys
from pathlib import Path
from typing import Any

from labkit.git_cli import git_or_empty
from labkit.pipeline.dependencies import declared_stages, stage_inputs, stage_outputs
from labkit.pipeline.tables import REMEDY, stale_tables
from labkit.process.errors import InputError

PIPELINE = ("dvc.yaml", "dvc.lock", "params.yaml")
DATA = "data/"  # files there are DVC's to keep


def untracked_files(root: Path = Path()) -> list[str]:
    """The files that dvc.yaml names, or that belong to these, and that Git neither tracks nor ignores.

    A new folder is one, with a slash at its end. Raises InputError when dvc.yaml is not YAML.
    """
    own = sorted(path for path in named(declared_stages(root)) if not path.startswith(("/", "..")))
    data = [path for path in own if path.startswith(DATA)]
    code = [path for path in own if not path.startswith(DATA)]
    return [*_others(root, code, "--directory", "--no-empty-directory"), *_others(root, data)]


def named(stages: dict[str, Any]) -> set[str]:
    """What the stages read, its `.dvc` files, and each `.gitignore` beside what they read or write."""
    found = [stage.get("do", stage) for stage in stages.values() if isinstance(stage, dict)]
    inputs = {dep for stage in found for dep in stage_inputs(stage)}
    outs = {out for stage in found for out in stage_outputs(stage)}
    ignores = {str(path.parent / ".gitignore") for path in {*map(Path, inputs), *outs}}
    return inputs | ignores | {f"{path}.dvc" for path in inputs}


def remedy(files: list[str]) -> str:
    """The commands that make Git track them; data go to DVC first."""
    data = [file for file in files if file.startswith(DATA) and not file.endswith((".dvc", ".gitignore"))]
    ignores = {str(Path(file).parent / ".gitignore") for file in data}
    added = sorted({*files} - {*data} | {f"{file}.dvc" for file in data} | ignores)
    first = [f"dvc add {shlex.join(data)}"] if data else []
    return "`" + " && ".join([*first, f"git add {shlex.join(added)}"]) + "`"


def main() -> None:
    """Refuse what would be left out, and what would be of other results."""
    try:
        files, stale = untracked_files(), stale_tables()
    except InputError as error:
        sys.exit(f"error: {error}")
    if files:
        sys.exit(
            f"error: dvc.yaml needs what is not in this commit, and nobody else could run it: {', '.join(files)}\n"
            f"{remedy(files)}, and commit again"
        )
    if stale:
        sys.exit(f"error: not the results of dvc.lock: {', '.join(stale)}\n{REMEDY}, and commit again")


def _others(root: Path, paths: list[str], *options: str) -> list[str]:
    command = ["--literal-pathspecs", "-C", str(root), "ls-files", "--others", "--exclude-standard", "-z", *options]
    return list(filter(None, git_or_empty(*command, "--", *paths).split("\0"))) if paths else []


if __name__ == "__main__":
    main()
