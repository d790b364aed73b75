"""Where things are in a lab."""

from collections.abc import Iterable
from pathlib import Path

ROOT = Path(__file__).parent.parent
TABLES = "lab/results"  # copies in Git of results that are small
CODE = ("lab/", "labkit/", "lib/", "goals/")  # below these a stage reads code, elsewhere data
REPORTS = "lab/docs/reports"  # of `python -m lab report`
RECEIPTS = Path(".lab/receipts")  # of `python -m lab verify`, each called by its commit
PROCESSES = ROOT / "lab" / "processes"
RUNTIMES = ROOT / "runtimes"


# Here lie temporary copies of the lab: DVC's for queued experiments, and those for single stages.
COPIES = ((".dvc", "tmp", "exps"), (".lab", "tmp", "tasks"))


def home_of(root: Path) -> Path:
    """Return the lab that a temporary copy was made from."""
    return next((place.parents[2] for place in root.parents if place.parts[-3:] in COPIES), root)


HOME = home_of(ROOT)  # what outlives an experiment is kept here
TASKS = HOME.joinpath(*COPIES[1])


def lies_in(path: str | Path, places: Iterable[str | Path]) -> bool:
    """Whether a path is one of the places, or lies in one."""
    return any(Path(path).is_relative_to(place) for place in places)


def overlaps(path: str | Path, places: Iterable[str | Path]) -> bool:
    """Whether a path is, lies in or holds one of the places."""
    return any(lies_in(path, [place]) or lies_in(place, [path]) for place in places)
