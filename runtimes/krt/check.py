"""What is wrong with a file for Konstellation, whoever made it."""

from pathlib import Path

from labkit.process.errors import InputError
from runtimes.krt.rules_kai import kai_problems
from runtimes.krt.rules_kre import krt_problems


def problems(file: Path) -> list[str]:
    """The problems of a .krt, or of the YAML of a KAI product. Raises InputError where the file can't be read."""
    try:
        return krt_problems(file) if file.suffix == ".krt" else kai_problems(file.read_bytes(), file.name)
    except OSError as error:
        raise InputError(f"{file} can't be read: {error.strerror}") from None
