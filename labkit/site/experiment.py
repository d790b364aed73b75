"""The page of an experiment, and what else is kept of it."""

from collections.abc import Callable, Iterator
from typing import NamedTuple

from labkit.compare.gather import Found, compared_files, differences_of, is_of_another_target
from labkit.dvc_adapter.agreement import disagreements
from labkit.dvc_adapter.repository import open_project
from labkit.git_cli import GitError
from labkit.paths import overlaps
from labkit.process.credentials import without_credentials
from labkit.process.errors import InputError
from labkit.publish.kept import Hashes
from labkit.site.entries import Entry
from labkit.site.here import Here
from labkit.site.page import Row, data_of, row_of, sections_of
from labkit.site.plots import Plot, plots_of
from labkit.site.receipts import read_receipt
from labkit.site.rendering import render

BEFORE, NOW = "before", "now"
MOST_LACKING = 6  # files that are named

Reading = Callable[[str], Here]  # of a commit
Drawing = Callable[[str], str]


class Before(NamedTuple):
    """The commit that recorded results before, and what it asked."""

    commit: str
    subject: str


class Wanted(NamedTuple):
    """A page to make: of what, what came before it, what the commit is in the registry, and its receipt's bytes."""

    lab: str
    entry: Entry
    before: Before | None
    marks: list[str]
    receipt: bytes


class Page(NamedTuple):
    """A page as text, its line of the table, its images, and the hashes of files that it lacks."""

    text: str
    row: Row
    images: dict[str, bytes]
    lacking: list[str]


def make_page(wanted: Wanted, read: Reading, draw_lineage: Drawing) -> Page:
    """Make the page. It names what can't be read of its commit."""
    entry, unknown = wanted.entry, list[str]()
    here = before = over = differences = None
    plots = list[Plot]()
    try:
        unknown += _doubts(entry.commit)
        here = read(entry.commit)
        before = read(entry.before) if entry.before else None
        differences = _compared(before, here) if before else None
        over = None if is_of_another_target(differences) else before
        plots, undrawn = plots_of(({entry.before: BEFORE} if over else {}) | {entry.commit: NOW})
        unknown += [*here.unknown, *(differences.unknown if differences else []), *undrawn]
    except (InputError, GitError) as error:
        unknown.append(without_credentials(str(error)))
    row = row_of(here, before, differences) if here else Row()
    own, others = here.lacking if here else {}, _compared_lacking(over) if over else {}
    text = render(
        "experiment.html",
        **wanted._asdict() | {"receipt": read_receipt(entry.commit, wanted.receipt) if wanted.receipt else None},
        row=row,
        sections=sections_of(here, differences) if here else {"own": [], "compared": []},
        plots=plots,
        lineage=draw_lineage(entry.commit),
        data=data_of(here) if here else [],
        unknown=unknown,
        lacking={"": [*own], " of the one before": [*others]},
        most=MOST_LACKING,
        reproduce=how_to_reproduce(entry.commit[:10]),
    )
    return Page(
        text, row, {plot.image: plot.content for plot in plots if plot.image}, [*own.values(), *others.values()]
    )


def how_to_reproduce(commit: str) -> str:
    """The commands that make the results of a commit again."""
    return f"""\
git checkout {commit}
make setup
dvc pull     # the data and these results, as far as the remote has them
dvc repro    # makes again what it lacks; nothing, if all is there
python -m lab verify {commit}    # proves it, in a clean clone"""


def _doubts(commit: str) -> Iterator[str]:
    with open_project(remote=False) as project:
        for stage, others in disagreements(project, commit).items():
            yield f"the record of {stage} is not of this commit's own {', '.join(others)}"


def _compared_lacking(before: Here) -> Hashes:
    """What is not here of a commit and would be compared."""
    wanted = compared_files(before.read.stages)
    return {file: md5 for file, md5 in before.lacking.items() if overlaps(file, wanted)}


def _compared(before: Here, now: Here) -> Found:
    """The differences, with the commits called BEFORE and NOW."""
    called = [one.read._replace(side=one.read.side._replace(name=name)) for one, name in ((before, BEFORE), (now, NOW))]
    return differences_of(*called)
