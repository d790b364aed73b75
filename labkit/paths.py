"""Where things are in a lab."""

from collections.abc import Iterable
from pathlib import Path

ROOT = Path(__file__).parent.parent
TABLES = "lab/results"  # copies in Git of results that are small
PROCESSES = ROOT / "lab" / "processes"


def home_of(root: Path) -> Path:
    """The lab itself: DVC runs a queued experiment in a copy below .dvc/tmp/exps, which it then removes."""
    return next((place.parents[2] for place in root.parents if place.parts[-3:] == (".dvc", "tmp", "exps")), root)


HOME = home_of(ROOT)  # what outlives an experiment is kept here


def lies_in(path: str | Path, places: Iterable[str | Path]) -> bool:
    """Whether a path is one of the places, or lies in one."""
    return any(Path(path).is_relative_to(place) for place in places)


def overlaps(path: str | Path, places: Iterable[str | Path]) -> bool:
    """Whether a path is, lies in or holds one of the places."""
    return any(lies_in(path, [place]) or lies_in(place, [path]) for place in places)
