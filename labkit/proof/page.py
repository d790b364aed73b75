"""A receipt as Markdown, for people."""

from labkit.proof.differences import Difference
from labkit.proof.outcomes import Outcome, Reproduction, verdict_of
from labkit.proof.receipt import Descriptor, Statement, Verifier
from labkit.report.markdown import code, plain, table

MOST_FILES = 20  # of an output that differs; the receipt has all
SHORT = 12  # digits of a hash


def page_of(statement: Statement) -> str:
    """The verdict, what differs or is missing, each output, and what it was verified with."""
    outcomes = statement.outcomes
    rows = [[code(one.output or "-"), plain(one.stage), str(one.verdict), plain(one.reason) or "-"] for one in outcomes]
    read = [one for one in statement.predicate.configuration if "sha256" in one.digest]
    parts = [
        f"# {statement.commit[:SHORT]}: {headline(outcomes)}",
        summary(outcomes),
        table(["output", "stage", "verdict", "why"], rows),
        *(f"{code(one.name)}\n\n{_files(one.files)}" for one in outcomes if one.files),
        *_verified(statement.verifier),
        f"## What was read\n\n{_hashes(read)}",
        f"Code: commit {code(statement.commit)}, tree {code(statement.subject[0].digest['gitTree'])}.",
        f"## What was made\n\n{_hashes(statement.subject[1:])}",
    ]
    return "\n\n".join(parts) + "\n"


def _verified(verifier: Verifier) -> list[str]:
    choices = [f"{stage} on {one['device']}, {one['kernels']} kernels" for stage, one in verifier.choices.items()]
    lines = [
        f"Verified at {verifier.verified_at} on {verifier.architecture} {verifier.vendor} {verifier.instructions}, "
        f"{verifier.system}, Python {verifier.python}, DVC {verifier.dvc}. {'; '.join(choices)}.",
        verifier.clean,
        *verifier.notes,
    ]
    return [plain(line) for line in lines]


def headline(outcomes: list[Outcome]) -> str:
    """The verdict in a few words, with the stage from which on the results differ."""
    verdict = verdict_of(outcomes)
    first = next((one.stage for one in outcomes if one.verdict is verdict), "")
    return f"{verdict} from {first} on" if verdict is Reproduction.DIFFERS else str(verdict)


def summary(outcomes: list[Outcome]) -> str:
    """How many outputs have which verdict, and how far those that differ are from their tolerance."""
    counts = {verdict: sum(one.verdict is verdict for one in outcomes) for verdict in Reproduction}
    told = ", ".join(f"{number} {verdict}" for verdict, number in counts.items() if number)
    files = [file for one in outcomes for file in one.files]
    if measured := [file for file in files if file.tolerances is not None]:
        worst = max(measured, key=lambda file: file.tolerances or 0)
        within = sum(file.within for file in files)
        told += f". Within tolerance: {within} of {len(files)} files that differ. The farthest in numbers: "
        told += f"{code(worst.file)}, at {worst.tolerances:.3g} times its tolerance"
    return f"Of {len(outcomes)} outputs: {told}." if outcomes else "There is no output to check."


def _files(files: list[Difference]) -> str:
    rows = [[code(file.file), plain(file.how), _number(file.largest), _number(file.tolerances)] for file in files]
    more = f"\n\nand {len(rows) - MOST_FILES} more, in the receipt" if len(rows) > MOST_FILES else ""
    return table(["file", "how", "largest difference", "in tolerances"], rows[:MOST_FILES]) + more


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.3g}"


def _hashes(files: list[Descriptor]) -> str:
    if not files:
        return "Nothing."
    rows = [[code(one.name), code(one.digest["sha256"])] for one in files[:MOST_FILES]]
    more = f"\n\nand {len(files) - MOST_FILES} more, in the receipt" if len(files) > MOST_FILES else ""
    return table(["file", "sha256"], rows) + more
