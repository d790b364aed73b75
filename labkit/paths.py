"""Where things are in a lab."""

from collections.abc import Iterable
from pathlib import Path

ROOT = Path(__file__).parent.parent
PROCESSES = ROOT / "lab" / "processes"


def lies_in(path: str | Path, places: Iterable[str | Path]) -> bool:
    """Whether a path is one of the places, or lies in one."""
    return any(Path(path).is_relative_to(place) for place in places)


def overlaps(path: str | Path, places: Iterable[str | Path]) -> bool:
    """Whether a path is, lies in or holds one of the places."""
    return any(lies_in(path, [place]) or lies_in(place, [path]) for place in places)
