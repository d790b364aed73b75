"""Where things are in a lab."""

from pathlib import Path

ROOT = Path(__file__).parent.parent
PROCESSES = ROOT / "lab" / "processes"
