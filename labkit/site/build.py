"""`python -m lab site`: a folder of pages, made from Git and DVC alone. Only what is new is made."""

import json
import sys
from collections.abc import Iterable, Iterator
from contextlib import suppress
from functools import lru_cache
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory

from pydantic import BaseModel, ConfigDict

from labkit.git_cli import git_or_empty
from labkit.paths import ROOT
from labkit.process.errors import InputError
from labkit.process.files import replacing
from labkit.process.params import PARAMS_FILE
from labkit.process.strict_yaml import load_yaml
from labkit.registry.history import step_table, version_table
from labkit.site.ancestry import ancestry_pictures
from labkit.site.champion import is_of_registry, marks_of, registry_here
from labkit.site.entries import read_entries
from labkit.site.experiment import Before, Page, Wanted, make_page
from labkit.site.here import Here, cached, read_commit, take_copies
from labkit.site.page import Row
from labkit.site.receipts import receipt_text
from labkit.site.rendering import render
from labkit.site.trend import trend_of

MARK = ".lab-site"  # marks a folder as a site
PAGES, IMAGES = "experiments", "images"
DECIDING = ("site", "compare", "lineage", "report")  # packages of labkit that decide how pages look
MANY = 20  # pages that take a while
MOST_READ = 64  # commits kept in memory, for the comparison with the next ones


class BuiltPage(BaseModel):
    """What is kept of a page: its key, its line of the table, its images, and what it lacks."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    key: str
    row: Row
    images: list[str]
    lacking: list[str]  # hashes of files


def build_site(to: Path) -> Path:
    """Write the site to a folder; return its first page.

    Raises InputError for a folder that holds something else, and GitError outside of a repository.
    """
    entries, registry = read_entries(), registry_here()
    _take(to)
    lab = _lab()
    own = [one._replace(tags=[tag for tag in one.tags if not is_of_registry(tag, registry)]) for one in entries]
    marks = marks_of(registry)
    asked = {one.commit: Before(one.commit, one.subject) for one in own}
    wanted = [
        Wanted(lab, one, asked.get(one.before), marks.get(one.commit, []), receipt_text(one.commit)) for one in own
    ]
    made, new = _make_pages(wanted, to)
    shown = [(one, made[one.commit].row) for one in own]
    told = [version_table(registry), step_table(registry)] if registry else []
    pages = {commit[:7]: f"{PAGES}/{commit}.html" for commit in asked}
    first = to / "index.html"
    _write(first, render("index.html", shown=shown, marks=marks, trend=trend_of(shown), registry=registry, lab=lab))
    _write(to / "champion.html", render("champion.html", registry=registry, tables=told, pages=pages, lab=lab))
    _write(to / "data.html", render("data.html", commit=_with_data(made), lab=lab))
    _prune(to, made)
    sizes = [(to / PAGES / f"{commit}.html").stat().st_size for commit in made]
    print(f"{first}: {len(own)} experiments; {new} pages made, {sum(sizes) // 1000 // max(1, len(sizes))} kB each")
    return first


def _take(to: Path) -> None:
    """Make the folder and its mark. Raises InputError if it holds something else."""
    if to.exists() and not (to / MARK).exists() and (not to.is_dir() or any(to.iterdir())):
        raise InputError(f"{to} is not empty, and not a site of this lab; name another folder: `--to FOLDER`")
    (to / PAGES).mkdir(parents=True, exist_ok=True)
    (to / IMAGES).mkdir(exist_ok=True)
    (to / MARK).touch()


def _make_pages(wanted: list[Wanted], to: Path) -> tuple[dict[str, BuiltPage], int]:
    """Make the pages that are new or changed; return all by their commits, and how many were made."""
    code = _code()
    keys = {one.entry.commit: _key(one, code) for one in wanted}
    made = {commit: known for commit, key in keys.items() if (known := _page_made(to / PAGES / f"{commit}.json", key))}
    came = cached({md5 for one in made.values() for md5 in one.lacking})
    made = {commit: one for commit, one in made.items() if not came & {*one.lacking}}
    new = [one for one in wanted if one.entry.commit not in made]
    for commit, page in _new_pages(new):
        made[commit] = _keep(page, commit, keys[commit], to)
    return made, len(new)


def _new_pages(wanted: list[Wanted]) -> Iterator[tuple[str, Page]]:
    """Make pages; yield each with its commit."""
    if not wanted:
        return
    if len(wanted) > MANY:
        print(f"making {len(wanted)} pages, some seconds each", file=sys.stderr)
    take_copies(dict.fromkeys(commit for one in wanted for commit in (one.entry.commit, one.entry.before) if commit))
    draw_lineage = ancestry_pictures()
    with TemporaryDirectory() as folder:

        @lru_cache(MOST_READ)
        def read(commit: str) -> Here:
            return read_commit(commit, Path(folder))

        for one in wanted:
            yield one.entry.commit, make_page(one, read, draw_lineage)


def _key(wanted: Wanted, code: str) -> str:
    """A digest of what a page is made from."""
    told = json.dumps([code, *wanted[:-1]]).encode()
    return sha256(told + wanted.receipt).hexdigest()


def _keep(page: Page, commit: str, key: str, to: Path) -> BuiltPage:
    """Write a page, its images, and what is known of it."""
    for name, content in page.images.items():
        if not (to / IMAGES / name).exists():
            with replacing(to / IMAGES / name) as beside:
                beside.write_bytes(content)
    place = to / PAGES / commit
    made = BuiltPage(key=key, row=page.row, images=[*page.images], lacking=page.lacking)
    place.with_suffix(".json").unlink(missing_ok=True)  # it comes last: without it, the page is made again
    _write(place.with_suffix(".html"), page.text)
    _write(place.with_suffix(".json"), made.model_dump_json(indent=1) + "\n")
    return made


def _page_made(file: Path, key: str) -> BuiltPage | None:
    """What is kept of a page, if it is up to date."""
    with suppress(OSError, ValueError):
        made = BuiltPage.model_validate_json(file.read_bytes())
        if made.key == key and file.with_suffix(".html").exists():
            return made
    return None


def _code() -> str:
    """A digest of the code that decides how a page looks."""
    files = (file for name in DECIDING for file in (ROOT / "labkit" / name).rglob("*") if file.is_file())
    code = sorted(file for file in files if file.suffix != ".pyc" and not file.stem.endswith("_test"))
    return sha256(b"\0".join(file.read_bytes() for file in code)).hexdigest()


def _lab() -> str:
    """The lab's name in params.yaml, else that of its folder."""
    with suppress(InputError, KeyError, TypeError):
        return str(load_yaml(PARAMS_FILE)["project"]["name"])
    return Path.cwd().name


def _with_data(made: dict[str, BuiltPage]) -> str:
    """The newest commit in HEAD's history whose page has a report of the data."""
    history = git_or_empty("rev-list", "HEAD").split()
    return next((commit for commit in history if commit in made and made[commit].row.has_data), "")


def _write(file: Path, text: str) -> None:
    with replacing(file) as beside:
        beside.write_text(text, encoding="utf-8")


def _prune(to: Path, made: dict[str, BuiltPage]) -> None:
    """Remove the pages of commits that no branch has, and images that no page shows."""
    images = {name for one in made.values() for name in one.images}
    for file in _files(to / PAGES):
        if file.stem not in made:
            file.unlink()
    for file in _files(to / IMAGES):
        if file.name not in images:
            file.unlink()


def _files(folder: Path) -> Iterable[Path]:
    return [file for file in folder.iterdir() if file.is_file()]
