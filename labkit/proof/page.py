"""A receipt as Markdown, for people."""

from labkit.process.flat import is_number
from labkit.proof.differences import Difference
from labkit.proof.outcomes import Outcome, Verdict, verdict_of
from labkit.proof.receipt import CODE, Descriptor, Statement
from labkit.report.markdown import code, plain, table

MOST_FILES = 20  # of an output that differs; the receipt has all
SHORT = 12  # digits of a hash


def page_of(statement: Statement) -> str:
    """The verdict, what differs or is missing, each output, and what it was verified with."""
    outcomes, verifier = statement.outcomes, statement.verifier
    verdict = verdict_of(outcomes)
    rows = [[code(one.output or "-"), plain(one.stage), str(one.verdict), plain(one.reason) or "-"] for one in outcomes]
    machine = f"{verifier.architecture} {verifier.vendor} {verifier.instructions}"
    choices = [f"{stage} on {one['device']}, {one['kernels']} kernels" for stage, one in verifier.choices.items()]
    read = [_digest(one) for one in statement.predicate.configuration if "sha256" in one.digest]
    parts = [
        f"# {statement.commit[:SHORT]}: {headline(outcomes)}",
        summary(outcomes),
        table(["output", "stage", "verdict", "why"], rows) if rows else "",
        *(f"{code(one.name)}\n\n{_files(one.files)}" for one in outcomes if one.files),
        plain(
            f"Verified at {verifier.verified_at} on {machine}, {verifier.system}, Python {verifier.python}, "
            f"DVC {verifier.dvc}. {'; '.join(choices)}"
        ),
        plain(verifier.clean),
        *(plain(note) for note in verifier.notes),
        "## What was read",
        table(["file", "sha256"], read),
        f"Code: commit {code(statement.commit)}, tree {code(statement.subject[0].digest['gitTree'])}.",
    ]
    made = [one for one in statement.subject if one.name != CODE]
    if made and verdict is not Verdict.UNKNOWN:
        parts += ["## What was made", table(["file", "sha256"], [_digest(one) for one in made[:MOST_FILES]])]
        parts += [f"and {len(made) - MOST_FILES} more, in the receipt"] if len(made) > MOST_FILES else []
    return "\n\n".join(filter(None, parts)) + "\n"


def headline(outcomes: list[Outcome]) -> str:
    """The verdict in a few words, with the stage from which on the results differ."""
    verdict = verdict_of(outcomes)
    first = next((one.stage for one in outcomes if one.verdict is verdict), "")
    return f"{verdict} from {first} on" if verdict is Verdict.DIFFERS else str(verdict)


def summary(outcomes: list[Outcome]) -> str:
    """How many outputs have which verdict, and how far those that differ are from their tolerance."""
    counts = {verdict: sum(one.verdict is verdict for one in outcomes) for verdict in Verdict}
    told = ", ".join(f"{number} {verdict}" for verdict, number in counts.items() if number)
    files = [file for one in outcomes for file in one.files]
    measured = [file for file in files if file.tolerances is not None]
    if measured:
        worst = max(measured, key=lambda file: file.tolerances or 0)
        within = sum(file.within for file in files)
        told += (
            f". Within tolerance: {within} of the {len(files)} files that differ. The farthest of them, in numbers: "
        )
        told += f"{code(worst.file)}, at {worst.tolerances:.3g} times its tolerance"
    return f"Of {len(outcomes)} outputs: {told}." if outcomes else "There is no output to check."


def _files(files: list[Difference]) -> str:
    rows = [[code(file.file), plain(file.how), _number(file.largest), _number(file.tolerances)] for file in files]
    more = f"\n\nand {len(rows) - MOST_FILES} more, in the receipt" if len(rows) > MOST_FILES else ""
    return table(["file", "how", "largest difference", "in tolerances"], rows[:MOST_FILES]) + more


def _number(value: float | None) -> str:
    return f"{value:.3g}" if is_number(value) else "-"


def _digest(one: Descriptor) -> list[str]:
    return [code(one.name), code(one.digest["sha256"])]
