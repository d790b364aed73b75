"""`python -m lab report REV`: what a commit's results say, as Markdown whose figures are bound to their sources."""

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

from jinja2 import Environment, StrictUndefined

from labkit.compare.gather import differences_of, outputs
from labkit.figures.values import evaluator
from labkit.git_cli import git
from labkit.paths import REPORTS, overlaps
from labkit.pipeline.records import DVC_LOCK
from labkit.process.credentials import without_credentials
from labkit.process.errors import InputError
from labkit.process.files import replacing
from labkit.publish.names import commit_named
from labkit.registry.results import disagreement
from labkit.report.markdown import code, plain
from labkit.site.entries import FORGED, UNPROVEN, Entry, read_entries
from labkit.site.experiment import how_to_reproduce
from labkit.site.here import read_commit, take_copies
from labkit.writeup import sections
from labkit.writeup.pictures import lineage_text, pictures_of, slug

TEMPLATE = Path(__file__).with_name("report.md.jinja")


class Report(NamedTuple):
    """A report: its name, its text, and the pictures of its folder, which has the same name."""

    name: str
    text: str
    pictures: dict[str, bytes]


def write_report(revision: str, to: Path | None = None) -> Path:
    """Write the report of a revision to a file, lab/docs/reports/DATE_NAME.md by default; return its path.

    Raises InputError if there is no such revision, it has no results, or the file exists and says something else.
    """
    entry = entry_of(revision)
    place = to or Path(REPORTS, f"{name_of(entry)}.md")
    if place.suffix != ".md" or place.is_dir():
        raise InputError(f"{place} is not Markdown; name a file that ends with .md")
    report = make_report(entry, place.stem)
    files = {place.with_suffix("") / name: content for name, content in report.pictures.items()}
    files[place] = report.text.encode()
    if place.exists() and place.read_bytes() != files[place]:
        raise InputError(
            f"{place} says something else: somebody wrote in it, or it is of another commit. `python -m lab report "
            "--update` brings its figures up to date; `--to FILE` writes another"
        )
    for file, content in files.items():
        with replacing(file) as beside:
            beside.write_bytes(content)
    return place


def entry_of(revision: str) -> Entry:
    """The commit that recorded the results of a revision, with what it asked. Raises InputError where there is none."""
    commit, _ = commit_named(revision)
    recorded = git("log", "-1", "--format=%H", commit, "--", DVC_LOCK)
    found = [one for one in read_entries() if one.commit == recorded]
    if not recorded:
        raise InputError(
            f"{revision} ({commit[:10]}) has no results in {DVC_LOCK}: `make run`, and commit what it wrote"
        )
    if not found:
        raise InputError(
            f"{recorded[:10]}, which has the results of {revision}, is on no branch: `git branch NAME {recorded[:10]}`"
        )
    return found[0]


def name_of(entry: Entry) -> str:
    """The name of a report: the date, and the tag of the run, or else the first words of the message."""
    return f"{entry.date[:10]}_{slug(entry.told.get('Tag', '')) or slug(entry.subject) or sections.short(entry.commit)}"


def make_report(entry: Entry, name: str) -> Report:
    """Make the report. It names what is neither in Git nor in DVC's cache; nothing is pulled."""
    take_copies(commit for commit in (entry.commit, entry.before) if commit)
    with TemporaryDirectory() as folder:
        here, before = (
            read_commit(commit, Path(folder)) if commit else None for commit in (entry.commit, entry.before)
        )
        assert here
        found = differences_of(before.read, here.read) if before else None
        one = sections.Experiment(entry.commit, here, entry.before, before, found, evaluator())
        pictures, undrawable = pictures_of(entry.commit)
        plots = outputs(here.read.stages, "plots")
        drawn = [file for file, _ in pictures.values()]
        change, unsure = sections.change(one)
        told: dict[str, Any] = {
            "parameters": sections.parameters(one),
            "data": sections.data(one),
            "drifted": sections.drifted(one),
            "models": sections.models(one),
            "change": change,
            "goals": sections.goals(one),
            "undrawn": [plot for plot in plots if not overlaps(plot, drawn)],
            "missing": [
                *map(without_credentials, [*here.unknown, *undrawable, *unsure, *sections.lacking(one, plots)])
            ],
        }
    text = _template().render(
        entry=entry,
        short=sections.short(entry.commit),
        reproduce=how_to_reproduce(sections.short(entry.commit)),
        before=entry.before,
        question=_paragraphs(entry.body),
        notices=list(_notices(entry)),
        pictures={name: file for name, (file, _) in pictures.items()},
        folder=name,
        lineage=lineage_text(entry.commit),
        **told,
    )
    tidy = re.sub(r"\n{3,}", "\n\n", text)
    return Report(name, tidy, {name: content for name, (_, content) in pictures.items()})


def _paragraphs(text: str) -> list[str]:
    return [part for part in re.split(r"\n\s*\n", text.strip()) if part.strip()]


def _notices(entry: Entry) -> Iterator[str]:
    """Why the results may not be what the commit claims."""
    if told := disagreement(entry.commit):
        yield told
    if entry.forged:
        yield f"A merge by lines made the record of {', '.join(entry.forged)}: no run made it."
    if entry.record in (UNPROVEN, FORGED):
        yield "Its message claims what its results do not say, or its commit is not as a runner makes it."


@cache
def _template() -> Any:
    made = Environment(undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=True)
    made.filters |= {"plain": plain, "code": code}
    return made.from_string(TEMPLATE.read_text(encoding="utf-8"))
