"""README and the how-tos do what they say: their commands run, in the order in which a reader meets them."""

import re
import shlex
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from labkit.paths import ROOT
from labkit.testing.fixtures import Shell, needs_example

pytestmark = needs_example

DOCS = ROOT / "lab" / "docs"
NAMES = (
    "adding-a-model",
    "comparing-versions",
    "data-spaces",
    "engines",
    "experiments",
    "lineage",
    "pipeline",
    "processes",
    "promoting",
    "reports",
    "sandbox",
    "serving",
    "setting-up",
    "site",
    "sweeps",
    "testing",
    "tracking",
    "upgrading",
    "verifying",
    "walkthrough",
    "your-data",
)
HOW_TOS = [DOCS / f"{name}.md" for name in NAMES]
PAGES = [ROOT / "README.md", *HOW_TOS]
# They take up to a minute each; what their commands do, other tests see every time.
LONG = {
    "README",
    "adding-a-model",
    "comparing-versions",
    "lineage",
    "pipeline",
    "processes",
    "promoting",
    "reports",
    "serving",
    "sweeps",
    "tracking",
    "walkthrough",
    "your-data",
}
DATA_PAGES = [DOCS / "external-data.md", DOCS / "local-data.md"]  # their commands need a bucket

INTERPRETERS = {"bash": "bash -euo pipefail -c", "python": "python -c"}
BLOCK = re.compile(r"^(?:<!-- not run: (?P<reason>[^\n]+) -->\n)?```(?P<language>\w*)\n(?P<text>.*?)^```$", re.M | re.S)
FILE = re.compile(r"# (\S+/\S+)\n")  # a block that begins so is that file
# The tests that a page tells to run run beside this one: here they are only collected, but for those that it writes.
ONLY_COLLECT = {"PYTEST_ADDOPTS": "--collect-only --quiet"}


class Block(NamedTuple):
    """A block of a page; `reason` tells why it cannot run here, `language` is empty for what is not code."""

    reason: str | None
    language: str
    text: str


def blocks(page: Path) -> Iterator[Block]:
    """The blocks of a page."""
    return (Block(**found.groupdict()) for found in BLOCK.finditer(page.read_text(encoding="utf-8")))


def anchors(page: Path) -> set[str]:
    """What a link into a page can point to, by GitHub's rule."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.M)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


def name(page: Path) -> str:
    """The name of a page in pytest's reports."""
    return page.stem


@pytest.mark.unittest
@pytest.mark.parametrize("page", PAGES, ids=name)
def test_code_runs_or_quotes_the_pipeline_or_says_why_it_does_not(page: Path) -> None:
    pipeline = (ROOT / "dvc.yaml").read_text(encoding="utf-8")
    code = [block for block in blocks(page) if block.language and not block.reason]
    assert [b.text for b in code if b.language not in INTERPRETERS and b.text not in pipeline] == []


@pytest.mark.unittest
@pytest.mark.parametrize("page", [*PAGES, *DATA_PAGES], ids=name)
def test_links_lead_somewhere(page: Path) -> None:
    for link in re.findall(r"\]\((?!https?:)([^)]+)\)", page.read_text(encoding="utf-8")):
        file, _, anchor = link.partition("#")
        target = page.parent / file if file else page
        assert target.exists(), link
        assert not anchor or anchor in anchors(target), link


@pytest.mark.integration
@pytest.mark.parametrize(
    "page", [pytest.param(page, marks=[pytest.mark.nightly] * (page.stem in LONG), id=page.stem) for page in PAGES]
)
def test_commands_work_in_their_order(page: Path, finished_lab: Path, tmp_path: Path, shell: Shell) -> None:
    lab = shutil.copytree(finished_lab, tmp_path / "lab", symlinks=True)
    written: list[str] = []
    for reason, language, text in blocks(page):
        if reason or language not in INTERPRETERS:
            continue
        if file := FILE.match(text):
            (lab / file[1]).write_text(text, encoding="utf-8")
            written.append(file[1])
        else:
            options = {} if any(name in text for name in written) else ONLY_COLLECT
            shell(f"{INTERPRETERS[language]} {shlex.quote(text)}", lab, **options)
