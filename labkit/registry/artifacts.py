"""A result as a commit or a registered version has it, for notebooks: `fetched("data/processed", "champion")`.

What loads it checks it: `mlflow.pyfunc.load_model` its columns, `lib.data_splits.load_data_splits` the splits.
"""

import os
import shutil
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory

from labkit.paths import HOME
from labkit.pipeline.records import commit_of, read_records, records_of
from labkit.process.errors import InputError
from labkit.process.run_file import leads_elsewhere
from labkit.process.tracking import md5_of
from labkit.registry.models import VERSION, find_model
from labkit.registry.results import fetch_file
from labkit.registry.tags import STAGE

COPIES = HOME / ".lab" / "artifacts"


def fetched(path: str, at: str = STAGE) -> Path:
    """Where a copy of a file or folder is, as it was at a commit, branch, tag or version (`champion`, `v3`).

    It comes from Git, DVC's cache or its remote, and is kept; one that is not as dvc.lock records it is fetched again.
    Raises InputError where none has it, and for an unknown `at`; GitError when `origin`, which says what the champion
    is, can't be reached.
    """
    if leads_elsewhere(path) or not Path(path).name:
        raise InputError(f"{path!r} is no path in the lab; name it as dvc.yaml does")
    commit = find_model(at).version.tag.commit if VERSION.fullmatch(at) else commit_of(at)
    # A folder of its own: a file of a folder, fetched before, is not all of that.
    place = COPIES / commit / sha256(os.path.normpath(path).encode()).hexdigest()[:12] / Path(path).name
    if place.exists() and _edited(place, commit, path):
        shutil.rmtree(place) if place.is_dir() else place.unlink()
    if not place.exists():
        place.parent.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(dir=COPIES) as beside:  # whole, or not there
            fetch_file(commit, path, commit[:10], Path(beside)).rename(place)
    return place


def _edited(copy: Path, commit: str, path: str) -> bool:
    """Whether a copy of an output is not what dvc.lock of the commit records; of others it does not tell."""
    outs = [out for record in read_records(records_of(commit)).values() for out in record.get("outs", [])]
    return any(out["path"] == os.path.normpath(path) and out.get("md5") != md5_of(copy) for out in outs)
