"""What a stage's command runs, and how long that took, as people say it."""

import re


def process_of(command: str) -> str:
    """The process that a stage's command runs; none where it runs something else."""
    found = re.search(r"\blabkit\.launch\s+([\w-]+)", command)
    return found[1] if found else ""


def duration(seconds: float) -> str:
    """Seconds as people say them."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    if seconds < 100:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 100 else f"{minutes // 60} h {minutes % 60} min"
